//! The receiving half that a connection shares with its handles: messages that no handle has received yet.

use std::collections::VecDeque;

use crate::budget::Charge;
use crate::limits::Limits;
use crate::message::Message;

/// Whole messages in order, each received once.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// The message that arrived when nothing was unread: usually the only one (`benches/echo.rs`).
    first: Option<Message>,
    first_len: usize,
    /// The messages that arrived after `first`, which may have been received already.
    #[expect(clippy::box_collection, reason = "usually there is none: 8 bytes of an idle connection, not 32")]
    rest: Option<Box<VecDeque<Unread>>>,
    /// The size of all unread messages; each counts at least as [`MIN_SIZE`].
    bytes: usize,
    limit: usize,
    charge: Charge,
    messages_received: u64,
    payload_received: u64,
}

/// A message with its length: computing it again would be a hundredth of a burst's instructions.
#[derive(Debug)]
struct Unread {
    message: Message,
    len: usize,
}

impl Incoming {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            first: None,
            first_len: 0,
            rest: None,
            bytes: 0,
            limit: limits.incoming,
            charge: limits.budget.charge(),
            messages_received: 0,
            payload_received: 0,
        }
    }

    /// Whether another message may be added: always if nothing is unread, otherwise while unread messages are below the limit.
    #[inline]
    pub(crate) fn has_capacity(&self) -> bool {
        self.bytes < self.limit || self.bytes == 0
    }

    /// Adds a message of this length.
    #[inline]
    pub(crate) fn push(&mut self, message: Message, len: usize) {
        self.count(len);
        if self.bytes == 0 {
            self.first = Some(message);
            self.first_len = len;
        } else {
            self.rest.get_or_insert_default().push_back(Unread { message, len });
        }
        self.bytes += len.max(MIN_SIZE);
    }

    /// Removes the next message.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Message> {
        let mut len = self.first_len;
        let message = match self.first.take() {
            Some(first) => first,
            None => {
                let next = self.rest.as_mut()?.pop_front()?;
                len = next.len;
                next.message
            }
        };
        self.bytes -= len.max(MIN_SIZE);
        if self.bytes == 0 && self.rest.as_ref().is_some_and(|rest| rest.capacity() > SPARE) {
            self.rest = None;
        }
        self.charge.lower(self.bytes);
        Some(message)
    }

    /// Charges unread messages to the budget, which may exceed its limit: returns `false` then. Called before the connection
    /// sleeps, so that messages that are received at once are not charged.
    #[inline]
    pub(crate) fn charge_unread(&mut self) -> bool {
        self.charge.raise_or_exceed(if self.bytes > UNCHARGED { self.bytes } else { 0 })
    }

    /// Counts a message that is discarded.
    #[inline]
    pub(crate) fn count(&mut self, len: usize) {
        self.messages_received += 1;
        self.payload_received += len as u64;
    }

    /// Drops all messages.
    pub(crate) fn clear(&mut self) {
        self.first = None;
        self.rest = None;
        self.bytes = 0;
        self.charge.release();
    }

    /// The size of all unread messages, in bytes.
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

/// The minimum size that a message counts as, so that the number of empty ones is limited too.
const MIN_SIZE: usize = size_of::<Message>();
/// Capacity for this many messages is kept for the next burst.
const SPARE: usize = 32;
/// Up to this many bytes are not charged, so that small messages do not modify a counter that all connections share.
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
        let mut pushed = 0;
        while incoming.has_capacity() {
            incoming.push(Message::from(Vec::new()), 0);
            pushed += 1;
        }
        assert_eq!(pushed, 1000_usize.div_ceil(MIN_SIZE));
    }

    #[test]
    fn a_message_uses_capacity_until_it_is_received() {
        let mut incoming = Incoming::new(&Limits::default().incoming(1000));
        for _ in 0..2 {
            incoming.push(Message::from(vec![0; 600]), 600);
            assert!(incoming.has_capacity());
            incoming.push(Message::from(vec![0; 400]), 400);
            assert!(!incoming.has_capacity());
            incoming.pop();
            assert_eq!((incoming.bytes, incoming.has_capacity()), (400, true));
            incoming.pop();
            assert_eq!(incoming.bytes, 0);
        }
        assert_eq!((incoming.messages_received(), incoming.payload_received()), (4, 2000));
    }

    #[test]
    fn the_capacity_of_a_short_burst_is_kept_and_that_of_a_long_one_freed() {
        for (messages, kept) in [(33, true), (34, false)] {
            let mut incoming = Incoming::new(&Limits::default());
            for _ in 0..messages {
                incoming.push(Message::from(Vec::new()), 0);
            }
            while incoming.pop().is_some() {}
            assert_eq!(incoming.rest.is_some(), kept, "{messages} messages");
        }
    }

    #[test]
    fn dropped_messages_are_no_longer_charged() {
        let budget = Budget::new(10_000);
        let mut incoming = Incoming::new(&Limits::default().incoming(1).budget(budget.clone()));
        for _ in 0..2 {
            incoming.push(Message::from(vec![0; 4097]), 4097);
        }
        assert!(incoming.charge_unread() && budget.used() == 8194);
        incoming.clear();
        assert_eq!((budget.used(), incoming.bytes, incoming.pop().is_none()), (0, 0, true));
        incoming.push(Message::from(Vec::new()), 0);
        assert!(incoming.pop().is_some_and(|message| message.is_empty()) && incoming.pop().is_none());
    }

    #[test]
    fn up_to_4_kib_are_not_charged() {
        let budget = Budget::new(10_000);
        for (len, charged) in [(4096, 0), (4097, 4097)] {
            let mut incoming = Incoming::new(&Limits::default().budget(budget.clone()));
            incoming.push(Message::from(vec![0; len]), len);
            assert!(incoming.charge_unread());
            assert_eq!(budget.used(), charged);
        }
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
