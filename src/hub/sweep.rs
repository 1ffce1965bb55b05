//! Which members are delivered to next, and what they get.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

use super::log::Log;
use super::members::{Member, Members};
use super::publication::{Publication, charged};
use super::state::State;
use super::stats::Counters;
use crate::budget::Budget;
use crate::connection::{FeedId, Inner, Joined};
use crate::protocol::Encoding;

/// Visits the members in rounds, some at a time, and delivers to each all that it has not been sent yet.
///
/// So the members that are visited late in a round get a publication that was made meanwhile together with the one before it, in
/// one write. Members that have been sent everything up to the same publication share these joined frames.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// The current round.
    round: Option<Round>,
    /// The members that are delivered to next.
    visits: VecDeque<Visit>,
    /// The latest batches, which the next members probably get too.
    batches: Vec<Batch>,
}

/// One visit to each member.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// The last member that was visited.
    visited: Option<FeedId>,
    /// When the round ends, all members have been sent everything up to this number.
    delivers: u64,
}

impl Round {
    /// Returns `None` if all members have been sent everything.
    fn start(log: &Log) -> Option<Self> {
        let last = log.batch(log.delivered()).last()?;
        Some(Self { visited: None, delivers: last.number })
    }
}

/// One member, and the batch that it gets.
#[derive(Debug)]
struct Visit {
    connection: Arc<Inner>,
    feed: FeedId,
    encoding: Encoding,
    /// The index in [`Sweep::batches`].
    batch: usize,
}

/// Consecutive publications that some members get next: those with numbers after `after`, up to `up_to`.
#[derive(Debug)]
struct Batch {
    after: u64,
    up_to: u64,
    /// The number of the log's last entry when this was made.
    head: u64,
    publications: Vec<Arc<Publication>>,
    joined: JoinedBatch,
}

impl Sweep {
    /// Chooses the members that are delivered to next. Returns `false` if all members have been sent everything.
    pub(super) fn advance(&mut self, state: &mut State, now: Instant) -> bool {
        let State { log, members, distributing, .. } = state;
        if self.has_visits() {
            // The previous delivery has panicked before these.
            return true;
        }
        self.batches.drain(..self.batches.len().saturating_sub(KEPT_BATCHES));
        if members.is_empty() {
            self.round = None;
            log.set_delivered(log.head(), now);
        }
        while let Some(round) = self.round.or_else(|| Round::start(log)) {
            if !self.visit(round, log, members) {
                // The lock is released between two chunks of a round: members may join and leave.
                return true;
            }
            log.set_delivered(round.delivers, now);
            self.round = None;
            if self.has_visits() {
                return true;
            }
        }
        *distributing = false;
        // An idle topic keeps no batches and no memory for them.
        *self = Self::default();
        false
    }

    /// Continues a round until enough members are chosen. Returns whether the round has ended.
    fn visit(&mut self, mut round: Round, log: &Log, members: &mut Members) -> bool {
        let mut visited = 0;
        let mut is_over = true;
        for (feed, member) in members.joined_after(round.visited).take(MAX_VISITED) {
            visited += 1;
            round.visited = Some(feed);
            if member.sent == log.head() || member.waits_for.is_some() {
                continue;
            }
            let batch = self.batch(member.sent, log);
            member.sent = self.batches[batch].up_to;
            let Member { connection, encoding, .. } = member;
            self.visits.push_back(Visit { connection: connection.clone(), feed, encoding: *encoding, batch });
            if self.visits.len() == CHUNK {
                is_over = false;
                break;
            }
        }
        self.round = Some(round);
        is_over && visited < MAX_VISITED
    }

    /// The index of the batch for a member that has been sent everything up to this number.
    fn batch(&mut self, sent: u64, log: &Log) -> usize {
        let head = log.head();
        let known = self.batches.iter().rposition(|batch| batch.after == sent && batch.head == head);
        known.unwrap_or_else(|| {
            self.batches.push(Batch::new(sent, head, log.batch(sent)));
            self.batches.len() - 1
        })
    }

    /// Whether chosen members have not been delivered to.
    pub(super) fn has_visits(&self) -> bool {
        !self.visits.is_empty()
    }

    /// Delivers to the chosen members.
    pub(super) fn deliver(&mut self, budget: &Budget, counters: &Counters) {
        let (mut delivered, mut dropped, mut overflowed) = (0, 0, 0);
        while let Some(Visit { connection, feed, encoding, batch }) = self.visits.pop_front() {
            let Batch { publications, joined, .. } = &mut self.batches[batch];
            let id = connection.id();
            let gets_all = publications.iter().all(|publication| publication.is_for(id));
            let joined = if gets_all { joined.get(publications, encoding, budget) } else { None };
            let scarce = publications.last().is_some_and(|last| last.scarce);
            let publications = publications.iter().filter(|publication| publication.is_for(id));
            let items = || publications.clone().map(|publication| publication.item(encoding, budget));
            let outcome = connection.deliver(feed, joined, items, scarce);
            delivered += publications.count() as u64;
            dropped += outcome.dropped;
            if outcome.overflowed {
                overflowed += 1;
                connection.close_slow();
            }
        }
        counters.add(delivered, dropped, overflowed);
    }
}

impl Batch {
    fn new<'a>(after: u64, head: u64, publications: impl Iterator<Item = &'a Arc<Publication>>) -> Self {
        let publications: Vec<_> = publications.cloned().collect();
        let up_to = publications.last().map_or(head, |last| last.number);
        Self { after, up_to, head, publications, joined: JoinedBatch::default() }
    }
}

/// The frames of a batch as one piece of bytes, for each encoding.
#[derive(Debug, Default)]
struct JoinedBatch(Vec<(Encoding, Joined)>);

impl JoinedBatch {
    /// Returns the frames in this encoding, made at the first call. `None`: such connections encode in their own task.
    fn get(&mut self, publications: &[Arc<Publication>], encoding: Encoding, budget: &Budget) -> Option<&Joined> {
        let index = match self.0.iter().position(|(known, _)| *known == encoding) {
            Some(index) => index,
            None => {
                self.0.push((encoding, join(publications, encoding, budget)?));
                self.0.len() - 1
            }
        };
        self.0.get(index).map(|(_, joined)| joined)
    }
}

fn join(publications: &[Arc<Publication>], encoding: Encoding, budget: &Budget) -> Option<Joined> {
    let payload = publications.iter().map(|publication| publication.draft.message.len() as u64).sum();
    let mut frames = publications.iter().map(|publication| publication.frame(encoding, budget));
    let frames = if publications.len() == 1 {
        frames.next()??
    } else {
        charged(frames.collect::<Option<Vec<_>>>()?.concat(), budget)
    };
    Some(Joined { frames, messages: publications.len() as u64, payload })
}

/// How many members are delivered to before the distributor yields to other tasks, such as those of these members.
const CHUNK: usize = 32;
/// How many members are visited while `state` is locked.
const MAX_VISITED: usize = 1024;
/// How many batches are kept for the next chunk of members.
const KEPT_BATCHES: usize = 4;
