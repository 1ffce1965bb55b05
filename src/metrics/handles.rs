//! The handles to the recorder's metrics, which each thread looks up once.

use std::cell::OnceCell;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use super::labels;
use super::names::{
    ACTIVE_CONNECTIONS, BUDGET_USAGE, CLOSE_CODE, CLOSED_CONNECTIONS, DIRECTION, ERROR_TYPE, HANDLER_DURATION,
    HUB_QUEUE_LENGTH, MESSAGES, NETWORK_IO, OPENED_CONNECTIONS, PAYLOAD_IO, QUEUE_SIZE, REJECTED_CONNECTIONS, ROLE,
    ROUND_TRIP_DURATION, describe,
};
use crate::close::CloseFrame;
use crate::error::Error;
use crate::handshake::RejectionKind;
use crate::role::Role;

/// The metrics of connections with one role.
pub(super) struct Handles {
    pub(super) active: Gauge,
    pub(super) opened: Counter,
    pub(super) received: Direction,
    pub(super) sent: Direction,
    round_trip: Histogram,
}

/// The metrics of one direction.
pub(super) struct Direction {
    pub(super) messages: Counter,
    pub(super) payload: Counter,
    pub(super) network: Counter,
    pub(super) queue: Gauge,
}

/// The metrics without a role.
struct Common {
    budget: Gauge,
    handler: Histogram,
    hub_queue: Gauge,
}

thread_local! {
    static CLIENT: OnceCell<Handles> = const { OnceCell::new() };
    static SERVER: OnceCell<Handles> = const { OnceCell::new() };
    static COMMON: OnceCell<Common> = const { OnceCell::new() };
}

/// Calls `count` with the metrics of this role. Does nothing while the thread ends.
pub(super) fn with(role: Role, count: impl FnOnce(&Handles)) {
    let handles = match role {
        Role::Client => &CLIENT,
        Role::Server => &SERVER,
    };
    let _ = handles.try_with(|handles| count(handles.get_or_init(|| Handles::new(labels::role(role)))));
}

fn with_common(count: impl FnOnce(&Common)) {
    let _ = COMMON.try_with(|common| count(common.get_or_init(Common::new)));
}

/// Records a round trip.
pub(super) fn round_trip(role: Role, time: Duration) {
    with(role, |handles| handles.round_trip.record(time));
}

/// Records how long a handler has run.
#[inline(never)]
pub(super) fn handler_ended(time: Duration) {
    with_common(|common| common.handler.record(time));
}

/// Records that bytes were charged to the process's budget, or given back if the number is negative.
#[inline(never)]
pub(crate) fn budget_changed(bytes: isize) {
    with_common(|common| common.budget.increment(bytes as f64));
}

/// Records a change of the number of publications that wait for slow members of topics.
pub(super) fn hub_queue_changed(publications: f64) {
    with_common(|common| common.hub_queue.increment(publications));
}

/// Counts a refused handshake.
pub(crate) fn rejected(kind: RejectionKind) {
    describe();
    counter!(REJECTED_CONNECTIONS, ERROR_TYPE => labels::rejection_kind(kind)).increment(1);
}

/// Counts a connection that has ended.
#[cold]
pub(super) fn closed(role: Role, end: &Result<CloseFrame, Error>) {
    let role = labels::role(role);
    match end {
        Ok(frame) => counter!(CLOSED_CONNECTIONS, ROLE => role, CLOSE_CODE => labels::close_code(frame.code())),
        Err(error) => counter!(CLOSED_CONNECTIONS, ROLE => role, ERROR_TYPE => labels::error_kind(error.kind())),
    }
    .increment(1);
}

impl Handles {
    fn new(role: &'static str) -> Self {
        describe();
        let direction = |direction: &'static str| Direction {
            messages: counter!(MESSAGES, ROLE => role, DIRECTION => direction),
            payload: counter!(PAYLOAD_IO, ROLE => role, DIRECTION => direction),
            network: counter!(NETWORK_IO, ROLE => role, DIRECTION => direction),
            queue: gauge!(QUEUE_SIZE, ROLE => role, DIRECTION => direction),
        };
        Self {
            active: gauge!(ACTIVE_CONNECTIONS, ROLE => role),
            opened: counter!(OPENED_CONNECTIONS, ROLE => role),
            received: direction("receive"),
            sent: direction("transmit"),
            round_trip: histogram!(ROUND_TRIP_DURATION, ROLE => role),
        }
    }
}

impl Common {
    fn new() -> Self {
        describe();
        Self {
            budget: gauge!(BUDGET_USAGE),
            handler: histogram!(HANDLER_DURATION),
            hub_queue: gauge!(HUB_QUEUE_LENGTH),
        }
    }
}
