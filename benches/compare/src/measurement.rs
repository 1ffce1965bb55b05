use serde::{Deserialize, Serialize};

/// What one load run found out; the load client prints it and the comparison reads it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Measurement {
    /// The figure that is compared: server CPU in µs per message or handshake, or resident KiB per connection.
    pub value: f64,
    /// Messages or handshakes per second of wall-clock time.
    pub per_second: f64,
    /// The part of the measured time that the server was on its core.
    pub server_busy: f64,
    /// The part of the measured time that the server wanted its core and something else had it.
    pub server_waiting: f64,
    /// As `server_busy`, for the load client: where it is much higher than the server's, the client was the bottleneck.
    pub client_busy: f64,
    /// The µs that 99 of 100 answers or deliveries did not take, as the client sees them; 0 where there are none.
    pub p99: f64,
    /// All messages, those of the warm-up included: what system calls are divided by.
    pub messages: u64,
}
