//! The common part of `copy_text_lines` and `copy_json_stream`: bytes in, one text message for each piece out.

use std::pin::{Pin, pin};
use std::sync::OnceLock;

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::coop::consume_budget;

use super::utf8::NotUtf8;
use crate::budget::{Budget, Charge};
use crate::error::{BoxError, Error, ErrorKind};
use crate::manager::Manager;
use crate::text::Text;

/// Splits a stream of bytes into pieces.
pub(super) trait Splitter {
    /// Scans bytes that follow those of the last call, and returns the first cut in them. After a cut, the next call begins there.
    fn cut(&mut self, new: &[u8]) -> Option<Cut>;

    /// The part of a piece that is sent.
    fn content(piece: &[u8]) -> &[u8] {
        piece
    }

    /// Checks that a piece may be sent.
    fn check(_: &str) -> Result<(), BoxError> {
        Ok(())
    }
}

/// Where a piece or a gap ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cut {
    /// This number of bytes ends a gap between pieces.
    #[cfg_attr(not(feature = "json"), expect(dead_code, reason = "there are no gaps between lines"))]
    Gap(usize),
    /// This number of bytes ends a piece.
    Piece(usize),
}

/// The default budget, which all copies in the process share.
pub(super) fn default_budget() -> &'static Budget {
    static COPIES: OnceLock<Budget> = OnceLock::new();
    COPIES.get_or_init(|| Budget::new(64 * 1024 * 1024))
}

/// Sends the pieces of `source`, and returns how many there were.
pub(super) async fn copy<S: Splitter>(
    ws: &Manager,
    source: impl AsyncRead,
    budget: &Budget,
    mut splitter: S,
) -> Result<u64, Error> {
    let mut source = pin!(source);
    let mut unsent = Unsent::new(budget);
    let mut sent = 0;
    loop {
        while let Some(text) = unsent.next(&mut splitter)? {
            ws.send(text).await?;
            sent += 1;
        }
        let read = tokio::select! {
            biased;
            read = unsent.fill(source.as_mut()) => read?,
            // The source may be silent for a long time after the connection has ended.
            end = ws.done() => return Err(end.map_or_else(|error| error, Error::ended_by)),
        };
        if read == 0 {
            break;
        }
        // Yield sometimes: a source in memory is always ready, and without a whole piece nothing is sent.
        consume_budget().await;
    }
    if let Some(text) = unsent.last::<S>()? {
        ws.send(text).await?;
        sent += 1;
    }
    Ok(sent)
}

/// Bytes that were read and not yet sent. They begin with a piece or a gap.
struct Unsent {
    bytes: BytesMut,
    /// How many of the bytes were scanned.
    scanned: usize,
    /// How many bytes are read at once.
    read_size: usize,
    charge: Charge,
}

impl Unsent {
    fn new(budget: &Budget) -> Self {
        Self { bytes: BytesMut::new(), scanned: 0, read_size: MIN_READ, charge: budget.charge() }
    }

    /// Returns the next whole piece, if there is one. The piece before has been sent.
    fn next<S: Splitter>(&mut self, splitter: &mut S) -> Result<Option<Text>, Error> {
        if self.bytes.len() <= LARGE {
            self.charge.release();
        }
        while let Some(cut) = splitter.cut(&self.bytes[self.scanned..]) {
            match cut {
                Cut::Gap(len) => self.bytes.advance(self.scanned + len),
                Cut::Piece(len) => return self.take::<S>(self.scanned + len).map(Some),
            }
            self.scanned = 0;
        }
        self.scanned = self.bytes.len();
        self.charge(self.scanned)?;
        Ok(None)
    }

    /// Returns what is left when the source has ended.
    fn last<S: Splitter>(&mut self) -> Result<Option<Text>, Error> {
        if self.bytes.is_empty() { Ok(None) } else { self.take::<S>(self.bytes.len()).map(Some) }
    }

    /// Removes a piece of this length, and checks it.
    fn take<S: Splitter>(&mut self, len: usize) -> Result<Text, Error> {
        self.charge(len)?;
        self.scanned = 0;
        let text = if len <= LARGE {
            let text = simdutf8::basic::from_utf8(S::content(&self.bytes[..len])).ok().map(Text::copied);
            self.bytes.advance(len);
            text
        } else {
            // A large piece takes over the buffer, so that its memory is freed when it is sent.
            let rest = BytesMut::from(&self.bytes[len..]);
            let mut piece = std::mem::replace(&mut self.bytes, rest);
            piece.truncate(S::content(&piece[..len]).len());
            Text::from_utf8(piece.freeze())
        };
        let text = text.ok_or_else(|| Error::with_source(ErrorKind::Decode, NotUtf8))?;
        S::check(&text).map_err(|error| Error::with_source(ErrorKind::Decode, error))?;
        Ok(text)
    }

    /// Reads once. Returns 0 at the end of the source.
    async fn fill(&mut self, mut source: Pin<&mut impl AsyncRead>) -> Result<usize, Error> {
        if self.bytes.is_empty() && self.bytes.capacity() > 2 * self.read_size {
            // Free the memory of a burst: the source may be silent for a long time.
            self.bytes = BytesMut::new();
        }
        self.bytes.reserve(self.read_size);
        let read = source.read_buf(&mut (&mut self.bytes).limit(self.read_size)).await;
        let read = read.map_err(|error| Error::with_source(ErrorKind::Source, error))?;
        self.read_size = (2 * read).clamp(MIN_READ, LARGE);
        Ok(read)
    }

    /// Charges a piece, or the part of it that was read, if it is large.
    fn charge(&mut self, len: usize) -> Result<(), Error> {
        if len <= LARGE || self.charge.raise(len) { Ok(()) } else { Err(Error::new(ErrorKind::BudgetExceeded)) }
    }
}

/// A longer piece is charged to the budget, and not copied.
const LARGE: usize = 64 * 1024;
/// How many bytes are read at once from a source with little data.
const MIN_READ: usize = 8 * 1024;
