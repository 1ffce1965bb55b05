//! The metrics of the topics of all hubs.

use std::cell::OnceCell;

use metrics::{Counter, Gauge, counter, gauge};

use super::names::{HUB_DELIVERIES, HUB_DROPS, HUB_GAPS, HUB_MEMBERS, HUB_PUBLICATIONS, describe};

struct Handles {
    deliveries: Counter,
    drops: Counter,
    #[cfg_attr(
        not(any(feature = "nats", feature = "redis")),
        expect(dead_code, reason = "without a broker nothing is lost")
    )]
    gaps: Counter,
    members: Gauge,
    publications: Counter,
}

thread_local! {
    static HANDLES: OnceCell<Handles> = const { OnceCell::new() };
}

fn with(count: impl FnOnce(&Handles)) {
    let _ = HANDLES.try_with(|handles| count(handles.get_or_init(Handles::new)));
}

/// Counts publications that were delivered to members, and those that were dropped.
pub(crate) fn delivered(delivered: u64, dropped: u64) {
    with(|handles| {
        handles.deliveries.increment(delivered);
        if dropped > 0 {
            handles.drops.increment(dropped);
        }
    });
}

/// Counts a gap: publications of a topic were lost.
#[cfg(any(feature = "nats", feature = "redis"))]
pub(crate) fn gap() {
    with(|handles| handles.gaps.increment(1));
}

/// Counts a new membership.
pub(crate) fn joined() {
    with(|handles| handles.members.increment(1));
}

/// Counts the end of a membership.
pub(crate) fn left() {
    with(|handles| handles.members.decrement(1));
}

/// Counts a publication.
pub(crate) fn published() {
    with(|handles| handles.publications.increment(1));
}

impl Handles {
    fn new() -> Self {
        describe();
        Self {
            deliveries: counter!(HUB_DELIVERIES),
            drops: counter!(HUB_DROPS),
            gaps: counter!(HUB_GAPS),
            members: gauge!(HUB_MEMBERS),
            publications: counter!(HUB_PUBLICATIONS),
        }
    }
}
