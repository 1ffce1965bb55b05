/// Workloads that are shown together, all of one wire.
#[derive(Debug)]
pub struct Table {
    pub title: &'static str,
    pub columns: &'static [Workload],
}

/// One column of a table.
#[derive(Debug)]
pub struct Workload {
    pub name: &'static str,
    pub title: &'static str,
    pub wire: Wire,
    pub work: Work,
    pub payload: Payload,
}

/// How the WebSocket reaches the server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wire {
    /// HTTP/1.1, no extension.
    Plain,
    /// HTTP/1.1 with permessage-deflate, no context takeover on either side.
    Deflate,
    /// The same, but the server keeps its window from message to message.
    Takeover,
    /// Extended CONNECT on HTTP/2 by prior knowledge, no extension.
    Http2,
    /// HTTP/1.1 over TLS 1.3, no extension.
    Tls,
}

#[derive(Clone, Copy, Debug)]
pub enum Work {
    /// Messages are echoed as fast as the server can.
    Echo { connections: usize, in_flight: usize },
    /// The same by one in ten of these connections, one message of each at a time; the others do nothing.
    TenthActive { connections: usize },
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

impl Table {
    pub fn wire(&self) -> Option<Wire> {
        self.columns.first().map(|workload| workload.wire)
    }
}

impl Workload {
    pub fn named(name: &str) -> Option<&'static Self> {
        TABLES.iter().chain(&CURVES).flat_map(|table| table.columns).find(|workload| workload.name == name)
    }

    /// Whether the figure is memory, not time.
    pub fn is_memory(&self) -> bool {
        matches!(self.work, Work::Idle { .. })
    }

    const fn new(name: &'static str, title: &'static str, wire: Wire, work: Work, payload: Payload) -> Self {
        Self { name, title, wire, work, payload }
    }
}

/// How the servers compare.
pub static TABLES: [Table; 5] = [
    Table { title: "Uncompressed", columns: &PLAIN },
    Table { title: "permessage-deflate, level 1, no context takeover", columns: &DEFLATE },
    Table { title: "permessage-deflate, level 1, with the server's context takeover", columns: &TAKEOVER },
    Table { title: "Over HTTP/2, 16 WebSockets to a connection", columns: &HTTP2 },
    Table { title: "Over TLS 1.3", columns: &TLS },
];

/// How costs grow with the work.
pub static CURVES: [Table; 4] = [
    Table { title: "The size of a message", columns: &SIZES },
    Table { title: "Messages of 64 B in flight, on 64 connections", columns: &IN_FLIGHT },
    Table { title: "Connections, of which a tenth is active, 64 B", columns: &CONNECTIONS },
    Table { title: "The same over HTTP/2, 16 WebSockets to a connection", columns: &CONNECTIONS_HTTP2 },
];

static PLAIN: [Workload; 11] = [
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
];

static DEFLATE: [Workload; 4] = [
    Workload::new("deflate-1k", "1 KiB JSON", Wire::Deflate, echo(64, 1), Payload::Json(KIB)),
    Workload::new("deflate-16k", "16 KiB JSON", Wire::Deflate, echo(64, 1), Payload::Json(16 * KIB)),
    Workload::new("deflate-idle", "idle KiB after 1 KiB", Wire::Deflate, Work::Idle { echo: true }, Payload::Json(KIB)),
    Workload::new("deflate-fanout", "1 KiB JSON to 1,000", Wire::Deflate, FAN_OUT, Payload::Json(KIB)),
];

static TAKEOVER: [Workload; 3] = [
    Workload::new("takeover-1k", "1 KiB JSON", Wire::Takeover, echo(64, 1), Payload::Json(KIB)),
    Workload::new("takeover-16k", "16 KiB JSON", Wire::Takeover, echo(64, 1), Payload::Json(16 * KIB)),
    Workload::new(
        "takeover-idle",
        "idle KiB after 1 KiB",
        Wire::Takeover,
        Work::Idle { echo: true },
        Payload::Json(KIB),
    ),
];

static HTTP2: [Workload; 3] = [
    Workload::new("http2-64x1", "64 B, 1 in flight", Wire::Http2, echo(64, 1), Payload::Ascii(64)),
    Workload::new("http2-64x16", "64 B, 16 in flight", Wire::Http2, echo(64, 16), Payload::Ascii(64)),
    Workload::new("http2-64k", "64 KiB", Wire::Http2, echo(16, 1), Payload::Binary(64 * KIB)),
];

static TLS: [Workload; 4] = [
    Workload::new("tls-64x1", "64 B, 1 in flight", Wire::Tls, echo(64, 1), Payload::Ascii(64)),
    Workload::new("tls-64x16", "64 B, 16 in flight", Wire::Tls, echo(64, 16), Payload::Ascii(64)),
    Workload::new("tls-64k", "64 KiB", Wire::Tls, echo(16, 1), Payload::Binary(64 * KIB)),
    Workload::new("tls-idle", "idle KiB", Wire::Tls, Work::Idle { echo: false }, Payload::Ascii(KIB)),
];

static SIZES: [Workload; 7] = [
    Workload::new("size-16", "16 B", Wire::Plain, echo(64, 1), Payload::Binary(16)),
    Workload::new("size-256", "256 B", Wire::Plain, echo(64, 1), Payload::Binary(256)),
    Workload::new("size-4k", "4 KiB", Wire::Plain, echo(64, 1), Payload::Binary(4 * KIB)),
    Workload::new("size-32k", "32 KiB", Wire::Plain, echo(16, 1), Payload::Binary(32 * KIB)),
    Workload::new("size-256k", "256 KiB", Wire::Plain, echo(4, 1), Payload::Binary(256 * KIB)),
    Workload::new("size-2m", "2 MiB", Wire::Plain, echo(4, 1), Payload::Binary(2 * KIB * KIB)),
    Workload::new("size-16m", "16 MiB", Wire::Plain, echo(2, 1), Payload::Binary(16 * KIB * KIB)),
];

static IN_FLIGHT: [Workload; 7] = [
    Workload::new("flight-1", "1", Wire::Plain, echo(64, 1), Payload::Ascii(64)),
    Workload::new("flight-2", "2", Wire::Plain, echo(64, 2), Payload::Ascii(64)),
    Workload::new("flight-4", "4", Wire::Plain, echo(64, 4), Payload::Ascii(64)),
    Workload::new("flight-8", "8", Wire::Plain, echo(64, 8), Payload::Ascii(64)),
    Workload::new("flight-16", "16", Wire::Plain, echo(64, 16), Payload::Ascii(64)),
    Workload::new("flight-32", "32", Wire::Plain, echo(64, 32), Payload::Ascii(64)),
    Workload::new("flight-64", "64", Wire::Plain, echo(64, 64), Payload::Ascii(64)),
];

static CONNECTIONS: [Workload; 4] = [
    Workload::new("open-1k", "1,000", Wire::Plain, tenth_of(1000), Payload::Ascii(64)),
    Workload::new("open-3k", "3,000", Wire::Plain, tenth_of(3000), Payload::Ascii(64)),
    Workload::new("open-10k", "10,000", Wire::Plain, tenth_of(10_000), Payload::Ascii(64)),
    Workload::new("open-19k", "19,000", Wire::Plain, tenth_of(19_000), Payload::Ascii(64)),
];

static CONNECTIONS_HTTP2: [Workload; 4] = [
    Workload::new("http2-open-1k", "1,000", Wire::Http2, tenth_of(1000), Payload::Ascii(64)),
    Workload::new("http2-open-10k", "10,000", Wire::Http2, tenth_of(10_000), Payload::Ascii(64)),
    Workload::new("http2-open-20k", "20,000", Wire::Http2, tenth_of(20_000), Payload::Ascii(64)),
    Workload::new("http2-open-50k", "50,000", Wire::Http2, tenth_of(50_000), Payload::Ascii(64)),
];

const KIB: usize = 1024;
const FAN_OUT: Work = Work::FanOut { members: 1000, in_flight: 2 };

const fn echo(connections: usize, in_flight: usize) -> Work {
    Work::Echo { connections, in_flight }
}

const fn tenth_of(connections: usize) -> Work {
    Work::TenthActive { connections }
}
