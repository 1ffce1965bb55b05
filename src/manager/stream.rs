//! A handle as a stream of messages and a sink for them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_sink::Sink;

use super::handle::Manager;
use crate::close::{CloseCode, CloseFrame};
use crate::error::Error;
use crate::message::Message;

impl Stream for Manager {
    type Item = Result<Message, Error>;

    /// Unlike [`Manager::recv`], a stream returns an error once and then ends. So does the stream of a clone, unless the clone
    /// was made after the end: then it has ended, too.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.polled().1.stream_ended {
            return Poll::Ready(None);
        }
        let item = ready!(self.poll_recv(cx)).transpose();
        self.polled().1.stream_ended = !matches!(item, Some(Ok(_)));
        Poll::Ready(item)
    }
}

impl Sink<Message> for Manager {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_capacity(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        Self::start_send(&mut self, message).map(drop)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // What is sent after the first poll is not waited for.
        let (connection, polled) = self.polled();
        let offset = *polled.flushing.get_or_insert_with(|| connection.bytes_queued());
        let written = ready!(self.poll_written(offset, cx));
        self.polled().1.flushing = None;
        Poll::Ready(written)
    }

    /// Closes the connection with 1000, for all handles: messages that still arrive are discarded. To give up only this handle,
    /// drop it; to wait until everything is written, flush.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let (connection, polled) = self.polled();
        connection.close(CloseFrame::new(CloseCode::NORMAL, ""));
        connection.poll_ended(&mut polled.closing, cx).map_ok(drop)
    }
}
