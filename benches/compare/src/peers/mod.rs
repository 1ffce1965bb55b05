//! Echo servers, each as the users of its library would write it well. All run on one thread and accept in the same way.

mod axum;
mod fastwebsockets;
mod serve;
mod tcp;
mod tokio_websockets;
mod tungstenite;
mod yawc;

pub use serve::{Options, serve};
