//! What an application tells of itself.

use serde::Serialize;

/// A status document as a dashboard shows it: about 600 bytes of JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Status {
    version: u64,
    host: &'static str,
    uptime_seconds: f64,
    load: [f64; 3],
    memory: Memory,
    services: Vec<Service>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Memory {
    total: u64,
    used: u64,
    cached: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Service {
    name: &'static str,
    healthy: bool,
    requests: u64,
    latency_ms: f64,
}

impl Status {
    pub(crate) fn of(version: u64) -> Self {
        let service = |(number, name): (u64, _)| Service {
            name,
            healthy: true,
            requests: 104_729 * (number + 1),
            latency_ms: 1.25 * (number + 1) as f64,
        };
        Self {
            version,
            host: "eu-central-1a.example.com",
            uptime_seconds: 86_423.75,
            load: [0.52, 0.58, 0.61],
            memory: Memory { total: 16_777_216_000, used: 9_812_377_600, cached: 4_294_967_296 },
            services: (0..).zip(["gateway", "accounts", "billing", "search", "mail", "reports"]).map(service).collect(),
        }
    }
}
