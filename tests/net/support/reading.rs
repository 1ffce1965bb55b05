//! Peers that read slowly, in their own way.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep_until, timeout};

use super::{Peer, close, millis, ping, pong, secs, text};

/// All that a peer has received up to the end of its transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Received {
    /// Bytes of data.
    pub(crate) data: usize,
    /// The code of the close frame.
    pub(crate) code: Option<u16>,
}

/// How a peer reads.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    /// Bytes per second.
    rate: usize,
    /// How long it reads nothing, between the times that it reads all that it may by then.
    pause: Duration,
    pings_every: Option<Duration>,
    /// When it sends a message, once.
    speaks_after: Option<Duration>,
    /// Once it has so many bytes of data, it closes.
    closes_after: Option<usize>,
}

impl Reading {
    pub(crate) const fn at(rate: usize) -> Self {
        Self { rate, pause: Duration::ZERO, pings_every: None, speaks_after: None, closes_after: None }
    }

    pub(crate) const fn pausing(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    pub(crate) const fn pinging(self, interval: Duration) -> Self {
        Self { pings_every: Some(interval), ..self }
    }

    pub(crate) const fn speaking_after(self, time: Duration) -> Self {
        Self { speaks_after: Some(time), ..self }
    }

    pub(crate) const fn closing_after(self, bytes: usize) -> Self {
        Self { closes_after: Some(bytes), ..self }
    }
}

impl Peer {
    /// Reads at this rate, in bytes per second, up to the end of the transport.
    pub(crate) async fn read_steadily(&mut self, rate: usize) -> Received {
        self.read(Reading::at(rate)).await
    }

    /// Reads up to the end of the transport, and answers pings and a close frame as it sees them.
    pub(crate) async fn read(&mut self, reading: Reading) -> Received {
        let mut all = Received::default();
        let start = Instant::now();
        let (mut taken, mut pinged) = (0, start);
        let mut speaks_after = reading.speaks_after;
        loop {
            while let Some(frame) = self.take() {
                // The other side may have ended already.
                let _ = match frame.first {
                    0x88 => {
                        all.code = Some(frame.code());
                        if reading.closes_after.is_none() { self.try_send(frame).await } else { Ok(()) }
                    }
                    0x89 => self.try_send(pong(frame.payload)).await,
                    0x8a => Ok(()),
                    _ => {
                        all.data += frame.payload.len();
                        if reading.closes_after == Some(all.data) {
                            self.try_send(close(1000, "")).await
                        } else {
                            Ok(())
                        }
                    }
                };
            }
            if reading.pings_every.is_some_and(|interval| pinged.elapsed() >= interval) {
                pinged = Instant::now();
                let _ = self.try_send(ping("alive?")).await;
            }
            if speaks_after.take_if(|time| start.elapsed() >= *time).is_some() {
                let _ = self.try_send(text("hello")).await;
            }
            let due = taken as f64 / reading.rate as f64;
            // Whole pauses, then all that was due meanwhile.
            let pause = reading.pause.as_secs_f64();
            let due = if pause > 0.0 { (due / pause).floor() * pause } else { due };
            sleep_until(start + Duration::from_secs_f64(due)).await;
            let most = (reading.rate / 20).clamp(64, 64 * 1024);
            let mut part = vec![0; most];
            match timeout(secs(100), self.io.read(&mut part)).await.expect("data, or the end") {
                Ok(len @ 1..) => {
                    taken += len;
                    self.received.extend_from_slice(&part[..len]);
                }
                _ => return all,
            }
        }
    }

    /// Reads everything, as fast as it comes.
    pub(crate) async fn read_to_end(&mut self) -> Received {
        self.read_steadily(1 << 30).await
    }

    /// Lets everything arrive that is under way.
    pub(crate) async fn settle(&mut self) {
        tokio::time::sleep(millis(100)).await;
    }
}
