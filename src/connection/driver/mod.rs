//! The one task of a connection: it drives the transport and polls the handler, and only it touches the transport.

#[expect(clippy::module_inception, reason = "the type has a file of its own, its work one for each kind")]
mod driver;
mod handler;
mod read;
mod timer;
mod write;

pub(super) use self::driver::Driver;
pub(super) use self::handler::Handler;
