//! Metrics of all connections of a process, for Prometheus, OpenTelemetry and other collectors. Feature `metrics`.
//!
//! They are recorded with the [`metrics`](https://docs.rs/metrics) facade, so that the application chooses the collector.
//! Without a recorder nothing is recorded. Install the recorder before the first connection is opened, as each thread looks
//! up the recorder's counters once.
//!
//! Names, units and labels follow OpenTelemetry's semantic conventions: the parts of a name are joined by dots, the unit is
//! not part of the name, and labels have OpenTelemetry's names. Prometheus has other rules: `metrics-exporter-prometheus`
//! with `with_recommended_naming(true)` makes the names in the second column.
//!
//! | name | Prometheus | type, unit | labels | meaning |
//! | --- | --- | --- | --- | --- |
//! | `websocket.active_connections` | `websocket_active_connections` | gauge | `websocket.role` | connections that are open |
//! | `websocket.opened_connections` | `websocket_opened_connections_total` | counter | `websocket.role` | connections that were opened |
//! | `websocket.closed_connections` | `websocket_closed_connections_total` | counter | `websocket.role`, `websocket.close.code` or `error.type` | connections that have ended, with their handlers: by the code of the close frame that ended them, or by the error |
//! | `websocket.rejected_connections` | `websocket_rejected_connections_total` | counter | `error.type` | opening handshakes that were refused |
//! | `websocket.messages` | `websocket_messages_total` | counter | `websocket.role`, `network.io.direction` | data messages |
//! | `websocket.payload.io` | `websocket_payload_io_bytes_total` | counter, bytes | `websocket.role`, `network.io.direction` | the payload of data messages, before compression |
//! | `websocket.network.io` | `websocket_network_io_bytes_total` | counter, bytes | `websocket.role`, `network.io.direction` | what the transport has carried: frames, after compression, without the overhead of TLS and HTTP/2 |
//! | `websocket.queue.size` | `websocket_queue_size_bytes` | gauge, bytes | `websocket.role`, `network.io.direction` | what waits to be written, and what waits to be received by handlers |
//! | `websocket.round_trip.duration` | `websocket_round_trip_duration_seconds` | histogram, seconds | `websocket.role` | from a ping to its pong |
//! | `websocket.handler.duration` | `websocket_handler_duration_seconds` | histogram, seconds | none | how long a handler has run, however it ended |
//! | `websocket.hub.publications` | `websocket_hub_publications_total` | counter | none | messages that were published to topics |
//! | `websocket.hub.deliveries` | `websocket_hub_deliveries_total` | counter | none | publications that were delivered to members, counted for each member |
//! | `websocket.hub.drops` | `websocket_hub_drops_total` | counter | none | publications that waited for slow members and were dropped |
//! | `websocket.hub.gaps` | `websocket_hub_gaps_total` | counter | none | how often a broker, or the way from it, has lost publications |
//! | `websocket.hub.members` | `websocket_hub_members` | gauge | none | memberships of topics |
//! | `websocket.hub.queue.length` | `websocket_hub_queue_length` | gauge | none | publications that wait for slow members |
//! | `websocket.budget.usage` | `websocket_budget_usage_bytes` | gauge, bytes | none | what is charged to [`Budget::process`](crate::Budget::process) |
//!
//! | label | in Prometheus | values |
//! | --- | --- | --- |
//! | `websocket.role` | `websocket_role` | `server`, `client` |
//! | `network.io.direction` | `network_io_direction` | `receive`, `transmit` |
//! | `websocket.close.code` | `websocket_close_code` | a code of RFC 6455 §7.4.1 such as `1000`; `3xxx` and `4xxx`, which peers may choose as they like; `other` |
//! | `error.type` | `error_type` | of an ended connection, its [`ErrorKind`](crate::ErrorKind), such as `keepalive_timeout`; of a refused handshake, its [`RejectionKind`](crate::RejectionKind), such as `origin` |
//!
//! # How exact, and at what cost
//!
//! Connections, errors and durations are recorded at once. Messages and bytes are counted by each connection and added to
//! the metrics at most once a second, when the connection becomes idle, and at its end. So a message costs nothing more,
//! and the last messages before a pause may be recorded with the next ping or message, or at the end.
//!
//! ```
//! use metrics_exporter_prometheus::PrometheusBuilder;
//!
//! let recorder = PrometheusBuilder::new().with_recommended_naming(true).build_recorder();
//! let handle = recorder.handle();
//! metrics::set_global_recorder(recorder)?;
//! // .. serve, and answer `GET /metrics` with this:
//! let text = handle.render();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod connection;
mod handles;
pub(crate) mod hub;
mod labels;
mod names;
mod timer;

pub(crate) use self::connection::ConnectionMetrics;
pub(crate) use self::handles::{budget_changed, rejected};
pub(crate) use self::timer::HandlerTimer;
