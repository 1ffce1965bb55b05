use std::{
    collections::VecDeque,
    iter::repeat_n,
    ops::Range,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Result;
use flate2::Decompress;

use super::{replies::Replies, script::Script};

/// One connection's part: what it has said and heard so far. Knows no transport.
#[derive(Debug)]
pub struct Conversation {
    pub script: Rc<Script>,
    sent: u64,
    received: u64,
    replies: Replies,
    inflater: Option<Decompress>,
    /// When the messages were sent that are not answered yet.
    sent_at: VecDeque<Instant>,
    /// How long each answer took while that was measured.
    pub times: Vec<Duration>,
}

/// How long connections talk. Each then waits for the replies it still expects, so that nothing is under way between two
/// phases, when the meters are read.
#[derive(Debug)]
pub struct Phase {
    pub until: Instant,
    /// Replies that each connection must have had in all, however long it takes.
    pub at_least: u64,
    /// Whether replies are compared byte by byte.
    pub verify: bool,
}

impl Conversation {
    pub fn new(script: Rc<Script>) -> Self {
        Self {
            inflater: script.inflater(),
            script,
            sent: 0,
            received: 0,
            replies: Replies::default(),
            sent_at: VecDeque::new(),
            times: Vec::new(),
        }
    }

    /// The place of the next `count` messages in the script; they are now sent.
    pub fn say(&mut self, count: usize) -> Range<usize> {
        let burst = self.script.burst(self.sent, count);
        self.sent += count as u64;
        self.sent_at.extend(repeat_n(Instant::now(), count));
        burst
    }

    /// Takes in what came, and tells how many messages to send in return.
    pub fn hear(&mut self, bytes: &[u8], phase: &Phase) -> Result<usize> {
        let before = self.received;
        let now = Instant::now();
        self.replies.feed(bytes, phase.verify, |reply| {
            self.script.check(self.received, &reply, &mut self.inflater)?;
            self.received += 1;
            let sent_at = self.sent_at.pop_front();
            if !phase.verify {
                self.times.extend(sent_at.map(|sent_at| now - sent_at));
            }
            Ok(())
        })?;
        let goes_on = self.received < phase.at_least || now < phase.until;
        Ok(if goes_on { (self.received - before) as usize } else { 0 })
    }

    /// Whether every message was answered.
    pub fn is_quiet(&self) -> bool {
        self.sent == self.received
    }

    pub fn received(&self) -> u64 {
        self.received
    }
}
