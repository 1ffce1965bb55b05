//! Byte streams over messages, and messages out of byte streams.

#![expect(clippy::unwrap_used, reason = "clippy knows tests, not their helpers")]

mod copy;
mod copy_budget;
mod reader;
mod tokio_copy;
mod writer;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use tower_websocket::{Error, ErrorKind, Manager, Message, Upgrader, testing};

/// A source that gives a few bytes at a time, then what it is told to.
struct Drip<'a> {
    bytes: &'a [u8],
    step: usize,
    end: fn() -> io::Result<()>,
}

fn drip(bytes: &[u8], step: usize) -> Drip<'_> {
    Drip { bytes, step, end: || Ok(()) }
}

impl AsyncRead for Drip<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.bytes.is_empty() {
            return Poll::Ready((self.end)());
        }
        let (step, rest) = self.bytes.split_at(self.step.min(buf.remaining()).min(self.bytes.len()));
        buf.put_slice(step);
        self.bytes = rest;
        Poll::Ready(Ok(()))
    }
}

/// All messages until the connection is closed.
async fn collect(ws: Manager) -> Vec<Message> {
    let mut messages = Vec::new();
    while let Some(message) = ws.recv().await.unwrap() {
        messages.push(message);
    }
    messages
}

/// What a copy returned, and the texts that arrived.
async fn copied(copy: impl AsyncFnOnce(&Manager) -> Result<u64, Error>) -> (Result<u64, ErrorKind>, Vec<String>) {
    let (client, server) = testing::pair(Upgrader::new());
    let received = tokio::spawn(collect(client));
    let result = copy(&server).await.map_err(|error| error.kind());
    // Whatever came of it, the connection stays usable.
    server.close().await.unwrap();
    let texts = received.await.unwrap().iter().map(|message| message.as_text().unwrap().to_owned()).collect();
    (result, texts)
}

fn inner(error: &io::Error) -> ErrorKind {
    error.get_ref().unwrap().downcast_ref::<Error>().unwrap().kind()
}
