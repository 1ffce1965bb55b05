//! The order of a topic's publications.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

use super::history::History;
use super::position::Position;
use super::publication::{Draft, Publication};
use crate::budget::{Budget, Charge};

/// The publications of a topic that members have yet to be sent, or that its history keeps. Sans-I/O: the time is passed in.
///
/// 1. Offsets grow from publication to publication. `head` is the last one; zero is before the first.
/// 2. Every publication behind `lost` is in `entries`, in order.
/// 3. An entry leaves from the front, once it is delivered and the history does not keep it.
#[derive(Debug)]
pub(super) struct Log {
    epoch: u64,
    head: u64,
    lost: u64,
    /// All members have been sent everything up to here.
    delivered: u64,
    entries: VecDeque<Arc<Publication>>,
    history: Option<History>,
    /// What new members get too.
    latest: Option<Arc<Publication>>,
    size: usize,
    charge: Charge,
}

impl Log {
    pub(super) fn new(epoch: u64, budget: &Budget) -> Self {
        Self {
            epoch,
            head: 0,
            lost: 0,
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

    /// The offset of the last publication.
    pub(super) fn head(&self) -> u64 {
        self.head
    }

    /// The position of the last publication.
    pub(super) fn position(&self) -> Position {
        Position::new(self.epoch, self.head)
    }

    /// The position that the next publication gets.
    pub(super) fn next_position(&self) -> Position {
        Position::new(self.epoch, self.head + 1)
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

    /// Appends a publication.
    pub(super) fn append(&mut self, draft: Draft, has_members: bool, now: Instant) {
        self.head += 1;
        if !has_members {
            self.delivered = self.head;
            if self.history.is_none() {
                self.lost = self.head;
                return;
            }
        }
        let mut publication = Publication::new(self.head, draft, now);
        let size = self.size + publication.size();
        publication.scarce = !self.charge.raise(size);
        let scarce = publication.scarce;
        if scarce {
            // Histories are what can be done without.
            while self.entries.front().is_some_and(|entry| entry.offset <= self.delivered) {
                self.evict();
            }
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

    /// All members have been sent everything up to this offset.
    pub(super) fn set_delivered(&mut self, offset: u64, now: Instant) {
        self.delivered = offset;
        self.trim(now);
        self.charge.lower(self.size);
    }

    /// Up to which offset all members have been sent everything.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// The publications after this offset, up to [`BATCH`] bytes and at least one. They must be there still.
    pub(super) fn batch(&self, after: u64) -> impl Iterator<Item = &Arc<Publication>> {
        let mut size = 0;
        self.entries.range(self.index_after(after)..).take_while(move |entry| {
            let fits = size < BATCH;
            size += entry.draft.message.len();
            fits
        })
    }

    /// What was published after this position, if all of it is kept.
    pub(super) fn after(&self, position: Position, now: Instant) -> Option<Vec<Arc<Publication>>> {
        let first = self.first_kept(now);
        let lost = first.checked_sub(1).map_or(self.lost, |last| self.entries[last].offset);
        if position.epoch() != self.epoch || !(lost..=self.head).contains(&position.offset()) {
            return None;
        }
        Some(self.entries.range(self.index_after(position.offset())..).cloned().collect())
    }

    /// What the history keeps.
    pub(super) fn kept(&self, now: Instant) -> Vec<Arc<Publication>> {
        self.entries.range(self.first_kept(now)..).cloned().collect()
    }

    /// What a member gets that joins now, has been sent everything up to `seen`, and is replayed this.
    pub(super) fn with_latest(&self, seen: u64, mut replayed: Vec<Arc<Publication>>) -> Vec<Arc<Publication>> {
        if let Some(latest) = self.latest.as_ref().filter(|latest| latest.offset > seen) {
            let index = replayed.partition_point(|entry| entry.offset < latest.offset);
            if replayed.get(index).is_none_or(|entry| entry.offset != latest.offset) {
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

    fn index_after(&self, offset: u64) -> usize {
        self.entries.partition_point(|entry| entry.offset <= offset)
    }

    /// Forgets what is delivered and not kept.
    fn trim(&mut self, now: Instant) {
        let old = self.first_kept(now);
        let done = self.index_after(self.delivered);
        for _ in 0..old.min(done) {
            self.evict();
        }
    }

    fn evict(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.lost = entry.offset;
            self.size -= entry.size();
        }
        if self.entries.is_empty() && self.entries.capacity() > SPARE {
            self.entries = VecDeque::new();
        }
    }
}

/// How much a member is sent at once: as much as it may have unsent would make its buffer overflow.
const BATCH: usize = 32 * 1024;
/// Room for so many publications is kept while there is none.
const SPARE: usize = 16;
