//! Byte streams over messages, and messages out of byte streams.
//!
//! [`Reader`] and [`Writer`] know nothing of boundaries: bytes are joined on the way in and cut on the way out. The
//! copies make one message of each line, or of each JSON value, that a source of bytes contains. What they have in common
//! is `copy`; where a piece ends is told by `line_splitter` and `json_splitter`, which know no source and no socket.

mod copy;
#[cfg(feature = "json")]
mod json_splitter;
#[cfg(feature = "json")]
mod json_values;
mod line_splitter;
mod lines;
mod reader;
mod utf8;
mod writer;

pub use reader::Reader;
pub use writer::Writer;
