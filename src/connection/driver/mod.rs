//! The task of a connection: it drives the transport and polls the handler. Nothing else uses the transport.

#[expect(clippy::module_inception, reason = "the type that the folder is named after")]
mod driver;
mod handler;
mod read;
mod timer;
mod write;

pub(super) use self::driver::Driver;
pub(super) use self::handler::Handler;
