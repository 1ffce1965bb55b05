//! Errors of attempts that got no response: the same failure has the same error, whenever it happens.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use h2::Reason;

use super::observed::Failure;
use crate::error::{Error, ErrorKind};

/// The error if the transport or TLS has failed.
pub(super) fn no_transport(error: io::Error) -> Error {
    let error = if is_end(error.kind()) { closed("server") } else { error };
    Error::with_source(ErrorKind::Connect, error)
}

/// As [`no_transport`], for a connection to a proxy, which the error then names.
#[cfg(feature = "proxy")]
pub(super) fn proxy_failed(error: io::Error) -> io::Error {
    if is_end(error.kind()) {
        return closed("proxy");
    }
    io::Error::new(error.kind(), format!("the connection to the proxy failed: {error}"))
}

/// The server has reset the stream instead of answering.
#[derive(Debug)]
struct StreamReset(Reason);

impl fmt::Display for StreamReset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server reset the stream: {}", self.0.description())
    }
}

impl StdError for StreamReset {}

/// Whether the server says that it has not processed the request, which may be sent again (RFC 9113 §8.7).
pub(super) fn is_unprocessed(error: &Error) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref());
    matches!(source, Some(StreamReset(Reason::REFUSED_STREAM)))
}

/// Why the request got no response, from hyper's error and the failure of the transport.
pub(super) fn no_answer(error: hyper::Error, failure: &Failure) -> Error {
    // Data that cannot be parsed is an invalid response, such as that of a server without HTTP/2.
    if error.is_parse() || http2_error(&error).is_some_and(is_no_http2) {
        return Error::with_source(ErrorKind::Handshake, error);
    }
    if let Some(failure) = failure.take() {
        return no_transport(failure);
    }
    match http2_error(&error) {
        Some(http2) if http2.is_reset() && http2.is_remote() => {
            let reason = http2.reason().unwrap_or(Reason::NO_ERROR);
            Error::with_source(ErrorKind::Handshake, StreamReset(reason))
        }
        // hyper refuses the response.
        Some(http2) if !http2.is_remote() && !http2.is_library() && http2.reason() == Some(Reason::INTERNAL_ERROR) => {
            Error::with_source(ErrorKind::Handshake, "the server's answer has a Content-Length, which ends the stream")
        }
        Some(http2) if http2.is_io() || http2.reason() == Some(Reason::NO_ERROR) => closed_early(failure),
        None if is_gone(&error) || error.is_incomplete_message() => closed_early(failure),
        _ => Error::with_source(ErrorKind::Connect, error),
    }
}

/// The error if the connection has ended, and hyper has returned no error.
pub(super) fn closed_early(failure: &Failure) -> Error {
    no_transport(failure.take().unwrap_or_else(|| closed("server")))
}

/// The error if the connection has ended before the server's settings, and hyper has returned no error.
///
/// That happens if h2 has ended the connection because of invalid data, and hyper sees the end before the reason.
pub(super) fn ended_before_settings(failure: &Failure) -> Error {
    match failure.take_or_end() {
        Some(failure) => no_transport(failure),
        None => Error::with_source(ErrorKind::Handshake, "the server's answer is not HTTP/2"),
    }
}

/// Whether the server wants this request over HTTP/1.1 (RFC 9113 §7).
pub(super) fn demands_http1(error: &hyper::Error) -> bool {
    http2_error(error).is_some_and(|error| error.is_remote() && error.reason() == Some(Reason::HTTP_1_1_REQUIRED))
}

/// Whether h2 has ended the connection because of data that is not valid HTTP/2.
fn is_no_http2(error: &h2::Error) -> bool {
    error.is_library() && error.is_go_away() && error.reason() != Some(Reason::NO_ERROR)
}

/// Whether the error only says that the connection had ended. An I/O error here is one that hyper or h2 make for the end: those
/// of the transport are in [`Failure`].
pub(super) fn is_gone(error: &hyper::Error) -> bool {
    error.is_canceled() || error.is_closed() || error.source().is_some_and(|source| source.is::<io::Error>())
}

fn http2_error(error: &hyper::Error) -> Option<&h2::Error> {
    error.source()?.downcast_ref()
}

/// Whether the error means that the peer has closed the connection. Which kind it is depends on timing: a server that closes a
/// connection with unread data resets it.
fn is_end(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof)
}

fn closed(by: &str) -> io::Error {
    let reason = format!("the {by} closed or reset the connection without an answer");
    io::Error::new(io::ErrorKind::ConnectionReset, reason)
}
