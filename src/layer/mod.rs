//! The tower side: a layer, the services that it makes, and how they answer a handshake.

mod body;
mod endpoint;
mod future;
#[expect(clippy::module_inception, reason = "the layer has a file of its own, as in tower-http")]
mod layer;
mod path;
#[cfg(feature = "json")]
mod periodic;
mod service;

pub use self::body::{EmptyBody, ResponseBody};
pub use self::future::ResponseFuture;
pub use self::layer::WebSocketLayer;
pub use self::service::{NotWebSocket, WebSocketService};
