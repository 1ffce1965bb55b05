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

/// The publications of a topic that members have yet to be sent, or that its history keeps. Sans-I/O: the time is passed in.
///
/// 1. Each entry has the next number. Numbers are of this process; positions are what clients know, and of the broker if there
///    is one. Within an epoch their offsets grow.
/// 2. Everything of the present epoch behind the offset `lost` is in `entries`, in order.
/// 3. An entry leaves from the front, once it is delivered and the history does not keep it.
#[derive(Debug)]
pub(super) struct Log {
    /// Of the last publication.
    position: Position,
    lost: u64,
    /// The number of the last entry; zero is before the first.
    head: u64,
    /// All members have been sent everything up to this number.
    delivered: u64,
    entries: VecDeque<Arc<Publication>>,
    history: Option<History>,
    /// What new members get too.
    latest: Option<Arc<Publication>>,
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

    /// What was set.
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

    /// The position that the next publication gets where this log gives the order.
    pub(super) fn next_position(&self) -> Position {
        Position::new(self.position.epoch(), self.position.offset() + 1)
    }

    /// Whether anything is kept for members that come back.
    pub(super) fn has_history(&self) -> bool {
        self.history.is_some()
    }

    /// Forgets what is too old.
    pub(super) fn expire(&mut self, now: Instant) {
        self.trim(now);
        self.charge.lower(self.size);
    }

    /// Forgets the history: all that is delivered.
    pub(super) fn forget_history(&mut self) {
        self.evict_delivered();
        self.charge.lower(self.size);
    }

    /// Appends a publication, which stands at this position.
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
            // Histories are what can be done without.
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

    /// All members have been sent everything up to this number.
    pub(super) fn set_delivered(&mut self, number: u64, now: Instant) {
        self.delivered = number;
        self.trim(now);
        self.charge.lower(self.size);
    }

    /// Up to which number all members have been sent everything.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// The entries behind this number, up to [`BATCH`] bytes and at least one. They must be there still.
    pub(super) fn batch(&self, after: u64) -> impl Iterator<Item = &Arc<Publication>> {
        let mut size = 0;
        self.entries.range(self.index_behind(after)..).take_while(move |entry| {
            let fits = size < BATCH;
            size += entry.draft.message.len();
            fits
        })
    }

    /// What this connection gets when it joins.
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

    /// What was published after this position, if all of it is kept.
    fn after(&self, position: Position, now: Instant) -> Option<Vec<Arc<Publication>>> {
        let first = self.first_kept(now);
        let lost = first.checked_sub(1).map_or(self.lost, |last| self.lost_with(&self.entries[last]));
        if position.epoch() != self.position.epoch() || !(lost..=self.position.offset()).contains(&position.offset()) {
            return None;
        }
        // Those of the present epoch are the last ones.
        let missed = self.entries.partition_point(|entry| !entry.is_after(position));
        Some(self.entries.range(missed..).filter(|entry| !entry.is_notice).cloned().collect())
    }

    /// What the history keeps.
    fn kept(&self, now: Instant) -> Vec<Arc<Publication>> {
        self.entries.range(self.first_kept(now)..).filter(|entry| !entry.is_notice).cloned().collect()
    }

    /// What a member gets that joins now, has been sent everything up to `seen`, and is replayed this.
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

    /// Forgets what new members get.
    #[cfg(feature = "json")]
    pub(super) fn clear_latest(&mut self) {
        self.latest = None;
    }

    /// Where in `entries` begins what the history keeps.
    fn first_kept(&self, now: Instant) -> usize {
        let History { last, within } = self.history.unwrap_or(History::last(0));
        let skipped = self.entries.len().saturating_sub(last);
        let is_old = |entry: &&Arc<Publication>| now.saturating_duration_since(entry.published) >= within;
        skipped + self.entries.range(skipped..).take_while(is_old).count()
    }

    /// When the history keeps nothing any more, if nothing is published until then.
    pub(super) fn expires(&self) -> Option<Instant> {
        let last = self.entries.back()?;
        self.history.map(|history| last.published + history.within)
    }

    fn index_behind(&self, number: u64) -> usize {
        self.entries.partition_point(|entry| entry.number <= number)
    }

    /// Up to which offset of the present epoch everything is lost without this entry and those before it.
    fn lost_with(&self, entry: &Publication) -> u64 {
        let offset = if entry.position.epoch() == self.position.epoch() { entry.position.offset() } else { 0 };
        self.lost.max(offset)
    }

    /// Forgets what is delivered and not kept.
    fn trim(&mut self, now: Instant) {
        let old = self.first_kept(now);
        let done = self.index_behind(self.delivered);
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
    /// What was published up to this position may be lost, but for what is here already.
    pub(super) fn skip_to(&mut self, position: Position) {
        self.position = position;
        self.lost = position.offset();
    }

    /// The broker's log ends here, and all that it has of this topic is here. The end may be of another topic.
    pub(super) fn advance_to(&mut self, end: Position) {
        if end.epoch() == self.position.epoch() && end.is_later(self.position) {
            self.position = end;
        }
    }

    /// Appends a notice for the present members. It is not replayed to later ones.
    pub(super) fn append_notice(&mut self, message: Message, now: Instant) {
        let draft = Draft { message, key: Some(NOTICE.into()), except: None, latest: false };
        let mut publication = Publication::new(self.head + 1, self.position, draft, now);
        publication.is_notice = true;
        self.push(publication, true, now);
    }
}

/// The key of notices: none of a user's.
#[cfg(any(feature = "nats", feature = "redis"))]
const NOTICE: &str = "\0notice";
/// How much a member is sent at once: as much as it may have unsent would make its buffer overflow.
const BATCH: usize = 32 * 1024;
/// Room for so many publications is kept while there is none.
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
        let draft = Draft { message, key: None, except: None, latest: false };
        log.append(log.next_position(), draft, has_members, Instant::now());
    }

    /// What a client that knows everything up to this offset is told.
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
            assert_eq!(batch, numbers, "behind {after}");
        }
    }

    #[test]
    fn it_expires_as_long_behind_the_last_publication_as_it_keeps_any() {
        let mut log = log(&Budget::new(usize::MAX));
        assert_eq!(log.expires(), None);
        publish(&mut log, 1, false);
        publish(&mut log, 1, false);
        let published = log.entries.back().unwrap().published;
        assert_eq!(log.expires(), Some(published + History::last(100).within));
    }

    #[test]
    fn without_budget_a_history_goes_before_what_members_still_get() {
        let budget = Budget::new(3 * LONG);
        let mut log = log(&budget);
        publish(&mut log, LONG, true);
        publish(&mut log, LONG, true);
        log.set_delivered(1, Instant::now());
        assert!(matches!(recovered(&log, 0), Recovered::All(2)));
        // There is no room for a third: what is delivered leaves, and what is not stays.
        publish(&mut log, LONG, true);
        assert_eq!(log.entries.iter().map(|entry| entry.number).collect::<Vec<_>>(), [2, 3]);
        assert!(matches!((recovered(&log, 0), recovered(&log, 1)), (Recovered::Gap, Recovered::All(2))));
        assert!(log.entries[1].scarce && !log.entries[0].scarce);
        assert!(budget.used() <= 3 * LONG, "{}", budget.used());
    }

    #[test]
    fn without_budget_nothing_is_kept_for_nobody() {
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
