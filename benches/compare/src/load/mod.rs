//! The load client. Frames are masked, compressed and laid out before anything is measured; replies are compared byte by
//! byte while warming up, and afterwards by their headers and number.

mod conversation;
mod fan_out;
mod frame;
mod handshake;
mod http2;
mod idle;
mod meter;
mod replies;
mod run;
mod script;
mod socket;

pub use run::{Options, run};
