//! The tower layer, its services, and how they answer a handshake.

mod body;
mod endpoint;
mod future;
#[expect(clippy::module_inception, reason = "the type that the folder is named after, as in tower-http")]
mod layer;
mod path;
#[cfg(feature = "json")]
mod periodic;
mod service;

pub use self::body::{EmptyBody, ResponseBody};
pub use self::future::ResponseFuture;
pub use self::layer::WebSocketLayer;
pub use self::service::{NotWebSocket, WebSocketService};
