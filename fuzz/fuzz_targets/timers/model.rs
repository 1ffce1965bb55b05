//! What the documentation of `Keepalive` and `Limits` promises of each limit, from when on it may strike and until when it must.

use std::time::Duration;

use tokio::time::Instant;
use tower_websocket::fuzz_doors::Due;
use tower_websocket::{Keepalive, Limits};

use super::{Event, tenths};

pub(super) struct Model {
    interval: Option<Duration>,
    timeout: Option<Duration>,
    message: Duration,
    write: Duration,
    close: Duration,
    min_data_rate: u64,
    has_send_queue: bool,
    end_of_life: Option<Instant>,
    rates: Vec<Rate>,

    /// When the peer last showed life: something arrived, or it took data that it had refused for a while.
    life: Instant,
    last_ping: Instant,
    /// The first ping since then.
    first_ping: Option<Instant>,
    /// Bytes written that the peer may not have got through.
    backlog: u64,
    /// Since when that is much, and whether a ping was sent behind it: none is answered here.
    much: Option<(Instant, bool)>,
    read_paused: bool,
    /// How long a message has been arriving, but for the times in which reading was paused, and when that was counted.
    mid_message: Option<(Duration, Instant)>,
    /// Since when no data is taken; whether not even into buffers of the transport.
    blocked: Option<Instant>,
    refused: bool,
    /// It took some since it was first blocked.
    is_slow: bool,
    pong_due: Option<Instant>,
    deadline: Option<Instant>,
    closing: Option<Instant>,
    /// It closes, and receives until then.
    has_write_failed: bool,
}

/// The generic cell rate algorithm.
struct Rate {
    per_second: u64,
    burst: Duration,
    arrival: Instant,
    is_bytes: bool,
}

impl Rate {
    fn time_for(&self, units: u64) -> Duration {
        Duration::from_nanos((units * 1_000_000_000).div_ceil(self.per_second))
    }
}

impl Model {
    pub(super) fn new(keepalive: Keepalive, limits: &Limits, has_send_queue: bool, start: Instant) -> Self {
        let rate_limit = limits.get_rate_limit();
        let rate = |per_second: Option<u32>, is_bytes| {
            let mut rate = Rate { per_second: per_second?.into(), burst: Duration::ZERO, arrival: start, is_bytes };
            rate.burst = rate_limit.get_burst().max(rate.time_for(1));
            Some(rate)
        };
        Self {
            interval: keepalive.get_interval(),
            timeout: keepalive.get_timeout(),
            message: limits.get_message_timeout(),
            write: limits.get_write_timeout(),
            close: limits.get_close_timeout(),
            min_data_rate: limits.get_min_data_rate().into(),
            has_send_queue,
            end_of_life: limits.get_max_lifetime().map(|lifetime| start + lifetime),
            rates: [rate(rate_limit.get_messages(), false), rate(rate_limit.get_bytes(), true)]
                .into_iter()
                .flatten()
                .collect(),
            life: start,
            last_ping: start,
            first_ping: None,
            backlog: 0,
            much: None,
            read_paused: false,
            mid_message: None,
            blocked: None,
            refused: false,
            is_slow: false,
            pong_due: None,
            deadline: None,
            closing: None,
            has_write_failed: false,
        }
    }

    pub(super) fn happens(&mut self, event: Event, now: Instant) {
        self.count_message_time(now);
        match event {
            Event::Deadline(after) => self.deadline = after.map(|after| now + tenths(after)),
            Event::FlushBlocked => drop(self.blocked.get_or_insert(now)),
            Event::WriteBlocked => {
                self.blocked.get_or_insert(now);
                self.refused = true;
            }
            Event::WriteDone => (self.blocked, self.refused, self.is_slow) = (None, false, false),
            Event::MessageReceived => self.arrives(1, false, now),
            Event::MidMessage(false) => self.mid_message = None,
            Event::MidMessage(true) => drop(self.mid_message.get_or_insert((Duration::ZERO, now))),
            Event::PongDue(due) => self.pong_due = due.then(|| self.pong_due.unwrap_or(now)),
            Event::ReadPaused(paused) => {
                if self.read_paused && !paused {
                    self.lives(now);
                }
                self.read_paused = paused;
            }
            Event::Received(bytes) => {
                self.lives(now);
                // While it closes, pings do not show that it has come to our close frame.
                let is_through =
                    self.much.is_none_or(|(since, is_pinged)| !is_pinged && now - since >= LONGEST_SILENCE);
                if self.closing.is_none() && is_through {
                    (self.backlog, self.much) = (0, None);
                }
                self.arrives(bytes.into(), true, now);
                if self.has_write_failed {
                    self.closing = Some(now);
                }
            }
            Event::WriteFailed => {
                (self.blocked, self.refused, self.is_slow, self.pong_due) = (None, false, false, None);
                (self.closing, self.has_write_failed) = (Some(now), true);
            }
            Event::Written(bytes) => {
                if std::mem::take(&mut self.refused)
                    && self.blocked.take().is_some_and(|since| now - since >= Duration::from_millis(10))
                {
                    self.lives(now);
                    self.backlog = self.backlog.min(5 * self.min_data_rate);
                    if self.backlog < MUCH {
                        self.much = None;
                    }
                    self.is_slow = true;
                }
                self.backlog += u64::from(bytes) * 16;
                if self.backlog >= MUCH {
                    self.much.get_or_insert((now, false));
                }
                self.goes_on(now);
            }
            Event::Close | Event::Nothing | Event::SendQueue(_) => {}
        }
    }

    /// The kernel's send queue was looked at.
    pub(super) fn sampled(&mut self, progress: bool, now: Instant) {
        assert!(self.has_send_queue);
        if progress {
            self.lives(now);
            if let Some(blocked) = &mut self.blocked {
                *blocked = now;
                self.is_slow = true;
            }
            self.goes_on(now);
        }
    }

    /// The end begins.
    pub(super) fn closes(&mut self, now: Instant) {
        if self.read_paused {
            self.lives(now);
        }
        self.count_message_time(now);
        self.read_paused = false;
        self.closing = Some(now);
        self.rates.clear();
    }

    /// This is not too early.
    pub(super) fn is_due(&mut self, due: &Due, now: Instant) {
        self.count_message_time(now);
        let open = self.closing.is_none();
        let receives = open || self.has_write_failed;
        match due {
            Due::Close => assert!(self.close_time().is_some_and(|(earliest, _)| earliest <= now)),
            Due::Deadline => assert!(receives && self.deadline.take().is_some_and(|deadline| deadline <= now)),
            Due::Failed(failure) => {
                assert!(receives, "{failure} while closing");
                let is_due = match failure.as_str() {
                    "KeepaliveTimeout" => open && self.silence().is_some_and(|(earliest, _)| earliest <= now),
                    "WriteTimeout" => {
                        self.write_time().is_some_and(|(earliest, _)| earliest <= now)
                            || self.pong_time().is_some_and(|due| due <= now)
                    }
                    "MessageTimeout" => {
                        !self.read_paused && self.mid_message.is_some_and(|(time, _)| time >= self.message)
                    }
                    "LifetimeExceeded" => self.end_of_life.is_some_and(|end| end <= now),
                    _ => false,
                };
                assert!(is_due, "{failure} is early");
            }
            Due::Ping => {
                assert!(open && self.ping_time().is_some_and(|due| due <= now), "a ping is early");
                self.last_ping = now;
                self.first_ping.get_or_insert(now);
                self.much = self.much.map(|(since, _)| (since, true));
            }
            Due::ResumeReading => {
                assert!(self.rates.iter().all(|rate| rate.arrival <= now + rate.burst), "reading goes on too early");
            }
            Due::Nothing(_) | Due::SampleSendQueue => {}
        }
    }

    /// Nothing is too late.
    pub(super) fn nothing_is_due(&mut self, is_rate_paused: bool, now: Instant) {
        self.count_message_time(now);
        let is_late = |due: Option<Instant>| due.is_some_and(|due| due <= now);
        let latest = |time: Option<(Instant, Instant)>| time.map(|(_, latest)| latest);
        if is_rate_paused {
            assert!(self.rates.iter().any(|rate| rate.arrival > now), "reading goes on too late");
        }
        if self.closing.is_some() {
            assert!(!is_late(latest(self.close_time())), "the end is late");
        }
        if self.closing.is_none() || self.has_write_failed {
            assert!(!is_late(self.end_of_life), "the end of life is late");
            assert!(!is_late(self.deadline), "the deadline is late");
            let is_whole = self.mid_message.is_none_or(|(time, _)| time < self.message);
            assert!(is_whole || self.read_paused, "half a message is noticed late");
        }
        if self.closing.is_some() {
            return;
        }
        assert!(!is_late(latest(self.silence())), "silence is noticed late");
        assert!(!is_late(latest(self.write_time())), "a peer that takes nothing is noticed late");
        assert!(!is_late(self.pong_time()), "a pong that does not leave is noticed late");
        assert!(!is_late(self.ping_time()), "a ping is late");
    }

    fn lives(&mut self, now: Instant) {
        self.life = now;
        self.first_ping = None;
    }

    /// The end was seen to go on.
    fn goes_on(&mut self, now: Instant) {
        if let Some(closing) = &mut self.closing {
            *closing = now;
        }
    }

    fn arrives(&mut self, units: u64, is_bytes: bool, now: Instant) {
        for rate in self.rates.iter_mut().filter(|rate| rate.is_bytes == is_bytes) {
            rate.arrival = rate.arrival.max(now) + rate.time_for(units);
        }
    }

    fn count_message_time(&mut self, now: Instant) {
        if let Some((time, counted)) = &mut self.mid_message {
            if !self.read_paused {
                *time += now - *counted;
            }
            *counted = now;
        }
    }

    /// Whether what was written may keep the peer busy.
    fn may_be_busy(&self) -> bool {
        self.backlog >= self.min_data_rate
    }

    fn ping_time(&self) -> Option<Instant> {
        Some(self.life.max(self.last_ping) + self.interval?)
    }

    /// Silence: the timeout, and behind a ping what is left of it; more where the peer may be busy.
    fn silence(&self) -> Option<(Instant, Instant)> {
        let timeout = self.timeout.filter(|_| !self.read_paused)?;
        let mut earliest = self.life + timeout;
        if let Some(interval) = self.interval.filter(|interval| *interval < timeout) {
            earliest = earliest.max(self.first_ping? + (timeout - interval));
        }
        let mut latest = earliest;
        if let Some((_, write)) = self.write_time() {
            latest = latest.max(write);
        } else if self.may_be_busy() {
            latest += LONGEST_SILENCE.saturating_sub(timeout);
        }
        Some((earliest, latest))
    }

    /// A peer that takes nothing: the write time; more where it was seen to be slow.
    fn write_time(&self) -> Option<(Instant, Instant)> {
        let since = self.blocked?;
        Some(match (self.is_slow, self.has_send_queue) {
            (false, _) => (since + self.write, since + self.write),
            (true, false) => (since + self.write.max(GRACE), since + self.write.max(GRACE)),
            (true, true) => (since + self.write.max(GRACE), since + self.write.max(LONGEST_SILENCE)),
        })
    }

    fn pong_time(&self) -> Option<Instant> {
        let (blocked, due) = (self.blocked?, self.pong_due?);
        (!self.is_slow).then(|| (blocked + GRACE).max(blocked.max(due) + Duration::from_secs(2)))
    }

    fn close_time(&self) -> Option<(Instant, Instant)> {
        let since = self.closing?;
        let (least, most) = (since + self.close, since + self.close.max(LONGEST_SILENCE));
        Some(match self.write_time() {
            _ if self.read_paused => (most, most),
            Some((earliest, latest)) => (least.max(earliest), least.max(latest)),
            None if self.may_be_busy() => (least, most),
            None => (least, least),
        })
    }
}

const GRACE: Duration = Duration::from_secs(5);
/// From so many bytes on a sign of life does not show that the peer is through.
const MUCH: u64 = 64 * 1024;
const LONGEST_SILENCE: Duration = Duration::from_secs(29);
