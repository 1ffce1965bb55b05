/// One column of the table.
#[derive(Debug)]
pub struct Workload {
    pub name: &'static str,
    pub title: &'static str,
    pub wire: Wire,
    pub work: Work,
    pub payload: Payload,
}

/// How the WebSocket reaches the server. Each has a table of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wire {
    /// HTTP/1.1, no extension.
    Plain,
    /// HTTP/1.1 with permessage-deflate, no context takeover on either side.
    Deflate,
    /// Extended CONNECT on HTTP/2 by prior knowledge, no extension.
    Http2,
    /// HTTP/1.1 over TLS 1.3, no extension.
    Tls,
}

#[derive(Clone, Copy, Debug)]
pub enum Work {
    /// Messages are echoed as fast as the server can.
    Echo { connections: usize, in_flight: usize },
    /// What one connection sends is sent to many others.
    FanOut { members: usize, in_flight: usize },
    /// Connections are opened and closed.
    Handshake,
    /// Connections are opened, each echoes one message if asked to, and nothing happens.
    Idle { echo: bool },
}

#[derive(Clone, Copy, Debug)]
pub enum Payload {
    Ascii(usize),
    Binary(usize),
    Json(usize),
    NonAscii(usize),
}

impl Workload {
    pub fn named(name: &str) -> Option<&'static Self> {
        WORKLOADS.iter().find(|workload| workload.name == name)
    }

    /// Whether the figure is memory, not time.
    pub fn is_memory(&self) -> bool {
        matches!(self.work, Work::Idle { .. })
    }

    const fn new(name: &'static str, title: &'static str, wire: Wire, work: Work, payload: Payload) -> Self {
        Self { name, title, wire, work, payload }
    }
}

pub static WORKLOADS: [Workload; 22] = [
    Workload::new("64x1", "64 B, 1 in flight", Wire::Plain, echo(64, 1), Payload::Ascii(64)),
    Workload::new("64x16", "64 B, 16 in flight", Wire::Plain, echo(64, 16), Payload::Ascii(64)),
    Workload::new("1k", "1 KiB", Wire::Plain, echo(64, 1), Payload::Ascii(KIB)),
    Workload::new("16k", "16 KiB UTF-8", Wire::Plain, echo(64, 1), Payload::NonAscii(16 * KIB)),
    Workload::new("64k", "64 KiB", Wire::Plain, echo(16, 1), Payload::Binary(64 * KIB)),
    Workload::new("1m", "1 MiB", Wire::Plain, echo(4, 1), Payload::Binary(KIB * KIB)),
    Workload::new("handshake", "handshake", Wire::Plain, Work::Handshake, Payload::Ascii(64)),
    Workload::new("idle", "idle KiB", Wire::Plain, Work::Idle { echo: false }, Payload::Ascii(KIB)),
    Workload::new("idle-request", "with its request", Wire::Plain, Work::Idle { echo: false }, Payload::Ascii(KIB)),
    Workload::new("idle-1k", "idle KiB after 1 KiB", Wire::Plain, Work::Idle { echo: true }, Payload::Ascii(KIB)),
    Workload::new("fanout", "1 KiB JSON to 1,000", Wire::Plain, FAN_OUT, Payload::Json(KIB)),
    Workload::new("deflate-1k", "1 KiB JSON", Wire::Deflate, echo(64, 1), Payload::Json(KIB)),
    Workload::new("deflate-16k", "16 KiB JSON", Wire::Deflate, echo(64, 1), Payload::Json(16 * KIB)),
    Workload::new("deflate-idle", "idle KiB after 1 KiB", Wire::Deflate, Work::Idle { echo: true }, Payload::Json(KIB)),
    Workload::new("deflate-fanout", "1 KiB JSON to 1,000", Wire::Deflate, FAN_OUT, Payload::Json(KIB)),
    Workload::new("http2-64x1", "64 B, 1 in flight", Wire::Http2, echo(64, 1), Payload::Ascii(64)),
    Workload::new("http2-64x16", "64 B, 16 in flight", Wire::Http2, echo(64, 16), Payload::Ascii(64)),
    Workload::new("http2-64k", "64 KiB", Wire::Http2, echo(16, 1), Payload::Binary(64 * KIB)),
    Workload::new("tls-64x1", "64 B, 1 in flight", Wire::Tls, echo(64, 1), Payload::Ascii(64)),
    Workload::new("tls-64x16", "64 B, 16 in flight", Wire::Tls, echo(64, 16), Payload::Ascii(64)),
    Workload::new("tls-64k", "64 KiB", Wire::Tls, echo(16, 1), Payload::Binary(64 * KIB)),
    Workload::new("tls-idle", "idle KiB", Wire::Tls, Work::Idle { echo: false }, Payload::Ascii(KIB)),
];

const KIB: usize = 1024;
const FAN_OUT: Work = Work::FanOut { members: 1000, in_flight: 2 };

const fn echo(connections: usize, in_flight: usize) -> Work {
    Work::Echo { connections, in_flight }
}
