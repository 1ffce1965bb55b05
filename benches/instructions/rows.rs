//! What is counted.

use crate::support::{BINARY, TEXT, masked};

/// One figure.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// How often the client does it in the shorter of the two runs.
    pub(crate) turns: u64,
    /// What the figure is divided by, beside the turns.
    pub(crate) per_turn: u64,
}

/// What the server does in one turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A plain request passes through the layer, in memory.
    Call,
    /// As many messages as `per_turn` says, each this long, come back. They arrive by one write.
    Echo(usize),
    /// A compressed message of 1 KiB comes back.
    Deflate,
    /// A connection opens, upgrades and closes.
    Handshake,
    /// A message is published to so many members.
    Publish(usize),
    /// Bytes come back, without HTTP and without us: what tokio and the system calls take.
    Tcp,
    /// A message is answered by as many documents as `per_turn` says.
    WriteJson,
}

pub(crate) const ROWS: &[Row] = &[
    row("bare TCP: 64 B come back", Kind::Tcp, 1000, 1),
    row("echo of 64 B", Kind::Echo(64), 1000, 1),
    row("echo of 64 B, 16 in flight", Kind::Echo(64), 200, 16),
    row("echo of 1 KiB", Kind::Echo(1024), 1000, 1),
    row("echo of 64 KiB", Kind::Echo(64 * 1024), 200, 1),
    row("echo of 1 KiB, compressed", Kind::Deflate, 200, 1),
    row("write_json, 600 B", Kind::WriteJson, 100, 16),
    row("publish to 100 members", Kind::Publish(100), 100, 1),
    row("open, upgrade and close", Kind::Handshake, 100, 1),
    row("a plain request through the layer", Kind::Call, 1000, 1),
];

const fn row(name: &'static str, kind: Kind, turns: u64, per_turn: u64) -> Row {
    Row { name, kind, turns, per_turn }
}

pub(crate) fn find(name: &str) -> &'static Row {
    ROWS.iter().find(|row| row.name == name).expect("the row exists")
}

/// Every turn's message of a row that has one.
pub(crate) fn frames(row: &Row) -> Vec<u8> {
    match row.kind {
        Kind::Echo(len) => masked(TEXT, "x".repeat(len).as_bytes()).repeat(row.per_turn as usize),
        _ => masked(BINARY, &row.per_turn.to_be_bytes()),
    }
}
