//! A scripted peer: frames are made and read by hand, over a connection that hyper has upgraded.

mod deflate;
mod http2;
mod lines;
mod peer;
mod server;
mod tap;

pub(crate) use deflate::{Deflate, Inflate, deflate, inflate};
pub(crate) use lines::Lines;
pub(crate) use peer::{DEFLATE, Peer, status};
pub(crate) use server::{handler, open, open_over, open_with, serve, serve_over};
pub(crate) use tap::{Tap, tap};

pub(crate) use crate::shared::{
    ACCEPT, Frame, KEY, binary, close, continuation, echo, millis, ping, pong, quiet, request, secs, text,
};

use tower_websocket::{CloseCode, CloseFrame, Error, ErrorKind};

/// More than any buffer or window between server and peer holds, and less than a message may have.
pub(crate) const BIG: usize = 1024 * 1024;

/// A code of any number.
pub(crate) fn code(number: u16) -> CloseCode {
    CloseCode::new(number).unwrap()
}

/// The code and the reason of a close frame.
pub(crate) fn said(end: Result<CloseFrame, Error>) -> (u16, String) {
    let frame = end.unwrap();
    (frame.code().get(), frame.reason().to_owned())
}

/// The kind of the error that this is.
pub(crate) fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> ErrorKind {
    result.unwrap_err().kind()
}
