//! What the copies have in common: bytes in, one text message per piece out.

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

/// How a stream of bytes falls into pieces.
pub(super) trait Pieces {
    /// Looks at bytes that it has not seen, each once, and finds the first end in them of what it has begun.
    fn cut(&mut self, new: &[u8]) -> Option<Cut>;

    /// What is sent of a piece.
    fn content(piece: &[u8]) -> &[u8] {
        piece
    }

    /// Whether it may be sent.
    fn check(_: &str) -> Result<(), BoxError> {
        Ok(())
    }
}

/// An end. The next look begins there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cut {
    /// So many bytes lie between pieces.
    #[cfg_attr(not(feature = "json"), expect(dead_code, reason = "lines follow each other at once"))]
    Gap(usize),
    /// So many bytes are the last of a piece.
    Piece(usize),
}

/// The budget of all copies in the process that are given no other.
pub(super) fn default_budget() -> &'static Budget {
    static COPIES: OnceLock<Budget> = OnceLock::new();
    COPIES.get_or_init(|| Budget::new(64 * 1024 * 1024))
}

/// Sends the pieces of `source`, and returns how many there were.
pub(super) async fn copy<P: Pieces>(
    ws: &Manager,
    source: impl AsyncRead,
    budget: &Budget,
    mut pieces: P,
) -> Result<u64, Error> {
    let mut source = pin!(source);
    let mut unsent = Unsent::new(budget);
    let mut sent = 0;
    loop {
        while let Some(text) = unsent.next(&mut pieces)? {
            ws.send(text).await?;
            sent += 1;
        }
        let read = tokio::select! {
            biased;
            read = unsent.fill(source.as_mut()) => read?,
            // A source may be silent for long after the peer has left.
            end = ws.done() => return Err(end.map_or_else(|error| error, Error::ended_by)),
        };
        if read == 0 {
            break;
        }
        // A source in memory is always ready, and pieces may be few.
        consume_budget().await;
    }
    if let Some(text) = unsent.last::<P>()? {
        ws.send(text).await?;
        sent += 1;
    }
    Ok(sent)
}

/// Bytes that were read and not yet sent. They begin where a piece does.
struct Unsent {
    bytes: BytesMut,
    seen: usize,
    /// How much is read at a time.
    room: usize,
    charge: Charge,
}

impl Unsent {
    fn new(budget: &Budget) -> Self {
        Self { bytes: BytesMut::new(), seen: 0, room: LEAST_ROOM, charge: budget.charge() }
    }

    /// The next whole piece. The one before it is sent by now.
    fn next<P: Pieces>(&mut self, pieces: &mut P) -> Result<Option<Text>, Error> {
        if self.bytes.len() <= LARGE {
            self.charge.release();
        }
        while let Some(cut) = pieces.cut(&self.bytes[self.seen..]) {
            match cut {
                Cut::Gap(len) => self.bytes.advance(self.seen + len),
                Cut::Piece(len) => return self.take::<P>(self.seen + len).map(Some),
            }
            self.seen = 0;
        }
        self.seen = self.bytes.len();
        self.admit(self.seen)?;
        Ok(None)
    }

    /// What is left when the source has ended.
    fn last<P: Pieces>(&mut self) -> Result<Option<Text>, Error> {
        if self.bytes.is_empty() { Ok(None) } else { self.take::<P>(self.bytes.len()).map(Some) }
    }

    fn take<P: Pieces>(&mut self, len: usize) -> Result<Text, Error> {
        self.admit(len)?;
        self.seen = 0;
        let text = if len <= LARGE {
            let text = simdutf8::basic::from_utf8(P::content(&self.bytes[..len])).ok().map(Text::copied);
            self.bytes.advance(len);
            text
        } else {
            // The piece keeps the buffer, so that its memory is freed when it is sent.
            let rest = BytesMut::from(&self.bytes[len..]);
            let mut piece = std::mem::replace(&mut self.bytes, rest);
            piece.truncate(P::content(&piece[..len]).len());
            Text::from_utf8(piece.freeze())
        };
        let text = text.ok_or_else(|| Error::with_source(ErrorKind::Decode, NotUtf8))?;
        P::check(&text).map_err(|error| Error::with_source(ErrorKind::Decode, error))?;
        Ok(text)
    }

    /// One read. 0 at the end of the source.
    async fn fill(&mut self, mut source: Pin<&mut impl AsyncRead>) -> Result<usize, Error> {
        if self.bytes.is_empty() && self.bytes.capacity() > 2 * self.room {
            // A burst is over: the next read may be long in coming.
            self.bytes = BytesMut::new();
        }
        self.bytes.reserve(self.room);
        let read = source.read_buf(&mut (&mut self.bytes).limit(self.room)).await;
        let read = read.map_err(|error| Error::with_source(ErrorKind::Source, error))?;
        self.room = (2 * read).clamp(LEAST_ROOM, LARGE);
        Ok(read)
    }

    /// Charges a piece, or what there is of it. Small ones are not counted.
    fn admit(&mut self, len: usize) -> Result<(), Error> {
        if len <= LARGE || self.charge.raise(len) { Ok(()) } else { Err(Error::new(ErrorKind::BudgetExceeded)) }
    }
}

/// A piece beyond this is counted against the budget, and is not copied.
const LARGE: usize = 64 * 1024;
/// What is read at a time from a source that has little to say.
const LEAST_ROOM: usize = 8 * 1024;
