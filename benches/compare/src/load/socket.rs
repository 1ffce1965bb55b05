use std::{
    cell::RefCell,
    future::poll_fn,
    ops::Range,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use anyhow::{Result, ensure};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    conversation::{Conversation, Phase},
    handshake::Transport,
};

/// A conversation on a connection of its own. All of them read into the same memory.
#[derive(Debug)]
pub struct Socket {
    stream: Transport,
    pub conversation: Conversation,
    outgoing: Range<usize>,
    owed: usize,
    memory: Rc<RefCell<Vec<u8>>>,
}

impl Socket {
    pub fn new(stream: Transport, conversation: Conversation, memory: Rc<RefCell<Vec<u8>>>) -> Self {
        Self { stream, conversation, outgoing: 0..0, owed: 0, memory }
    }

    pub async fn run(&mut self, phase: &Phase) -> Result<()> {
        self.owed = self.conversation.script.in_flight;
        poll_fn(|cx| self.poll_run(cx, phase)).await
    }

    /// Reads while it writes: with a large message, a server that echoes as it goes would otherwise wait for us for ever.
    fn poll_run(&mut self, cx: &mut Context<'_>, phase: &Phase) -> Poll<Result<()>> {
        loop {
            self.poll_write(cx)?;
            if self.conversation.is_quiet() {
                return Poll::Ready(Ok(()));
            }
            let mut memory = self.memory.borrow_mut();
            let mut buffer = ReadBuf::new(&mut memory);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            ensure_open(buffer.filled())?;
            self.owed += self.conversation.hear(buffer.filled(), phase)?;
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<()> {
        loop {
            if self.outgoing.is_empty() {
                if self.owed == 0 {
                    // TLS may have more in a buffer of its own; it is passed on while we read, too.
                    let _ = Pin::new(&mut self.stream).poll_flush(cx)?;
                    return Ok(());
                }
                self.outgoing = self.conversation.say(std::mem::take(&mut self.owed));
            }
            let bytes = &self.conversation.script.frames[self.outgoing.clone()];
            match Pin::new(&mut self.stream).poll_write(cx, bytes)? {
                Poll::Ready(written) => self.outgoing.start += written,
                Poll::Pending => return Ok(()),
            }
        }
    }
}

fn ensure_open(bytes: &[u8]) -> Result<()> {
    ensure!(!bytes.is_empty(), "the server closed the connection");
    Ok(())
}
