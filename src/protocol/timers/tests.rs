//! All timers of a connection together: what is due when, and in which order.

use std::time::Duration;

use tokio::time::Instant;

use super::{Due, Keepalive, Timers};
use crate::RateLimit;
use crate::limits::Limits;
use crate::protocol::failure::Failure;

fn timers() -> (Timers, impl Fn(u64) -> Instant) {
    let start = Instant::now();
    let timers = Timers::new(Keepalive::default(), &Limits::default(), start);
    (timers, move |millis| start + Duration::from_millis(millis))
}

/// When the peer times out if it is silent from now on.
#[track_caller]
fn check_timeout(mut timers: Timers, from: Instant, expected: Instant) {
    let mut now = from;
    for _ in 0..100 {
        match timers.poll(now) {
            Due::Ping => {}
            Due::Nothing(Some(next)) => now = next,
            Due::Failed(Failure::KeepaliveTimeout) => return assert_eq!(now - from, expected - from),
            due => panic!("{due:?}"),
        }
    }
    panic!("never");
}

#[test]
fn a_peer_that_accepts_data_after_a_blocked_write_is_alive() {
    // Even if little was left to write: what was written before is in buffers, and the peer has not read our ping yet.
    for (before, silence) in [(900, 5), (2000, 7), (2 * 1024 * 1024, 10)] {
        let (mut timers, at) = timers();
        timers.bytes_written(before, at(0));
        timers.write_blocked(at(1000));
        timers.bytes_written(100, at(4000));
        timers.flush_blocked(at(4000));
        assert!(timers.is_write_blocked());
        timers.write_done();
        assert!(!timers.is_write_blocked());
        check_timeout(timers, at(4000), at(4000 + silence * 1000));
    }
}

#[test]
fn a_blocked_write_does_not_shorten_the_close() {
    let (mut timers, at) = timers();
    timers.bytes_written(2 * 1024 * 1024, at(0));
    timers.set_closing(at(1000));
    timers.write_blocked(at(1000));
    timers.bytes_written(100, at(4000));
    timers.write_done();
    let mut now = at(4000);
    while let Due::Nothing(Some(next)) = timers.poll(now) {
        now = next;
    }
    assert_eq!(now, at(14_000));
}

#[test]
fn a_pong_that_is_due_has_two_seconds() {
    let (mut timers, at) = timers();
    timers.write_blocked(at(0));
    timers.set_pong_due(true, at(4000));
    timers.bytes_received(at(4000));
    let Due::Nothing(Some(due)) = timers.poll(at(4000)) else { panic!("something is due") };
    assert_eq!(due, at(6000));
    assert!(matches!(timers.poll(due), Due::Failed(Failure::WriteTimeout)));
}

#[test]
fn a_deadline_comes_once() {
    let (mut timers, at) = timers();
    timers.set_deadline(Some(at(1000)));
    assert!(matches!(timers.poll(at(999)), Due::Nothing(Some(due)) if due == at(1000)));
    assert!(matches!(timers.poll(at(1000)), Due::Deadline));
    assert!(matches!(timers.poll(at(1000)), Due::Nothing(Some(due)) if due == at(3000)));
}

#[test]
fn a_peer_that_has_timed_out_gets_no_more_time_for_the_close() {
    let (mut timers, at) = timers();
    timers.bytes_written(10 * 1024, at(0));
    assert!(matches!(timers.poll(at(3000)), Due::Ping));
    assert!(matches!(timers.poll(at(15_000)), Due::Failed(Failure::KeepaliveTimeout)));
    timers.set_closing(at(15_000));
    assert!(matches!(timers.poll(at(15_000)), Due::Nothing(Some(due)) if due == at(20_000)));
}

#[test]
fn a_silent_peer_times_out_after_five_seconds() {
    let (timers, at) = timers();
    check_timeout(timers, at(0), at(5000));
}

#[test]
fn the_timer_is_reset_after_the_answer_to_a_ping() {
    let (mut timers, at) = timers();
    timers.bytes_received(at(1));
    assert!(!timers.take_later());
    assert!(matches!(timers.poll(at(3001)), Due::Ping));
    assert!(matches!(timers.poll(at(3001)), Due::Nothing(Some(next)) if next == at(5001)));
    timers.bytes_received(at(3002));
    assert!(timers.take_later() && !timers.take_later());
    assert!(matches!(timers.poll(at(3002)), Due::Nothing(Some(next)) if next == at(6002)));
    timers.bytes_received(at(3003));
    assert!(!timers.take_later());
}

#[test]
fn a_peer_with_a_backlog_has_time_to_read_it() {
    for (bytes, millis) in [(512, 5000), (10 * 1024, 15_000), (2 * 1024 * 1024, 29_000)] {
        let (mut timers, at) = timers();
        timers.bytes_written(bytes, at(0));
        check_timeout(timers, at(0), at(millis));
    }
}

#[test]
fn the_time_for_a_backlog_ends_when_the_peer_has_read_it() {
    let answered = |timers: &mut Timers, number: u64, now| {
        timers.bytes_received(now);
        assert!(timers.pong_received(&number.to_be_bytes(), now).is_some());
    };
    let (mut timers, at) = timers();
    timers.bytes_written(60 * 1024, at(0));
    timers.bytes_received(at(1000));
    check_timeout(timers, at(1000), at(6000));
    let (mut timers, at) = self::timers();
    timers.bytes_written(2 * 1024 * 1024, at(0));
    timers.bytes_received(at(1000));
    check_timeout(timers, at(1000), at(30_000));
    // The answer to a ping that was sent before the backlog does not show that.
    let (mut timers, at) = self::timers();
    timers.ping_sent(1, at(0));
    timers.bytes_written(2 * 1024 * 1024, at(0));
    answered(&mut timers, 1, at(1000));
    check_timeout(timers, at(1000), at(30_000));
    let (mut timers, at) = self::timers();
    timers.bytes_written(2 * 1024 * 1024, at(0));
    timers.ping_sent(1, at(0));
    answered(&mut timers, 1, at(1000));
    check_timeout(timers, at(1000), at(6000));
}

#[test]
fn a_peer_that_acknowledges_data_stays_and_one_that_stops_times_out_soon() {
    let (mut timers, at) = timers();
    timers.set_send_queue_known();
    timers.bytes_written(2 * 1024 * 1024, at(0));
    let mut now = at(0);
    let mut queued = 2 * 1024 * 1024;
    // 100 KiB/s until 16 s.
    let acknowledged = |now: Instant| (now - at(0)).min(Duration::from_secs(16)).as_millis() as u32 * 100;
    let end = loop {
        match timers.poll(now) {
            Due::Ping => {}
            Due::Nothing(Some(next)) => now = next,
            Due::SampleSendQueue => {
                queued = 2 * 1024 * 1024 - acknowledged(now);
                timers.send_queue_sampled(Some(queued), now);
            }
            Due::Failed(Failure::KeepaliveTimeout) => break now,
            due => panic!("{due:?}"),
        }
    };
    assert!(end - at(16_000) <= Duration::from_secs(10), "{:?}", end - at(0));
    assert!(end > at(16_000) && queued > 0);
}

#[test]
fn from_1_kib_on_there_is_a_backlog_until_something_arrives() {
    for (bytes, has_backlog) in [(1023, false), (1024, true)] {
        let (mut timers, at) = timers();
        timers.bytes_written(bytes, at(0));
        assert_eq!(timers.has_backlog(), has_backlog, "{bytes} bytes");
        timers.bytes_received(at(1));
        assert!(!timers.has_backlog());
        timers.set_closing(at(1));
        timers.bytes_written(bytes, at(1));
        timers.bytes_received(at(2));
        assert_eq!(timers.has_backlog(), has_backlog, "{bytes} bytes while closing");
    }
}

#[test]
fn a_flood_that_delays_each_poll_of_the_timers_does_not_delay_the_timeout() {
    let (mut timers, at) = timers();
    timers.set_send_queue_known();
    timers.set_pong_due(true, at(0));
    timers.write_blocked(at(0));
    let samples = (0..20_000).find_map(|millis| {
        timers.bytes_received(at(millis));
        match timers.poll(at(millis)) {
            Due::SampleSendQueue => {
                timers.send_queue_sampled(Some(1000), at(millis));
                None
            }
            Due::Failed(Failure::WriteTimeout) => Some(millis),
            due => matches!(due, Due::Nothing(_)).then_some(()).map_or_else(|| panic!("{due:?}"), |()| None),
        }
    });
    assert_eq!(samples, Some(5001));
}

#[test]
fn a_peer_that_pings_as_often_as_the_queue_is_sampled_is_seen_to_acknowledge_data() {
    let (mut timers, at) = timers();
    timers.set_send_queue_known();
    timers.write_blocked(at(0));
    timers.set_pong_due(true, at(0));
    for second in 1..20 {
        let now = at(second * 1000);
        assert!(matches!(timers.poll(now), Due::SampleSendQueue), "after {second} s");
        timers.send_queue_sampled(Some(1024 * 1024 - 1024 * second as u32), now);
        timers.bytes_received(now);
        assert!(matches!(timers.poll(now), Due::Nothing(_)), "after {second} s");
    }
}

#[test]
fn the_queue_is_sampled_each_second_while_we_wait_for_the_peer() {
    type Wait = fn(&mut Timers, Instant);
    let waits: [(&str, Wait); 3] = [
        ("to accept data", |timers, now| timers.write_blocked(now)),
        ("to close", |timers, now| timers.set_closing(now)),
        ("to read a large backlog", |timers, now| timers.bytes_written(64 * 1024, now)),
    ];
    for (what, wait) in waits {
        let (mut timers, at) = timers();
        wait(&mut timers, at(500));
        assert!(matches!(timers.poll(at(500)), Due::Nothing(Some(next)) if next >= at(3000)), "{what}: unknown");
        timers.set_send_queue_known();
        for millis in [1500, 2500] {
            let before = at(millis - 1);
            assert!(matches!(timers.poll(before), Due::Nothing(Some(next)) if next == at(millis)), "{what}");
            assert!(matches!(timers.poll(at(millis)), Due::SampleSendQueue), "{what}");
            timers.send_queue_sampled(Some(1000), at(millis));
        }
    }
}

#[test]
fn a_queue_that_was_not_empty_is_sampled_again_unless_little_was_written() {
    for (bytes, next) in [(10 * 1024, 2000), (100, 3000)] {
        let (mut timers, at) = timers();
        timers.set_send_queue_known();
        timers.bytes_written(bytes, at(0));
        timers.send_queue_sampled(Some(100), at(1000));
        assert!(matches!(timers.poll(at(1000)), Due::Nothing(Some(due)) if due == at(next)), "{bytes} bytes");
    }
}

#[test]
fn the_queue_is_sampled_before_a_peer_times_out() {
    type Wait = fn(&mut Timers, Instant);
    let waits: [(&str, Wait, u64); 2] = [
        ("a write", |timers, now| timers.write_blocked(now), 10_000),
        ("the close", |timers, now| timers.set_closing(now), 5000),
    ];
    for (what, wait, due) in waits {
        for (sampled, is_recent) in [(due - 500, false), (due - 499, true)] {
            let (mut timers, at) = timers();
            timers.set_send_queue_known();
            wait(&mut timers, at(0));
            timers.send_queue_sampled(Some(0), at(sampled));
            match timers.poll(at(due)) {
                Due::SampleSendQueue => assert!(!is_recent, "{what}"),
                Due::Close | Due::Failed(Failure::WriteTimeout) => assert!(is_recent, "{what}"),
                due => panic!("{what}: {due:?}"),
            }
        }
    }
}

#[test]
fn the_queue_is_sampled_before_a_ping_after_a_backlog() {
    for (bytes, has_backlog) in [(100, false), (10 * 1024, true)] {
        let (mut timers, at) = timers();
        timers.set_send_queue_known();
        timers.bytes_written(bytes, at(0));
        match timers.poll(at(3000)) {
            Due::SampleSendQueue => assert!(has_backlog),
            Due::Ping => assert!(!has_backlog),
            due => panic!("{due:?}"),
        }
    }
}

#[test]
fn samples_from_before_data_of_the_peer_do_not_count() {
    let (mut timers, at) = timers();
    timers.set_send_queue_known();
    timers.bytes_written(500 * 1024, at(0));
    assert!(!timers.send_queue_sampled(Some(500 * 1024), at(1000)));
    timers.bytes_received(at(2000));
    timers.bytes_written(300 * 1024, at(60_000));
    assert!(!timers.send_queue_sampled(Some(300 * 1024), at(61_000)));
}

#[test]
fn what_was_acknowledged_before_we_wait_for_the_peer_does_not_count() {
    type Wait = fn(&mut Timers, Instant);
    let waits: [Wait; 2] = [|timers, now| timers.write_blocked(now), |timers, now| timers.set_closing(now)];
    for wait in waits {
        let (mut timers, at) = timers();
        timers.set_send_queue_known();
        assert!(!timers.send_queue_sampled(Some(1000), at(0)));
        wait(&mut timers, at(1000));
        assert!(!timers.send_queue_sampled(Some(500), at(2000)));
        // The same wait continues.
        wait(&mut timers, at(2500));
        assert!(timers.send_queue_sampled(Some(400), at(3000)));
    }
}

#[test]
fn a_peer_that_vanishes_early_with_little_to_acknowledge_times_out_soon() {
    for closing in [false, true] {
        let (mut timers, at) = timers();
        timers.set_send_queue_known();
        timers.bytes_written(500 * 1024, at(0));
        if closing {
            timers.set_closing(at(0));
        }
        // 100 KiB/s until 3.6 s.
        let acknowledged = |now: Instant| (now - at(0)).min(Duration::from_millis(3600)).as_millis() as u32 * 100;
        let mut now = at(0);
        let end = loop {
            match timers.poll(now) {
                Due::Ping => {}
                Due::Nothing(Some(next)) => now = next,
                Due::SampleSendQueue => {
                    timers.send_queue_sampled(Some(500 * 1024 - acknowledged(now)), now);
                }
                Due::Failed(Failure::KeepaliveTimeout) | Due::Close => break now,
                due => panic!("{due:?}"),
            }
        };
        assert!(end > at(8000) && end <= at(13_600), "closing {closing}: {:?}", end - at(0));
    }
}

#[test]
fn a_close_waits_for_a_peer_that_acknowledges_data() {
    let (mut timers, at) = timers();
    timers.set_send_queue_known();
    timers.bytes_written(2 * 1024 * 1024, at(0));
    timers.set_closing(at(0));
    let (mut now, mut queued) = (at(0), 2 * 1024 * 1024_u32);
    let end = loop {
        match timers.poll(now) {
            Due::Nothing(Some(next)) => now = next,
            Due::SampleSendQueue => {
                queued = queued.saturating_sub(20 * 1024);
                timers.send_queue_sampled(Some(queued), now);
            }
            Due::Close => break now,
            due => panic!("{due:?}"),
        }
    };
    assert_eq!(queued, 0);
    assert!(end > at(60_000), "{:?}", end - at(0));
}

#[test]
fn take_earlier_is_true_once_after_each_change_that_makes_something_due_earlier() {
    const BACKLOG: usize = 1024;
    type Step = fn(&mut Timers, Instant);
    const LARGE_BACKLOG: usize = 64 * 1024;
    let steps: [(&str, Step, bool); 17] = [
        ("data arrives without a backlog", |timers, now| timers.bytes_received(now), false),
        (
            "data arrives after a backlog",
            |timers, now| {
                timers.bytes_written(BACKLOG, now);
                assert!(matches!(timers.poll(now), Due::Nothing(_)));
                timers.bytes_received(now);
            },
            true,
        ),
        (
            "data arrives after a backlog that was written since the timer was set",
            |timers, now| {
                assert!(matches!(timers.poll(now), Due::Nothing(_)));
                timers.bytes_written(BACKLOG, now);
                timers.bytes_received(now);
            },
            false,
        ),
        ("a large backlog is written", |timers, now| timers.bytes_written(LARGE_BACKLOG, now), false),
        (
            "a large backlog is written, and the size of the send queue is known",
            |timers, now| {
                timers.set_send_queue_known();
                timers.bytes_written(LARGE_BACKLOG, now);
            },
            true,
        ),
        (
            "a ping after a large backlog is answered",
            |timers, now| {
                timers.bytes_written(LARGE_BACKLOG, now);
                timers.ping_sent(1, now);
                assert!(matches!(timers.poll(now), Due::Nothing(_)));
                assert!(timers.pong_received(&1_u64.to_be_bytes(), now).is_some());
            },
            true,
        ),
        (
            "a ping after a small backlog is answered, for which any data counts",
            |timers, now| {
                timers.bytes_written(BACKLOG, now);
                timers.ping_sent(1, now);
                assert!(matches!(timers.poll(now), Due::Nothing(_)));
                assert!(timers.pong_received(&1_u64.to_be_bytes(), now).is_some());
            },
            false,
        ),
        ("everything is written", |timers, _| timers.write_done(), false),
        (
            "everything is written while closing",
            |timers, now| {
                timers.set_closing(now);
                timers.write_done();
            },
            false,
        ),
        (
            "everything is written after a block while closing",
            |timers, now| {
                timers.set_closing(now);
                timers.write_blocked(now);
                timers.write_done();
            },
            true,
        ),
        (
            "everything is written before a ping was sent",
            |timers, now| {
                timers.write_blocked(now);
                timers.write_done();
            },
            false,
        ),
        (
            "everything is written, and the size of the send queue is known",
            |timers, now| {
                timers.set_send_queue_known();
                timers.write_blocked(now);
                timers.write_done();
            },
            true,
        ),
        (
            "everything is written after a ping, whose answer had more time until then",
            |timers, now| {
                timers.liveness.pinged(now);
                timers.write_blocked(now);
                timers.write_done();
            },
            true,
        ),
        (
            "data is accepted at once after a ping",
            |timers, now| {
                timers.liveness.pinged(now);
                timers.write_blocked(now);
                timers.bytes_written(1, now);
            },
            true,
        ),
        (
            "data is accepted at once while closing",
            |timers, now| {
                timers.set_closing(now);
                timers.write_blocked(now);
                timers.bytes_written(1, now);
            },
            true,
        ),
        (
            "everything is written to a slow peer",
            |timers, now| {
                timers.write_blocked(now);
                assert!(!timers.send_queue_sampled(Some(1000), now));
                assert!(timers.send_queue_sampled(Some(900), now));
                timers.write_done();
            },
            true,
        ),
        ("a deadline", |timers, now| timers.set_deadline(Some(now)), true),
    ];
    for (what, step, earlier) in steps {
        let (mut timers, at) = timers();
        step(&mut timers, at(1));
        assert_eq!((timers.take_earlier(), timers.take_earlier()), (earlier, false), "{what}");
    }
    let (mut timers, at) = timers();
    timers.set_deadline(Some(at(9)));
    timers.write_done();
    assert!(timers.take_earlier(), "it stays until it is taken");
}

#[test]
fn a_rate_limit_that_is_reached_resets_the_timer() {
    for (per_second, is_within) in [(1, false), (2, true)] {
        for limit in [RateLimit::new().messages(per_second), RateLimit::new().bytes(per_second)] {
            let start = Instant::now();
            let mut timers = Timers::new(Keepalive::default(), &Limits::default().rate_limit(limit), start);
            let allowed = timers.count_bytes(1, start) && timers.count_message(start);
            assert_eq!((allowed, timers.take_earlier()), (is_within, !is_within));
        }
    }
}

#[test]
fn reading_and_its_pause_have_a_bit_each() {
    let (mut timers, at) = timers();
    let reading = timers.running();
    assert!(!timers.is_read_paused());
    timers.set_read_paused(true, at(1));
    let paused = timers.running();
    assert!(timers.is_read_paused() && reading & paused == 0 && reading.count_ones() + paused.count_ones() == 2);
    timers.set_mid_message(true, at(1));
    assert_eq!(timers.running().count_ones(), 2);
    assert_eq!(timers.running() & paused, paused);
}

#[test]
fn while_closing_the_backlog_still_counts() {
    let (mut timers, at) = timers();
    timers.set_closing(at(0));
    timers.bytes_written(10 * 1024, at(0));
    timers.bytes_received(at(1));
    assert!(matches!(timers.poll(at(1)), Due::Nothing(Some(due)) if due == at(15_000)));
    let (mut timers, at) = self::timers();
    timers.bytes_written(100 * 1024, at(0));
    timers.ping_sent(1, at(0));
    timers.set_closing(at(0));
    timers.bytes_written(10 * 1024, at(0));
    assert!(timers.pong_received(&1_u64.to_be_bytes(), at(1)).is_some());
    assert!(matches!(timers.poll(at(1)), Due::Nothing(Some(due)) if due == at(29_000)));
    let (mut timers, at) = self::timers();
    timers.set_closing(at(0));
    timers.bytes_written(10 * 1024, at(0));
    timers.bytes_written(0, at(1000));
    assert!(matches!(timers.poll(at(1000)), Due::Nothing(Some(due)) if due == at(16_000)));
}

#[test]
fn a_transport_that_accepts_no_data_has_the_write_timeout() {
    let (mut timers, at) = timers();
    timers.bytes_written(2 * 1024 * 1024, at(0));
    timers.write_blocked(at(1000));
    check_timeout(timers, at(1000), at(11_000));
    let (mut timers, at) = self::timers();
    timers.write_blocked(at(0));
    timers.bytes_written(100, at(8000));
    timers.write_blocked(at(8000));
    check_timeout(timers, at(8000), at(18_000));
}
