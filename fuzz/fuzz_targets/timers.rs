//! The timers of a connection: any events at any times. One connection polls them as the real task does, which leaves them
//! alone where it is told that nothing is due earlier; the other polls them after each event: both must be told the same at the
//! same times. A plain model says of each limit from when on it may strike, and until when it must.

#![no_main]

#[path = "timers/model.rs"]
mod model;

use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use model::Model;
use tokio::time::Instant;
use tower_websocket::fuzz_doors::{Due, Timers};
use tower_websocket::{Keepalive, Limits, RateLimit};

#[derive(Arbitrary, Debug)]
struct Input {
    settings: Settings,
    steps: Vec<Step>,
}

/// Times are in tenths of a second.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Settings {
    interval: Option<u8>,
    timeout: Option<u8>,
    message: u8,
    write: u8,
    close: u8,
    lifetime: Option<u8>,
    min_data_rate: u16,
    messages_per_second: Option<u8>,
    bytes_per_second: Option<u16>,
    burst: u8,
    has_send_queue: bool,
}

/// An event, so many hundredths of a second behind the one before it.
#[derive(Arbitrary, Debug)]
struct Step {
    after: u16,
    event: Event,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Event {
    Close,
    Deadline(Option<u8>),
    FlushBlocked,
    MessageReceived,
    MidMessage(bool),
    Nothing,
    PongDue(bool),
    ReadPaused(bool),
    Received(u16),
    /// What the kernel says at the next samples.
    SendQueue(Option<u16>),
    WriteBlocked,
    WriteDone,
    WriteFailed,
    Written(u16),
}

fuzz_target!(|input: Input| {
    let start = Instant::now();
    let mut lazy = Connection::new(&input.settings, start, false);
    let mut eager = Connection::new(&input.settings, start, true);
    let steps = input.steps.iter().take(200).map(|step| (hundredths(step.after), step.event));
    // Longer than any limit, in the end.
    for (after, event) in steps.chain([(Duration::from_secs(300), Event::Nothing)]) {
        lazy.step(after, event);
        eager.step(after, event);
        assert_eq!(lazy.told, eager.told);
    }
});

fn tenths(time: u8) -> Duration {
    Duration::from_millis(u64::from(time) * 100)
}

fn hundredths(time: u16) -> Duration {
    // Most of them short.
    Duration::from_millis(u64::from(if time < 0x8000 { time % 256 } else { time % 4096 }) * 10)
}

/// What stands around the timers.
struct Connection {
    timers: Timers,
    start: Instant,
    now: Instant,
    /// What it was told, and when.
    told: Vec<(Duration, Due)>,
    send_queue: Option<u32>,
    pings: u64,
    is_closing: bool,
    /// Nothing is written any more, and what arrives is received.
    has_write_failed: bool,
    has_ended: bool,
    /// When it next looks by itself.
    timer: Instant,
    /// It looks after each event, and not only where it has to. Then the model looks too.
    is_eager: bool,
    armed: u8,
    /// The timer stands at what is due next.
    is_registered: bool,
    model: Model,
}

impl Connection {
    fn new(settings: &Settings, start: Instant, is_eager: bool) -> Self {
        let mut limits = Limits::default()
            .message_timeout(tenths(settings.message.max(1)))
            .write_timeout(tenths(settings.write.max(1)))
            .close_timeout(tenths(settings.close))
            .min_data_rate(u32::from(settings.min_data_rate).max(1));
        if let Some(lifetime) = settings.lifetime {
            limits = limits.max_lifetime(tenths(lifetime.max(1)));
        }
        let mut rate_limit = RateLimit::new().burst(tenths(settings.burst));
        if let Some(messages) = settings.messages_per_second.filter(|rate| *rate > 0) {
            rate_limit = rate_limit.messages(messages.into());
        }
        if let Some(bytes) = settings.bytes_per_second.filter(|rate| *rate > 0) {
            rate_limit = rate_limit.bytes(bytes.into());
        }
        let limits = limits.rate_limit(rate_limit);
        let mut keepalive = Keepalive::disabled();
        if let Some(interval) = settings.interval {
            keepalive = keepalive.interval(tenths(interval.max(1)));
        }
        if let Some(timeout) = settings.timeout {
            keepalive = keepalive.timeout(tenths(timeout.max(1)));
        }
        let mut timers = Timers::new(keepalive, &limits, start);
        if settings.has_send_queue {
            timers.set_send_queue_known();
        }
        let model = Model::new(keepalive, &limits, settings.has_send_queue, start);
        Self {
            timers,
            start,
            now: start,
            told: Vec::new(),
            send_queue: None,
            pings: 0,
            is_closing: false,
            has_write_failed: false,
            has_ended: false,
            timer: start,
            is_eager,
            armed: 0,
            is_registered: false,
            model,
        }
    }

    fn step(&mut self, after: Duration, event: Event) {
        let at = self.now + after;
        while self.timer < at && !self.has_ended {
            self.now = self.timer;
            self.look();
        }
        self.now = at;
        if !self.has_ended {
            self.happens(event);
            self.look();
        }
    }

    fn happens(&mut self, event: Event) {
        let now = self.now;
        let writes = matches!(
            event,
            Event::FlushBlocked | Event::PongDue(_) | Event::WriteBlocked | Event::WriteDone | Event::Written(_)
        );
        if (writes && self.has_write_failed) || (self.is_closing && matches!(event, Event::WriteFailed)) {
            return;
        }
        self.model.happens(event, now);
        match event {
            Event::Close => self.close(),
            Event::Deadline(after) => self.timers.set_deadline(after.map(|after| now + tenths(after))),
            Event::FlushBlocked => self.timers.flush_blocked(now),
            Event::MessageReceived => drop(self.timers.count_message(now)),
            Event::MidMessage(mid_message) => self.timers.set_mid_message(mid_message, now),
            Event::Nothing => {}
            Event::PongDue(due) => self.timers.set_pong_due(due, now),
            Event::ReadPaused(paused) => self.timers.set_read_paused(paused, now),
            Event::Received(bytes) => {
                assert!(self.timers.max_bytes(now) > 0);
                self.timers.bytes_received(now);
                self.timers.count_bytes(bytes.into(), now);
                if self.has_write_failed {
                    self.timers.set_closing(now);
                }
            }
            Event::SendQueue(bytes) => self.send_queue = bytes.map(u32::from),
            Event::WriteBlocked => self.timers.write_blocked(now),
            Event::WriteDone => self.timers.write_done(),
            Event::WriteFailed => {
                (self.is_closing, self.has_write_failed) = (true, true);
                self.timers.write_done();
                self.timers.set_pong_due(false, now);
                self.timers.set_write_failed(now);
            }
            // Enough of them for seconds at the slowest rate.
            Event::Written(bytes) => self.timers.bytes_written(usize::from(bytes) * 16, now),
        }
    }

    /// As the connection's task does when it was polled for some other reason, or by its timer.
    fn look(&mut self) {
        for _ in 0..20 {
            let running = self.timers.running();
            let (is_earlier, is_later) = (self.timers.take_earlier(), self.timers.take_later());
            let has_fired = self.timer <= self.now;
            if running & !self.armed == 0
                && !is_earlier
                && !is_later
                && !has_fired
                && self.is_registered
                && !self.is_eager
            {
                return;
            }
            self.armed = running;
            self.is_registered = false;
            match self.timers.poll(self.now) {
                Due::Nothing(next) => {
                    if self.is_eager {
                        self.model.nothing_is_due(self.timers.is_rate_paused(), self.now);
                    }
                    let next = next.unwrap_or(self.now + IDLE).min(self.now + IDLE);
                    assert!(next > self.now, "a timer for the past");
                    if next < self.timer || has_fired || is_later || self.is_eager {
                        self.timer = next;
                    }
                    self.is_registered = true;
                    return;
                }
                due => self.is_told(due),
            }
            if self.has_ended {
                return;
            }
        }
        panic!("something is due again and again");
    }

    fn is_told(&mut self, due: Due) {
        self.model.is_due(&due, self.now);
        self.told.push((self.now - self.start, due.clone()));
        match due {
            Due::Close => self.has_ended = true,
            Due::Deadline | Due::Failed(_) if self.has_write_failed => self.has_ended = true,
            Due::Failed(failure) if failure == "KeepaliveTimeout" && self.timers.is_write_blocked() => {
                self.has_ended = true
            }
            Due::Deadline | Due::Failed(_) => self.close(),
            Due::Ping => {
                self.pings += 1;
            }
            Due::SampleSendQueue => {
                let progress = self.timers.send_queue_sampled(self.send_queue, self.now);
                self.model.sampled(progress, self.now);
            }
            Due::Nothing(_) | Due::ResumeReading => {}
        }
    }

    /// The end begins, once.
    fn close(&mut self) {
        self.has_ended |= self.has_write_failed;
        if !std::mem::replace(&mut self.is_closing, true) {
            self.timers.stop_rate_limit();
            self.timers.set_read_paused(false, self.now);
            self.timers.set_closing(self.now);
            self.model.closes(self.now);
        }
    }
}

const IDLE: Duration = Duration::from_secs(24 * 60 * 60);
