//! Byte streams over messages, and messages from byte streams.
//!
//! [`Reader`] and [`Writer`] do not keep the boundaries of messages. `copy_text_lines` and `copy_json_stream` send one message
//! for each line, or for each JSON value, of a source of bytes. Their common part is `copy`; `line_splitter` and `json_splitter`
//! find the end of a piece, without I/O.

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
