//! Which run of sequence numbers a stream has.

/// Where an epoch begins. It is in the description of the stream, where another began than that of the stream itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Epoch {
    /// When it began, in nanoseconds.
    pub(super) number: u64,
    /// What the stream has up to this sequence number is of an earlier one.
    pub(super) after: u64,
}

impl Epoch {
    /// Of a stream that was made then, and has this description.
    pub(super) fn of(created: u64, description: Option<&str>) -> Self {
        description.and_then(Self::parse).unwrap_or(Self { number: created, after: 0 })
    }

    pub(super) fn description(self) -> String {
        format!("epoch {} after {}", self.number, self.after)
    }

    fn parse(description: &str) -> Option<Self> {
        let (number, after) = description.strip_prefix("epoch ")?.split_once(" after ")?;
        Some(Self { number: number.parse().ok()?, after: after.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_tells_of_an_epoch_or_of_something_else() {
        let epoch = Epoch { number: 7, after: 12 };
        assert_eq!(Epoch::of(1, Some(&epoch.description())), epoch);
        for description in [None, Some(""), Some("topics"), Some("epoch 7"), Some("epoch 7 after x")] {
            assert_eq!(Epoch::of(1, description), Epoch { number: 1, after: 0 });
        }
    }
}
