//! The rules for frame headers (RFC 6455 §5.1, §5.2, §5.4, §5.5; RFC 7692 §6).

use tokio_tungstenite::tungstenite::error::ProtocolError;

use crate::message::MessageKind;
use crate::protocol::frame::{Control, Data, FIN, MASK, MAX_CONTROL, OpCode, RSV1, RSV23};
use crate::role::Role;

/// The rules for the frames that one side of a connection receives.
#[derive(Debug)]
pub(super) struct Validation {
    role: Role,
    /// Messages may be compressed.
    deflate: bool,
}

impl Validation {
    /// The rules for what this role receives.
    pub(super) fn new(role: Role, deflate: bool) -> Self {
        Self { role, deflate }
    }

    /// A fast check for most frames: the kind of a message in one frame that begins with these two bytes. `None` if they begin
    /// anything else or break a rule, which [`check`](Self::check) then decides.
    #[inline]
    pub(super) fn whole_message(&self, first: u8, second: u8) -> Option<MessageKind> {
        let is_masked = second & MASK != 0;
        if is_masked != (self.role == Role::Server) || (first & RSV1 != 0 && !self.deflate) {
            return None;
        }
        match first & !RSV1 {
            WHOLE_TEXT => Some(MessageKind::Text),
            WHOLE_BINARY => Some(MessageKind::Binary),
            _ => None,
        }
    }

    /// Checks the first two bytes of a frame, or the first while the second is missing: all rules except those for payloads concern
    /// them. `in_message`: a message has begun, and its last frame has not arrived.
    #[inline]
    pub(super) fn check(&self, first: u8, second: Option<u8>, in_message: bool) -> Result<OpCode, ProtocolError> {
        let opcode = OpCode::from(first & 0x0f);
        let starts_message = match opcode {
            OpCode::Data(Data::Reserved(_)) | OpCode::Control(Control::Reserved(_)) => {
                return Err(ProtocolError::InvalidOpcode(first & 0x0f));
            }
            OpCode::Data(Data::Continue) if !in_message => return Err(ProtocolError::UnexpectedContinueFrame),
            OpCode::Data(data @ (Data::Text | Data::Binary)) if in_message => {
                return Err(ProtocolError::ExpectedFragment(data));
            }
            OpCode::Data(data) => data != Data::Continue,
            OpCode::Control(_) if first & FIN == 0 => return Err(ProtocolError::FragmentedControlFrame),
            OpCode::Control(_) => false,
        };
        // RFC 7692 §6: RSV1 is set only on the first frame of a compressed message.
        let rsv1_allowed = self.deflate && starts_message;
        if first & RSV23 != 0 || (first & RSV1 != 0 && !rsv1_allowed) {
            return Err(ProtocolError::NonZeroReservedBits);
        }
        let Some(second) = second else { return Ok(opcode) };
        match (self.role, second & MASK != 0) {
            (Role::Server, false) => return Err(ProtocolError::UnmaskedFrameFromClient),
            (Role::Client, true) => return Err(ProtocolError::MaskedFrameFromServer),
            _ => {}
        }
        match (opcode, usize::from(second & !MASK)) {
            (OpCode::Control(_), len) if len > MAX_CONTROL => Err(ProtocolError::ControlFrameTooBig),
            // RFC 6455 §5.5.1: a payload begins with a code of two bytes.
            (OpCode::Control(Control::Close), 1) => Err(ProtocolError::InvalidCloseSequence),
            _ => Ok(opcode),
        }
    }
}

/// RFC 6455 §5.2: FIN, no reserved bit, and the opcode.
const WHOLE_TEXT: u8 = FIN | 1;
const WHOLE_BINARY: u8 = FIN | 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_message_is_what_the_rules_allow_as_one() {
        for (role, deflate) in
            [(Role::Server, false), (Role::Server, true), (Role::Client, false), (Role::Client, true)]
        {
            let rules = Validation::new(role, deflate);
            for (first, second) in (0..=u8::MAX).flat_map(|first| [0, 125, 126, 127].map(|len| (first, len))) {
                for second in [second, second | MASK] {
                    let kind = match rules.check(first, Some(second), false) {
                        Ok(OpCode::Data(Data::Text)) if first & FIN != 0 => Some(MessageKind::Text),
                        Ok(OpCode::Data(Data::Binary)) if first & FIN != 0 => Some(MessageKind::Binary),
                        _ => None,
                    };
                    assert_eq!(rules.whole_message(first, second), kind, "{first:02x} {second:02x}");
                }
            }
        }
    }

    #[test]
    fn each_first_byte_is_allowed_only_at_its_place() {
        for deflate in [false, true] {
            let rules = Validation::new(Role::Server, deflate);
            for first in 0..=u8::MAX {
                // FIN, RSV1 to RSV3, opcode.
                let [begins, continues] = match first & 0x7f {
                    0 => [false, true],
                    1 | 2 => [true, false],
                    0x41 | 0x42 => [deflate, false],
                    8..=10 => [first & 0x80 != 0; 2],
                    _ => [false; 2],
                };
                for second in [None, Some(0x80)] {
                    assert_eq!(rules.check(first, second, false).is_ok(), begins, "{first:02x}");
                    assert_eq!(rules.check(first, second, true).is_ok(), continues, "{first:02x} in a message");
                }
            }
        }
    }

    #[test]
    fn an_opcode_that_does_not_exist_is_named() {
        let rules = Validation::new(Role::Server, true);
        for opcode in [3, 7, 11, 15] {
            assert_eq!(rules.check(0xf0 | opcode, Some(0x80), false), Err(ProtocolError::InvalidOpcode(opcode)));
        }
    }

    #[test]
    fn each_second_byte_is_allowed_for_its_role_and_frame() {
        for (role, masked) in [(Role::Server, true), (Role::Client, false)] {
            let rules = Validation::new(role, false);
            for second in 0..=u8::MAX {
                let right_mask = (second & 0x80 != 0) == masked;
                assert_eq!(rules.check(0x81, Some(second), false).is_ok(), right_mask, "{second:02x}");
                let short = second & 0x7f <= 125;
                for control in [0x88, 0x89, 0x8a] {
                    let right = right_mask && short && (control != 0x88 || second & 0x7f != 1);
                    assert_eq!(rules.check(control, Some(second), true).is_ok(), right, "{control:02x} {second:02x}");
                }
            }
        }
    }
}
