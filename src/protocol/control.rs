//! Pings and pongs on their way out (RFC 6455 §5.5.2, §5.5.3).

use super::frame::Control;
use super::send::WriteBuffer;
use crate::role::Role;

/// Control frames that go before everything that is queued.
#[derive(Debug)]
pub(crate) struct ControlFrames {
    role: Role,
    /// Most often there are none, which then need no memory.
    queued: Option<Box<Queued>>,
    /// Our close frame is being written or written: nothing may follow it.
    stopped: bool,
}

#[derive(Debug, Default)]
struct Queued {
    frames: WriteBuffer,
    /// The payload of our latest ping, while it is among them.
    ping: Option<Box<[u8]>>,
}

impl ControlFrames {
    pub(crate) fn new(role: Role) -> Self {
        Self { role, queued: None, stopped: false }
    }

    pub(crate) fn push_ping(&mut self, payload: &[u8]) {
        self.push(Control::Ping, payload);
        if let Some(queued) = &mut self.queued {
            queued.ping = Some(payload.into());
        }
    }

    pub(crate) fn push_pong(&mut self, payload: &[u8]) {
        self.push(Control::Pong, payload);
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.queued.is_none()
    }

    /// Appends all of them to what is being written, and says how many bytes they are.
    #[inline]
    pub(crate) fn take(&mut self, writing: &mut WriteBuffer) -> usize {
        let Some(mut queued) = self.queued.take() else { return 0 };
        let len = queued.frames.len();
        writing.append(&mut queued.frames);
        len
    }

    /// Nothing more is sent: our close frame goes out, or nothing does.
    pub(crate) fn stop(&mut self) {
        self.queued = None;
        self.stopped = true;
    }

    /// Whether nothing more is sent.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped
    }

    fn push(&mut self, control: Control, payload: &[u8]) {
        if self.stopped {
            return;
        }
        // RFC 6455 §5.5.3 lets us answer the latest ping alone: do so where a peer sends them without reading.
        let Queued { frames, ping } = &mut **self.queued.get_or_insert_default();
        if frames.len() + payload.len() > MOST {
            frames.clear();
            // `Manager::ping` waits for the answer to that.
            if let Some(ping) = ping {
                frames.push_control(self.role, Control::Ping, ping);
            }
        }
        frames.push_control(self.role, control, payload);
    }
}

/// Bytes of control frames that may wait to be written.
const MOST: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_pongs_wait() {
        let mut control = ControlFrames::new(Role::Server);
        for number in 0..=255 {
            control.push_pong(&[number; 100]);
            assert!((1..=MOST + 2).contains(&control.queued.as_ref().unwrap().frames.len()));
        }
        assert!(control.queued.unwrap().frames.front().ends_with(&[255; 100]));
    }

    #[test]
    fn so_many_wait_as_fit_into_4_kib() {
        let mut control = ControlFrames::new(Role::Server);
        let waiting = |control: &ControlFrames| control.queued.as_ref().unwrap().frames.len();
        // Forty of them are 4080 bytes, with their headers.
        for number in 1..=40 {
            control.push_pong(&[0; 100]);
            assert_eq!(waiting(&control), number * 102);
        }
        for (payload, len) in [(16, 4080 + 18), (1, 18 + 3), (125, 21 + 127)] {
            control.push_ping(&vec![0; payload]);
            assert_eq!(waiting(&control), len);
        }
    }

    #[test]
    fn our_ping_stays_among_pongs_that_do_not() {
        let mut control = ControlFrames::new(Role::Server);
        control.push_ping(b"ours");
        for _ in 0..100 {
            control.push_pong(&[0; 100]);
        }
        let mut writing = WriteBuffer::default();
        let len = control.take(&mut writing);
        let count = writing.front()[..len].windows(6).filter(|bytes| bytes == b"\x89\x04ours").count();
        assert_eq!(count, 1);
    }

    #[test]
    fn nothing_goes_behind_a_close_frame() {
        let mut control = ControlFrames::new(Role::Server);
        control.push_ping(b"1");
        control.stop();
        control.push_pong(b"2");
        assert!(control.is_empty());
    }
}
