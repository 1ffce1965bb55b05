//! WebSockets over HTTP/2 (RFC 8441).

mod closing;
mod handshake;
mod peer;
mod resets;
mod windows;
