//! One connection: bytes from the transport become messages here, and messages become bytes.
//!
//! `task` joins the parts, `running` adds the handler. `socket` is the only file that names tungstenite; `keepalive`,
//! `closing`, `deadlines` and `pings` are state machines that know no clock and no socket.
//!
//! Functions that every message passes are marked `#[inline]`: without link-time optimisation they would be calls from the
//! user's crate, where the handler's type puts the task (`benches/echo.rs`, a fifteenth of the instructions of a burst).

mod assembler;
mod close_frame;
mod closing;
mod deadlines;
mod fault;
mod frame;
mod frame_rules;
mod input;
mod keepalive;
mod lending;
mod outgoing;
mod pings;
mod running;
mod scratch;
mod shared;
mod signals;
mod socket;
mod start;
mod state;
mod task;
mod transport;
mod wakers;
mod window;
mod wire;

pub use keepalive::Keepalive;
pub(crate) use running::{GivenUp, Running};
pub(crate) use shared::Shared;
pub(crate) use start::{Terms, prepare, spawn};
pub(crate) use transport::Transport;
