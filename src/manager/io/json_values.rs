//! One message per JSON value.

use tokio::io::AsyncRead;

use super::copy::{copy, default_budget};
use super::json_splitter::JsonSplitter;
use crate::budget::Budget;
use crate::error::Error;
use crate::manager::Manager;

#[cfg_attr(docsrs, doc(cfg(feature = "json")))]
impl Manager {
    /// Sends each JSON value of a source as a text message, until the source ends, and returns how many there were.
    ///
    /// It does not matter how reads split them. Between values there may be whitespace or nothing; a number or a literal
    /// ends at whitespace, at the start of another kind of value, or at the end of the source. Each value is checked, then
    /// sent exactly as it is written.
    ///
    /// ```
    /// # use tower_websocket::{Message, Upgrader, testing};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_websocket::Error> {
    /// # let (client, ws) = testing::pair(Upgrader::new());
    /// let child_stdout = &br#"{"done": 1} {"done": 2}"#[..]; // or a pipe, a file, a socket
    /// assert_eq!(ws.copy_json_stream(child_stdout).await?, 2);
    /// assert_eq!(client.recv().await?, Some(Message::text(r#"{"done": 1}"#)));
    /// assert_eq!(client.recv().await?, Some(Message::text(r#"{"done": 2}"#)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Values are sent as by [`send`](Self::send): the values of one read leave together, and while the peer is slow the
    /// source is not read. At the end the last values may still be in the outgoing buffer; [`flush`](Self::flush) waits for
    /// them. Messages from the peer are not received; if they stay unread, the end of the connection may not be noticed
    /// while the source is silent.
    ///
    /// # Errors
    ///
    /// After all values before it were sent:
    ///
    /// - [`ErrorKind::Decode`](crate::ErrorKind::Decode) for data that is not JSON or not UTF-8, and if the source ends
    ///   within a value. The connection stays usable. An error within an array or an object is found at its end.
    /// - [`ErrorKind::BudgetExceeded`](crate::ErrorKind::BudgetExceeded) for a value that exceeds the memory limit below.
    ///   The connection stays usable.
    /// - [`ErrorKind::Source`](crate::ErrorKind::Source) when the source fails; the source of the error is its
    ///   [`io::Error`](std::io::Error). The connection stays usable.
    /// - [`ErrorKind::Closed`](crate::ErrorKind::Closed) once the connection is closed, also while the source is silent,
    ///   or the reason why it failed.
    ///
    /// # Cancel safety
    ///
    /// Every message is sent whole or not at all. Data that was read from the source and not yet sent is lost: an
    /// incomplete value and, if the peer was slow, up to 64 KiB of complete ones.
    ///
    /// # Memory
    ///
    /// As for [`copy_text_lines`](Self::copy_text_lines), with which it shares the budget of 64 MiB.
    /// [`copy_json_stream_with`](Self::copy_json_stream_with) takes another budget.
    #[doc(alias = "CopyJSONStream")]
    pub async fn copy_json_stream(&self, source: impl AsyncRead) -> Result<u64, Error> {
        self.copy_json_stream_with(source, default_budget()).await
    }

    /// Sends each JSON value of a source as a text message, within a budget of its own or shared with other copies.
    ///
    /// Otherwise the same as [`copy_json_stream`](Self::copy_json_stream).
    ///
    /// ```
    /// # use tower_websocket::{Budget, Error, Manager};
    /// # use tokio::io::AsyncRead;
    /// async fn forward(ws: Manager, source: impl AsyncRead, budget: Budget) -> Result<(), Error> {
    ///     ws.copy_json_stream_with(source, &budget).await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`copy_json_stream`](Self::copy_json_stream).
    ///
    /// # Cancel safety
    ///
    /// As for [`copy_json_stream`](Self::copy_json_stream).
    pub async fn copy_json_stream_with(&self, source: impl AsyncRead, budget: &Budget) -> Result<u64, Error> {
        copy(self, source, budget, JsonSplitter::default()).await
    }
}
