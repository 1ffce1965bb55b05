//! Small and middling messages come back, over TCP on this machine: batching is about system calls.

mod support;

use criterion::{Criterion, Throughput};

use support::TEXT;

fn main() {
    let mut criterion = support::criterion();
    echo(&mut criterion, "echo of 64 B of text", &"x".repeat(64), 1);
    echo(&mut criterion, "echo of 64 B of text, 16 in flight", &"x".repeat(64), 16);
    echo(&mut criterion, "echo of 1 KiB of text", &"x".repeat(1024), 1);
    echo(&mut criterion, "echo of 16 KiB of non-ASCII text", &WORDS.repeat(16 * 1024 / WORDS.len()), 1);
    criterion.final_summary();
}

fn echo(criterion: &mut Criterion, name: &str, text: &str, in_flight: u64) {
    let frames = support::masked(TEXT, text.as_bytes()).repeat(in_flight as usize);
    support::compare_echoes(criterion, name, Throughput::Elements(in_flight), &frames, in_flight);
}

const WORDS: &str = "Zwölf Boxkämpfer – 你好, мир! ";
