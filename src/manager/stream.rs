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

    /// The last item is the end, or one error: unlike [`Manager::recv`], a stream does not repeat it, and neither does that
    /// of a clone that is made afterwards. A clone that was made before tells the error once too.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.polled().1.stream_over {
            return Poll::Ready(None);
        }
        let item = ready!(self.poll_recv(cx)).transpose();
        self.polled().1.stream_over = !matches!(item, Some(Ok(_)));
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
        // What others send meanwhile is not waited for.
        let (connection, polled) = self.polled();
        let offset = *polled.flushing.get_or_insert_with(|| connection.bytes_queued());
        let written = ready!(self.poll_written(offset, cx));
        self.polled().1.flushing = None;
        Poll::Ready(written)
    }

    /// Closes the connection with 1000, for all handles: what is still to come from the peer is discarded, and every other
    /// handle sees the end. To end only this handle's part, drop it; to have all written, flush.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let (connection, polled) = self.polled();
        connection.close(CloseFrame::new(CloseCode::NORMAL, ""));
        connection.poll_ended(&mut polled.closing, cx).map_ok(drop)
    }
}
