//! The settings that most tests use.

use tower_websocket::{Keepalive, Upgrader};

/// Settings for a peer that answers no pings.
pub(crate) fn quiet() -> Upgrader {
    Upgrader::new().keepalive(Keepalive::disabled())
}
