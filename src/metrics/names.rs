//! The names of the metrics and of their labels, and what they mean.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

pub(super) const ACTIVE_CONNECTIONS: &str = "websocket.active_connections";
pub(super) const BUDGET_USAGE: &str = "websocket.budget.usage";
pub(super) const CLOSED_CONNECTIONS: &str = "websocket.closed_connections";
pub(super) const HANDLER_DURATION: &str = "websocket.handler.duration";
pub(super) const HUB_DELIVERIES: &str = "websocket.hub.deliveries";
pub(super) const HUB_DROPS: &str = "websocket.hub.drops";
pub(super) const HUB_GAPS: &str = "websocket.hub.gaps";
pub(super) const HUB_MEMBERS: &str = "websocket.hub.members";
pub(super) const HUB_PUBLICATIONS: &str = "websocket.hub.publications";
pub(super) const HUB_QUEUE_LENGTH: &str = "websocket.hub.queue.length";
pub(super) const MESSAGES: &str = "websocket.messages";
pub(super) const NETWORK_IO: &str = "websocket.network.io";
pub(super) const OPENED_CONNECTIONS: &str = "websocket.opened_connections";
pub(super) const PAYLOAD_IO: &str = "websocket.payload.io";
pub(super) const QUEUE_SIZE: &str = "websocket.queue.size";
pub(super) const REJECTED_CONNECTIONS: &str = "websocket.rejected_connections";
pub(super) const ROUND_TRIP_DURATION: &str = "websocket.round_trip.duration";

pub(super) const CLOSE_CODE: &str = "websocket.close.code";
pub(super) const DIRECTION: &str = "network.io.direction";
pub(super) const ERROR_TYPE: &str = "error.type";
pub(super) const ROLE: &str = "websocket.role";

/// Registers the units and descriptions with the recorder.
pub(super) fn describe() {
    describe_gauge!(ACTIVE_CONNECTIONS, Unit::Count, "WebSocket connections that are open");
    describe_gauge!(BUDGET_USAGE, Unit::Bytes, "Memory charged to the budget of the process");
    describe_counter!(CLOSED_CONNECTIONS, Unit::Count, "WebSocket connections that have ended");
    describe_histogram!(HANDLER_DURATION, Unit::Seconds, "How long handlers of WebSocket connections have run");
    describe_counter!(HUB_DELIVERIES, Unit::Count, "Publications handed to members of topics");
    describe_counter!(HUB_DROPS, Unit::Count, "Publications dropped as members of topics were slow");
    describe_counter!(HUB_GAPS, Unit::Count, "How often publications of topics were lost");
    describe_gauge!(HUB_MEMBERS, Unit::Count, "Memberships of topics");
    describe_counter!(HUB_PUBLICATIONS, Unit::Count, "Messages published to topics");
    describe_gauge!(HUB_QUEUE_LENGTH, Unit::Count, "Publications that wait for slow members of topics");
    describe_counter!(MESSAGES, Unit::Count, "WebSocket messages");
    describe_counter!(NETWORK_IO, Unit::Bytes, "Bytes of WebSocket frames");
    describe_counter!(OPENED_CONNECTIONS, Unit::Count, "WebSocket connections that were opened");
    describe_counter!(PAYLOAD_IO, Unit::Bytes, "Bytes of WebSocket messages");
    describe_gauge!(QUEUE_SIZE, Unit::Bytes, "Bytes that wait to be written, or to be received by handlers");
    describe_counter!(REJECTED_CONNECTIONS, Unit::Count, "WebSocket opening handshakes that were refused");
    describe_histogram!(ROUND_TRIP_DURATION, Unit::Seconds, "Time from a WebSocket ping to its pong");
}
