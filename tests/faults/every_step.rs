//! Every call of a transport fails, stalls, or ends the input.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tower_websocket::Role;

use crate::conversations::{Conversation, large, small};
use crate::support::{Case, Fault, Manner, Setup, faults, run};

/// Runs each conversation without a fault, then with each fault at each call. Says how many runs that were.
fn every_step(setup: Setup, deflate: bool, manner: Manner, conversations: Vec<Conversation>) {
    let mut failures = Vec::new();
    let mut runs = 0;
    for (name, user, script) in conversations {
        let case = Case { setup, deflate, user, script, manner };
        let mut attempt = |fault| {
            runs += 1;
            catch_unwind(AssertUnwindSafe(|| run(&case, fault))).unwrap_or_else(|payload| {
                let text = payload.downcast::<String>().map_or_else(|_| "panicked".to_owned(), |text| *text);
                failures.push(format!("{name}, {fault:?}: {text}"));
                [0; 4]
            })
        };
        let calls = attempt(Fault::None);
        for fault in faults(calls) {
            attempt(fault);
        }
    }
    println!("{runs} runs over {setup:?}, deflate: {deflate}, {manner:?}");
    let shown = &failures[..failures.len().min(40)];
    assert!(failures.is_empty(), "{} of {runs} fail, such as\n{}", failures.len(), shown.join("\n"));
}

const SETUPS: [(Setup, bool); 4] = [
    (Setup::Raw(Role::Server), false),
    (Setup::Raw(Role::Client), false),
    (Setup::Layer, true),
    (Setup::Connector, true),
];

/// Small frames lie in one buffer, whatever the transport writes at once.
fn small_everywhere(chunk: usize, pending: bool) {
    for (setup, deflate) in SETUPS {
        every_step(setup, deflate, Manner { chunk, pending, vectored: true }, small(deflate));
    }
}

fn large_everywhere(chunk: usize, pending: bool) {
    for (setup, deflate) in SETUPS {
        for vectored in [false, true] {
            every_step(setup, deflate, Manner { chunk, pending, vectored }, large(deflate));
        }
    }
}

#[test]
fn one_byte_at_a_time() {
    small_everywhere(1, false);
}

#[test]
fn one_byte_at_a_time_and_pending_each_time() {
    small_everywhere(1, true);
}

#[test]
fn as_much_as_there_is() {
    small_everywhere(usize::MAX, false);
}

#[test]
fn as_much_as_there_is_and_pending_each_time() {
    small_everywhere(usize::MAX, true);
}

#[test]
fn large_payloads_in_parts() {
    large_everywhere(5000, true);
}

#[test]
fn large_payloads_at_once() {
    large_everywhere(usize::MAX, false);
}
