//! The receiving half that a connection shares with its handles: messages that nobody has received yet.

use std::collections::VecDeque;

use crate::budget::Charge;
use crate::limits::Limits;
use crate::message::Message;

/// Whole messages in order, each received once.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// Most often all there is (`benches/echo.rs`).
    first: Option<Unread>,
    rest: VecDeque<Unread>,
    /// What they take.
    bytes: usize,
    limit: usize,
    charge: Charge,
    messages_received: u64,
    payload_received: u64,
}

/// A message with its length: asking it takes a hundredth of a burst's instructions.
#[derive(Debug)]
struct Unread {
    message: Message,
    len: usize,
}

impl Incoming {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            first: None,
            rest: VecDeque::new(),
            bytes: 0,
            limit: limits.incoming,
            charge: limits.budget.charge(),
            messages_received: 0,
            payload_received: 0,
        }
    }

    /// Whether another message may be received. One always may; more only while what is unread is below the limit.
    #[inline]
    pub(crate) fn has_capacity(&self) -> bool {
        self.bytes < self.limit || self.first.is_none()
    }

    /// Adds a message of this length.
    #[inline]
    pub(crate) fn push(&mut self, message: Message, len: usize) {
        self.count(len);
        self.bytes += len.max(LEAST);
        let unread = Unread { message, len };
        if self.first.is_none() {
            self.first = Some(unread);
        } else {
            self.rest.push_back(unread);
        }
    }

    /// The next message.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Message> {
        let Unread { message, len } = self.first.take()?;
        self.bytes -= len.max(LEAST);
        if !self.rest.is_empty() {
            self.first = self.rest.pop_front();
            if self.rest.is_empty() && self.rest.capacity() > SPARE {
                self.rest = VecDeque::new();
            }
        }
        self.charge.lower(self.bytes);
        Some(message)
    }

    /// Charges what is unread to the budget. Done before the connection sleeps: messages that are received at once are not
    /// charged. `false`: the budget has no room, and is over its limit by what is unread.
    pub(crate) fn charge_unread(&mut self) -> bool {
        self.charge.raise_or_exceed(if self.bytes > UNCHARGED { self.bytes } else { 0 })
    }

    /// Counts a message that nobody wants.
    pub(crate) fn count(&mut self, len: usize) {
        self.messages_received += 1;
        self.payload_received += len as u64;
    }

    /// Forgets all messages: nobody is left to receive them.
    pub(crate) fn clear(&mut self) {
        self.first = None;
        self.rest = VecDeque::new();
        self.bytes = 0;
        self.charge.release();
    }

    /// What is unread.
    pub(crate) fn unread_bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn messages_received(&self) -> u64 {
        self.messages_received
    }

    pub(crate) fn payload_received(&self) -> u64 {
        self.payload_received
    }
}

/// What a message counts for at least, so that many empty ones have a bound too.
const LEAST: usize = size_of::<Message>();
/// Room for so many messages stays when they were received: for the next burst.
const SPARE: usize = 32;
/// So little is not charged, so that small messages do not touch a counter that all connections share.
const UNCHARGED: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;

    #[test]
    fn one_message_of_any_size_and_more_up_to_the_limit() {
        let mut incoming = Incoming::new(&Limits::default().incoming(1000));
        incoming.push(Message::from(vec![0; 5000]), 5000);
        assert!(!incoming.has_capacity());
        assert_eq!(incoming.pop().unwrap().len(), 5000);
        let mut held = 0;
        while incoming.has_capacity() {
            incoming.push(Message::from(Vec::new()), 0);
            held += 1;
        }
        assert_eq!(held, 1000_usize.div_ceil(LEAST));
    }

    #[test]
    fn what_is_unread_is_charged_until_it_is_received() {
        let budget = Budget::new(10_000);
        let mut incoming = Incoming::new(&Limits::default().budget(budget.clone()));
        incoming.push(Message::from(vec![0; 4000]), 4000);
        assert!(incoming.charge_unread());
        assert_eq!(budget.used(), 0);
        incoming.push(Message::from(vec![0; 4000]), 4000);
        assert!(incoming.charge_unread());
        assert_eq!(budget.used(), 8000);
        incoming.push(Message::from(vec![0; 4000]), 4000);
        assert!(!incoming.charge_unread());
        assert_eq!(budget.used(), 12_000);
        while incoming.pop().is_some() {}
        assert_eq!(budget.used(), 0);
    }
}
