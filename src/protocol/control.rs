//! Pings and pongs that are to be sent (RFC 6455 §5.5.2, §5.5.3).

use super::frame::Control;
use super::send::WriteBuffer;
use crate::role::Role;

/// Pings and pongs, which are written before queued data.
#[derive(Debug)]
pub(crate) struct ControlFrames {
    role: Role,
    /// Boxed, because usually there are none.
    queued: Option<Box<Queued>>,
    /// Our close frame is being written or has been written: nothing may follow it.
    stopped: bool,
}

#[derive(Debug, Default)]
struct Queued {
    frames: WriteBuffer,
    /// The payload of our latest ping, if it is in `frames`.
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

    /// Moves all of them to the end of what is being written. Returns their size in bytes.
    #[inline]
    pub(crate) fn take(&mut self, writing: &mut WriteBuffer) -> usize {
        let Some(mut queued) = self.queued.take() else { return 0 };
        let len = queued.frames.len();
        writing.append(&mut queued.frames);
        len
    }

    /// Drops all control frames, and refuses later ones: our close frame has been gathered, or nothing can be written any more.
    pub(crate) fn stop(&mut self) {
        self.queued = None;
        self.stopped = true;
    }

    /// Whether [`stop`](Self::stop) was called.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped
    }

    fn push(&mut self, control: Control, payload: &[u8]) {
        if self.stopped {
            return;
        }
        // RFC 6455 §5.5.3 allows answering only the latest ping: do so if a peer sends pings and does not read the pongs.
        let Queued { frames, ping } = &mut **self.queued.get_or_insert_default();
        if frames.len() + payload.len() > MAX_QUEUED {
            frames.clear();
            // Our own ping is kept: `Manager::ping` waits for its answer.
            if let Some(ping) = ping {
                frames.push_control(self.role, Control::Ping, ping);
            }
        }
        frames.push_control(self.role, control, payload);
    }
}

/// How many bytes of control frames can wait to be written. The last frame may exceed it by its header.
const MAX_QUEUED: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_pongs_are_kept() {
        let mut control = ControlFrames::new(Role::Server);
        for number in 0..=255 {
            control.push_pong(&[number; 100]);
            assert!((1..=MAX_QUEUED + 2).contains(&control.queued.as_ref().unwrap().frames.len()));
        }
        assert!(control.queued.unwrap().frames.front().ends_with(&[255; 100]));
    }

    #[test]
    fn at_most_4_kib_wait() {
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
    fn our_ping_is_kept_when_pongs_are_dropped() {
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
    fn nothing_is_sent_after_a_close_frame() {
        let mut control = ControlFrames::new(Role::Server);
        control.push_ping(b"1");
        control.stop();
        control.push_pong(b"2");
        assert!(control.is_empty());
    }
}
