//! From bytes to messages: the read buffer, the rules for frames, and the message that is arriving.

mod assembler;
mod incoming;
mod read_buffer;
mod receiver;
#[cfg(test)]
mod tests;
mod validation;

pub(crate) use self::assembler::Assembler;
pub(crate) use self::incoming::Incoming;
pub(crate) use self::receiver::{Event, Intake, Received, Receiver};
