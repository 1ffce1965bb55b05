//! Echo servers, each as the users of its library would write it well. All run on one thread and accept in the same way.

mod axum;
mod fastwebsockets;
mod ours;
mod serve;
mod sockudo;
mod tcp;
mod tokio_websockets;
mod tungstenite;
mod wtx;
mod yawc;

pub use serve::{Options, serve};
