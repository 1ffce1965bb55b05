//! One message per line.

use tokio::io::AsyncRead;

use super::copy::{copy, default_budget};
use super::line_splitter::LineSplitter;
use crate::budget::Budget;
use crate::error::Error;
use crate::manager::Manager;

impl Manager {
    /// Sends each line of a source as a text message, until the source ends, and returns how many there were.
    ///
    /// Lines end with `\n` or `\r\n`, which is not sent. An empty line is an empty message. A last line without a line
    /// ending is sent too.
    ///
    /// ```
    /// # use tower_websocket::{Message, Upgrader, testing};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_websocket::Error> {
    /// # let (client, ws) = testing::pair(Upgrader::new());
    /// let log_file = &b"started\r\nlistening"[..]; // or a file, a child's output, a socket
    /// assert_eq!(ws.copy_text_lines(log_file).await?, 2);
    /// assert_eq!(client.recv().await?, Some(Message::text("started")));
    /// assert_eq!(client.recv().await?, Some(Message::text("listening")));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Lines are sent as by [`send`](Self::send): the lines of one read leave together, and while the peer is slow the
    /// source is not read. At the end the last lines may still be in the outgoing buffer; [`flush`](Self::flush) waits for
    /// them. Messages from the peer are not received; if they stay unread, the end of the connection may not be noticed
    /// while the source is silent.
    ///
    /// # Errors
    ///
    /// After all lines before it were sent:
    ///
    /// - [`ErrorKind::Decode`](crate::ErrorKind::Decode) for a line that is not UTF-8. The connection stays usable.
    /// - [`ErrorKind::BudgetExceeded`](crate::ErrorKind::BudgetExceeded) for a line that exceeds the memory limit below.
    ///   The connection stays usable.
    /// - [`ErrorKind::Source`](crate::ErrorKind::Source) when the source fails; the source of the error is its
    ///   [`io::Error`](std::io::Error). The connection stays usable.
    /// - [`ErrorKind::Closed`](crate::ErrorKind::Closed) once the connection is closed, also while the source is silent,
    ///   or the reason why it failed.
    ///
    /// # Cancel safety
    ///
    /// Every message is sent whole or not at all. Data that was read from the source and not yet sent is lost: an
    /// incomplete line and, if the peer was slow, up to 64 KiB of complete ones.
    ///
    /// # Memory
    ///
    /// The buffer has 8 KiB, up to 64 KiB while the source yields much data, and more only for a longer line. The
    /// incomplete lines and JSON values of all copies in the process share a budget of 64 MiB. Only those of more than 64
    /// KiB are counted. The allocation of a growing buffer may be twice its content.
    /// [`copy_text_lines_with`](Self::copy_text_lines_with) takes another budget.
    #[doc(alias = "CopyTextLines")]
    pub async fn copy_text_lines(&self, source: impl AsyncRead) -> Result<u64, Error> {
        self.copy_text_lines_with(source, default_budget()).await
    }

    /// Sends each line of a source as a text message, within a budget of its own or shared with other copies.
    ///
    /// Otherwise the same as [`copy_text_lines`](Self::copy_text_lines).
    ///
    /// ```
    /// # use tower_websocket::{Budget, ErrorKind, Upgrader, testing};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let (client, ws) = testing::pair(Upgrader::new());
    /// let budget = Budget::new(1024 * 1024);
    /// let endless = tokio::io::repeat(b'x');
    /// let error = ws.copy_text_lines_with(endless, &budget).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::BudgetExceeded);
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`copy_text_lines`](Self::copy_text_lines).
    ///
    /// # Cancel safety
    ///
    /// As for [`copy_text_lines`](Self::copy_text_lines).
    pub async fn copy_text_lines_with(&self, source: impl AsyncRead, budget: &Budget) -> Result<u64, Error> {
        copy(self, source, budget, LineSplitter).await
    }
}
