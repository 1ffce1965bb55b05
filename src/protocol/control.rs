//! Pings and pongs on their way out (RFC 6455 §5.5.2, §5.5.3).

use super::frame::Control;
use super::send::WriteBuffer;
use crate::role::Role;

/// Control frames that go before everything that is queued.
#[derive(Debug)]
pub(crate) struct ControlFrames {
    role: Role,
    /// Most often there are none, which then need no memory.
    frames: Option<Box<WriteBuffer>>,
    /// Our close frame is being written or written: nothing may follow it.
    stopped: bool,
}

impl ControlFrames {
    pub(crate) fn new(role: Role) -> Self {
        Self { role, frames: None, stopped: false }
    }

    pub(crate) fn push_ping(&mut self, payload: &[u8]) {
        self.push(Control::Ping, payload);
    }

    pub(crate) fn push_pong(&mut self, payload: &[u8]) {
        self.push(Control::Pong, payload);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_none()
    }

    /// Appends all of them to what is being written, and says how many bytes they are.
    pub(crate) fn take(&mut self, writing: &mut WriteBuffer) -> usize {
        let Some(mut frames) = self.frames.take() else { return 0 };
        let len = frames.len();
        writing.append(&mut frames);
        len
    }

    /// Nothing more is sent: our close frame goes out, or nothing does.
    pub(crate) fn stop(&mut self) {
        self.frames = None;
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
        let frames = self.frames.get_or_insert_default();
        if frames.len() + payload.len() > MOST {
            frames.clear();
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
            assert!((1..=MOST + 2).contains(&control.frames.as_ref().unwrap().len()));
        }
        assert!(control.frames.unwrap().front().ends_with(&[255; 100]));
    }

    #[test]
    fn so_many_wait_as_fit_into_4_kib() {
        let mut control = ControlFrames::new(Role::Server);
        let waiting = |control: &ControlFrames| control.frames.as_ref().unwrap().len();
        // Forty of them are 4080 bytes, with their headers.
        for number in 1..=40 {
            control.push_pong(&[0; 100]);
            assert_eq!(waiting(&control), number * 102);
        }
        for (payload, len) in [(16, 4080 + 18), (1, 3), (125, 130)] {
            control.push_ping(&vec![0; payload]);
            assert_eq!(waiting(&control), len);
        }
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
