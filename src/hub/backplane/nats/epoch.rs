//! The epochs of a stream: ranges of its sequence numbers.

/// An epoch begins when the stream is created. A later one is stored in the stream's description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Epoch {
    /// When it began, in nanoseconds.
    pub(super) number: u64,
    /// Sequence numbers up to this one belong to an earlier epoch.
    pub(super) after: u64,
}

impl Epoch {
    /// The current epoch of a stream, from its time of creation in nanoseconds and its description.
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
    fn an_epoch_is_read_from_a_description_that_has_one() {
        let epoch = Epoch { number: 7, after: 12 };
        assert_eq!(Epoch::of(1, Some(&epoch.description())), epoch);
        for description in [None, Some(""), Some("topics"), Some("epoch 7"), Some("epoch 7 after x")] {
            assert_eq!(Epoch::of(1, description), Epoch { number: 1, after: 0 });
        }
    }
}
