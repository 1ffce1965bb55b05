//! Guides: one for each task. Their programs are tested.
//!
//! | you want to | read |
//! | --- | --- |
//! | find out why a connection was refused, closed or lost | [`incident`] |
//! | move from axum's `ws`, tokio-tungstenite, socketioxide or Go | [`migration`] |
//! | use axum's state, extractors and authentication | [`with_axum`] |
//! | send one message to many connections | [`rooms`] |
//! | use the same topics on several servers, with Redis or NATS | [`brokers`] |
//! | design a protocol of JSON messages | [`json`] |
//! | write a client that reconnects | [`reconnecting`] |
//! | set up hyper, TCP, HTTP/2 and the limits before the handshake | [`server`] |
//! | run behind nginx, HAProxy, Envoy or Cloudflare | [`proxies`] |
//! | deploy and restart without losing clients | [`deploying`] |
//! | look up the defaults and what they defend against | [`security`] |
//! | look up what costs memory and CPU time | [`performance`] |
//! | test handlers and routers without a socket | [`testing`] |
//! | send streams of bytes, files, lines or changing values | [`streams`] |
//! | serve `graphql-transport-ws` | [`graphql`] |

pub mod brokers;
pub mod deploying;
pub mod graphql;
pub mod incident;
pub mod json;
pub mod migration;
pub mod performance;
pub mod proxies;
pub mod reconnecting;
pub mod rooms;
pub mod security;
pub mod server;
pub mod streams;
pub mod testing;
pub mod with_axum;
