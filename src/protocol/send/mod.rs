//! From messages to bytes: encoded frames, and how much of them is written.

mod encoding;
mod feed;
mod overflow;
mod sender;
#[cfg(test)]
mod tests;
mod unwritten;
mod waiting;
mod write_buffer;

pub(crate) use self::encoding::Encoding;
pub(crate) use self::feed::{Feed, FeedMessage, Frame, Item, Notice, Pushed};
pub use self::overflow::Overflow;
pub(crate) use self::sender::Sender;
pub(crate) use self::write_buffer::WriteBuffer;
