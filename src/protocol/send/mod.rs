//! From messages to bytes: encoded frames, and what of them is written.

mod sender;
#[cfg(test)]
mod tests;
mod write_buffer;

pub(crate) use self::sender::Sender;
pub(crate) use self::write_buffer::WriteBuffer;
