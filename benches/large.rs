//! Large messages come back, over TCP on this machine: what counts is how often the bytes are copied and how many system
//! calls carry them.

mod support;

use criterion::{Criterion, Throughput};

use support::BINARY;

fn main() {
    let mut criterion = support::criterion();
    echo(&mut criterion, "echo of 64 KiB of bytes", 64 * 1024);
    echo(&mut criterion, "echo of 1 MiB of bytes", 1024 * 1024);
    criterion.final_summary();
}

fn echo(criterion: &mut Criterion, name: &str, len: usize) {
    let frame = support::masked(BINARY, &(0..len).map(|index| index as u8).collect::<Vec<_>>());
    support::compare_echoes(criterion, name, Throughput::Bytes(len as u64), &frame, 1);
}
