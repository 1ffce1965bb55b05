//! The next item of a stream, without `futures-util`.

use std::future::poll_fn;
use std::pin::Pin;

use futures_core::Stream;

/// Cancel-safe.
pub(in crate::hub::backplane) async fn next<S: Stream>(mut stream: Pin<&mut S>) -> Option<S::Item> {
    poll_fn(|cx| stream.as_mut().poll_next(cx)).await
}
