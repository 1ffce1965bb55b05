//! Which frames may come (RFC 6455 §5.1, §5.2, §5.4, RFC 7692 §6), as far as their headers tell.

use super::frame::{BINARY, CLOSE, CONTINUATION, Header, PING, PONG, RSV, RSV1, TEXT};
use crate::role::Role;

/// What one side of a connection may be sent.
#[derive(Debug)]
pub(super) struct FrameRules {
    role: Role,
    /// Messages may be compressed.
    deflate: bool,
}

impl FrameRules {
    /// The rules for what this role receives.
    pub(super) fn new(role: Role, deflate: bool) -> Self {
        Self { role, deflate }
    }

    /// Whether this is a data frame that may come here, `in_message` being between the fragments of one. RSV1 only where
    /// RFC 7692 §6 puts it.
    #[inline]
    pub(super) fn allow_data(&self, header: Header, in_message: bool) -> bool {
        let in_place = match header.opcode() {
            CONTINUATION => in_message,
            TEXT | BINARY => !in_message,
            _ => false,
        };
        let allowed = if self.deflate && header.opcode() != CONTINUATION { RSV1 } else { 0 };
        in_place && header.first & RSV & !allowed == 0 && self.is_masked_properly(header)
    }

    /// Whether a control frame of a proper length breaks no rule but those for its payload.
    pub(super) fn allow_control(&self, header: Header) -> bool {
        let known = matches!(header.opcode(), CLOSE | PING | PONG);
        known && header.is_final() && header.first & RSV == 0 && self.is_masked_properly(header)
    }

    /// Clients mask, servers do not.
    fn is_masked_properly(&self, header: Header) -> bool {
        header.mask.is_some() == (self.role == Role::Server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(first: u8, masked: bool) -> Header {
        Header { first, mask: masked.then_some([1, 2, 3, 4]), len: 0 }
    }

    #[test]
    fn each_first_byte_is_allowed_in_its_place_alone() {
        for deflate in [false, true] {
            let rules = FrameRules::new(Role::Server, deflate);
            for first in 0..=u8::MAX {
                // FIN, RSV1 to RSV3, opcode.
                let [data, more, control] = match first & 0x7f {
                    0 => [false, true, false],
                    1 | 2 => [true, false, false],
                    0x41 | 0x42 => [deflate, false, false],
                    8..=10 => [false, false, first & 0x80 != 0],
                    _ => [false; 3],
                };
                let header = header(first, true);
                assert_eq!(rules.allow_data(header, false), data, "{first:02x}");
                assert_eq!(rules.allow_data(header, true), more, "{first:02x} in a message");
                assert_eq!(rules.allow_control(header), control, "{first:02x}");
            }
        }
    }

    #[test]
    fn only_clients_mask() {
        for (role, masked) in [(Role::Server, true), (Role::Client, false)] {
            let rules = FrameRules::new(role, false);
            assert!(rules.allow_data(header(0x81, masked), false) && rules.allow_control(header(0x89, masked)));
            assert!(!rules.allow_data(header(0x81, !masked), false) && !rules.allow_control(header(0x89, !masked)));
        }
    }
}
