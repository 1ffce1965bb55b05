//! What several test targets and the benches share.

#![allow(dead_code, unused_imports, reason = "no target needs all of it")]
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod duration;
mod echo;
mod frame;
mod h2_client;
mod h2_stream;
mod handed_over;
mod http_server;
mod peer;
mod request;
mod settings;
mod skipped;
mod tls;

pub(crate) use duration::{millis, secs};
pub(crate) use echo::echo;
pub(crate) use frame::{Frame, binary, close, continuation, masked, ping, pong, text};
pub(crate) use h2_client::{handshake, websocket_request};
pub(crate) use h2_stream::join;
pub(crate) use handed_over::handed_over;
pub(crate) use http_server::{REQUEST_TIME, http_server, http_server_with_windows, serve_connection};
pub(crate) use peer::Peer;
pub(crate) use request::{ACCEPT, KEY, request};
pub(crate) use settings::quiet;
pub(crate) use skipped::skipped;
pub(crate) use tls::certified;
