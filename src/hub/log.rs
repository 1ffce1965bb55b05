//! The order of a topic's publications.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

use super::history::{History, Recovered};
use super::members::Replay;
use super::position::Position;
use super::publication::{Draft, Publication};
use crate::budget::{Budget, Charge};
#[cfg(any(feature = "nats", feature = "redis"))]
use crate::message::Message;

/// The publications of a topic that are not yet delivered to all members, or that its history keeps. Sans-I/O: the time is passed
/// in.
///
/// 1. Entries have consecutive numbers, which are used in this process only. Clients use positions; with a broker, the broker
///    assigns them. Within an epoch, offsets grow.
/// 2. `entries` has all publications of the current epoch whose offset is larger than `lost`, in order.
/// 3. Entries are removed from the front, when they are delivered and the history does not keep them.
#[derive(Debug)]
pub(super) struct Log {
    /// The position of the last publication.
    position: Position,
    /// The last offset of the current epoch that may be missing in `entries`.
    lost: u64,
    /// The number of the last entry; zero before the first.
    head: u64,
    /// All members have been sent everything up to this number.
    delivered: u64,
    entries: VecDeque<Arc<Publication>>,
    history: Option<History>,
    /// The latest value of a periodic update, which each new member gets.
    latest: Option<Arc<Publication>>,
    /// The size of all entries, in bytes.
    size: usize,
    charge: Charge,
}

impl Log {
    pub(super) fn new(position: Position, budget: &Budget) -> Self {
        Self {
            position,
            lost: position.offset(),
            head: 0,
            delivered: 0,
            entries: VecDeque::new(),
            history: None,
            latest: None,
            size: 0,
            charge: budget.charge(),
        }
    }

    pub(super) fn set_history(&mut self, history: History, now: Instant) {
        self.history = Some(history);
        self.trim(now);
    }

    pub(super) fn history(&self) -> Option<History> {
        self.history
    }

    /// The number of the last entry.
    pub(super) fn head(&self) -> u64 {
        self.head
    }

    /// The position of the last publication.
    pub(super) fn position(&self) -> Position {
        self.position
    }

    /// The position of the next publication, where no broker assigns it.
    pub(super) fn next_position(&self) -> Position {
        Position::new(self.position.epoch(), self.position.offset() + 1)
    }

    /// Whether publications are kept for members that reconnect.
    pub(super) fn has_history(&self) -> bool {
        self.history.is_some()
    }

    /// Removes entries that are too old.
    pub(super) fn expire(&mut self, now: Instant) {
        self.trim(now);
        self.charge.lower(self.size);
    }

    /// Drops the history: all publications that are delivered.
    pub(super) fn forget_history(&mut self) {
        self.evict_delivered();
        self.charge.lower(self.size);
    }

    /// Appends a publication at this position.
    pub(super) fn append(&mut self, position: Position, draft: Draft, has_members: bool, published: Instant) {
        debug_assert!(position.epoch() == self.position.epoch() && position.offset() > self.position.offset());
        self.position = position;
        if !has_members && self.history.is_none() {
            self.lost = position.offset();
            return;
        }
        self.push(Publication::new(self.head + 1, position, draft, published), has_members, published);
    }

    fn push(&mut self, mut publication: Publication, has_members: bool, now: Instant) {
        self.head = publication.number;
        if !has_members {
            self.delivered = self.head;
        }
        let size = self.size + publication.size();
        publication.scarce = !self.charge.raise(size);
        let scarce = publication.scarce;
        if scarce {
            // The budget is used up: drop the history, and keep what is not yet delivered.
            self.evict_delivered();
        }
        self.size += publication.size();
        let publication = Arc::new(publication);
        if publication.draft.latest {
            self.latest = Some(publication.clone());
        }
        self.entries.push_back(publication);
        self.trim(now);
        if scarce && !has_members {
            self.evict();
        }
        self.charge.raise_or_exceed(self.size);
    }

    /// Called when all members have been sent everything up to this number.
    pub(super) fn set_delivered(&mut self, number: u64, now: Instant) {
        self.delivered = number;
        self.trim(now);
        self.charge.lower(self.size);
    }

    /// All members have been sent everything up to this number.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// The entries after this number until their size reaches [`BATCH`] bytes, and at least one. The caller guarantees that none of
    /// them has been removed, which holds for what a member has not been sent.
    pub(super) fn batch(&self, after: u64) -> impl Iterator<Item = &Arc<Publication>> {
        let mut size = 0;
        self.entries.range(self.index_after(after)..).take_while(move |entry| {
            let fits = size < BATCH;
            size += entry.draft.message.len();
            fits
        })
    }

    /// What a connection gets when it joins: the replay that it asked for, and the latest value of a periodic update.
    pub(super) fn replay(&self, replay: Replay, connection: u64, now: Instant) -> (Recovered, Vec<Arc<Publication>>) {
        let (found, seen) = match replay {
            Replay::Nothing => (Some(Vec::new()), None),
            Replay::All => (Some(self.kept(now)), None),
            Replay::After(position) => {
                let found = self.after(position, now);
                let seen = found.is_some().then_some(position);
                (found, seen)
            }
        };
        let is_for = |publication: &Arc<Publication>| publication.is_for(connection);
        let found = found.map(|found| found.into_iter().filter(is_for).collect::<Vec<_>>());
        let recovered = found.as_ref().map_or(Recovered::Gap, |found| Recovered::All(found.len()));
        (recovered, self.with_latest(seen, found.unwrap_or_default()))
    }

    /// What was published after this position, or `None` if part of it is no longer kept.
    fn after(&self, position: Position, now: Instant) -> Option<Vec<Arc<Publication>>> {
        let first = self.first_kept(now);
        let lost = first.checked_sub(1).map_or(self.lost, |last| self.lost_with(&self.entries[last]));
        if position.epoch() != self.position.epoch() || !(lost..=self.position.offset()).contains(&position.offset()) {
            return None;
        }
        // The entries of the current epoch are the last ones.
        let missed = self.entries.partition_point(|entry| !entry.is_after(position));
        Some(self.entries.range(missed..).filter(|entry| !entry.is_notice).cloned().collect())
    }

    /// What the history keeps.
    fn kept(&self, now: Instant) -> Vec<Arc<Publication>> {
        self.entries.range(self.first_kept(now)..).filter(|entry| !entry.is_notice).cloned().collect()
    }

    /// Inserts the latest value into a replay, unless the client has it (everything up to `seen`) or the replay does.
    fn with_latest(&self, seen: Option<Position>, mut replayed: Vec<Arc<Publication>>) -> Vec<Arc<Publication>> {
        let is_unseen = |latest: &&Arc<Publication>| seen.is_none_or(|seen| latest.is_after(seen));
        if let Some(latest) = self.latest.as_ref().filter(is_unseen) {
            let index = replayed.partition_point(|entry| entry.number < latest.number);
            if replayed.get(index).is_none_or(|entry| entry.number != latest.number) {
                replayed.insert(index, latest.clone());
            }
        }
        replayed
    }

    /// Clears the latest value, which each new member gets.
    #[cfg(feature = "json")]
    pub(super) fn clear_latest(&mut self) {
        self.latest = None;
    }

    /// The index of the first entry that the history keeps.
    fn first_kept(&self, now: Instant) -> usize {
        let History { last, within } = self.history.unwrap_or(History::last(0));
        let skipped = self.entries.len().saturating_sub(last);
        let is_old = |entry: &&Arc<Publication>| now.saturating_duration_since(entry.published) >= within;
        skipped + self.entries.range(skipped..).take_while(is_old).count()
    }

    /// The time at which the history is empty, if nothing is published until then.
    pub(super) fn expires(&self) -> Option<Instant> {
        let last = self.entries.back()?;
        self.history.map(|history| last.published + history.within)
    }

    /// The index of the first entry after this number.
    fn index_after(&self, number: u64) -> usize {
        self.entries.partition_point(|entry| entry.number <= number)
    }

    /// The value of `lost` when this entry and those before it are removed.
    fn lost_with(&self, entry: &Publication) -> u64 {
        let offset = if entry.position.epoch() == self.position.epoch() { entry.position.offset() } else { 0 };
        self.lost.max(offset)
    }

    /// Removes entries that are delivered and that the history does not keep.
    fn trim(&mut self, now: Instant) {
        let old = self.first_kept(now);
        let done = self.index_after(self.delivered);
        for _ in 0..old.min(done) {
            self.evict();
        }
    }

    fn evict_delivered(&mut self) {
        while self.entries.front().is_some_and(|entry| entry.number <= self.delivered) {
            self.evict();
        }
    }

    fn evict(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.lost = self.lost_with(&entry);
            self.size -= entry.size();
        }
        if self.entries.is_empty() && self.entries.capacity() > SPARE {
            self.entries = VecDeque::new();
        }
    }
}

/// With a broker.
#[cfg(any(feature = "nats", feature = "redis"))]
impl Log {
    /// Continues after this position. What was published up to it and is not in `entries` counts as lost.
    pub(super) fn skip_to(&mut self, position: Position) {
        self.position = position;
        self.lost = position.offset();
    }

    /// Called when this log has everything of the topic up to `end`, the end of the broker's log. In a log of several topics, the
    /// last publication may belong to another one.
    pub(super) fn advance_to(&mut self, end: Position) {
        if end.epoch() == self.position.epoch() && end.is_later(self.position) {
            self.position = end;
        }
    }

    /// Appends a notice for the current members. It is not replayed to later ones.
    pub(super) fn append_notice(&mut self, message: Message, now: Instant) {
        let draft = Draft { key: Some(NOTICE.into()), ..Draft::new(message) };
        let mut publication = Publication::new(self.head + 1, self.position, draft, now);
        publication.is_notice = true;
        self.push(publication, true, now);
    }
}

/// The key of notices, which no user is expected to use.
#[cfg(any(feature = "nats", feature = "redis"))]
const NOTICE: &str = "\0notice";
/// How many bytes a member is sent at once. All that a member has not been sent could exceed its outgoing buffer.
const BATCH: usize = 32 * 1024;
/// An empty log keeps allocated capacity for this many publications.
const SPARE: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: usize = 10_000;

    fn log(budget: &Budget) -> Log {
        let mut log = Log::new(Position::new(7, 0), budget);
        log.set_history(History::last(100), Instant::now());
        log
    }

    fn publish(log: &mut Log, len: usize, has_members: bool) {
        let message = crate::message::Message::binary(vec![0; len]);
        log.append(log.next_position(), Draft::new(message), has_members, Instant::now());
    }

    /// The result for a client that has everything up to this offset.
    fn recovered(log: &Log, offset: u64) -> Recovered {
        log.replay(Replay::After(Position::new(7, offset)), 0, Instant::now()).0
    }

    #[test]
    fn a_batch_has_32_kib_and_one_publication_at_least() {
        let mut log = log(&Budget::new(usize::MAX));
        for len in [32 * 1024 - 1, 1, 1, 96 * 1024, 1] {
            publish(&mut log, len, true);
        }
        for (after, numbers) in [(0, vec![1, 2]), (2, vec![3, 4]), (3, vec![4]), (4, vec![5]), (5, vec![])] {
            let batch: Vec<_> = log.batch(after).map(|entry| entry.number).collect();
            assert_eq!(batch, numbers, "after {after}");
        }
    }

    #[test]
    fn it_expires_when_its_last_publication_is_too_old_to_be_kept() {
        let mut log = log(&Budget::new(usize::MAX));
        assert_eq!(log.expires(), None);
        publish(&mut log, 1, false);
        publish(&mut log, 1, false);
        let published = log.entries.back().unwrap().published;
        assert_eq!(log.expires(), Some(published + History::last(100).within));
    }

    #[test]
    fn without_budget_the_history_is_dropped_and_what_is_not_delivered_stays() {
        let budget = Budget::new(3 * LONG);
        let mut log = log(&budget);
        publish(&mut log, LONG, true);
        publish(&mut log, LONG, true);
        log.set_delivered(1, Instant::now());
        assert!(matches!(recovered(&log, 0), Recovered::All(2)));
        // The budget does not allow a third: what is delivered is removed, and what is not stays.
        publish(&mut log, LONG, true);
        assert_eq!(log.entries.iter().map(|entry| entry.number).collect::<Vec<_>>(), [2, 3]);
        assert!(matches!((recovered(&log, 0), recovered(&log, 1)), (Recovered::Gap, Recovered::All(2))));
        assert!(log.entries[1].scarce && !log.entries[0].scarce);
        assert!(budget.used() <= 3 * LONG, "{}", budget.used());
    }

    #[test]
    fn without_budget_a_topic_without_members_keeps_nothing() {
        let budget = Budget::new(LONG);
        let mut log = log(&budget);
        publish(&mut log, LONG, false);
        assert_eq!((log.entries.len(), budget.used()), (0, 0));
        assert!(matches!((recovered(&log, 0), recovered(&log, 1)), (Recovered::Gap, Recovered::All(0))));
        publish(&mut log, 100, false);
        assert_eq!(log.entries.len(), 1);
        assert!(matches!(recovered(&log, 1), Recovered::All(1)));
    }
}
