//! How publications get to the members.

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
/// So a publication that is made during a round is joined with the one before it for the members that are visited later: they get
/// both in one write. Members that have been sent the same so far share what is joined.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// The round that is under way.
    round: Option<Round>,
    /// The members that are delivered to next.
    visits: VecDeque<Visit>,
    batches: Vec<Batch>,
}

/// A visit to each member.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// The last member that was visited.
    visited: Option<FeedId>,
    /// All members have been sent everything up to this number, once it is over.
    delivers: u64,
}

impl Round {
    /// `None`: all members have been sent everything.
    fn start(log: &Log) -> Option<Self> {
        let last = log.batch(log.delivered()).last()?;
        Some(Self { visited: None, delivers: last.number })
    }
}

/// One member, and which batch it gets.
#[derive(Debug)]
struct Visit {
    connection: Arc<Inner>,
    feed: FeedId,
    encoding: Encoding,
    batch: usize,
}

/// Publications in a row that some members get next.
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
    /// Chooses the members that are delivered to next. `false`: all have been sent everything.
    pub(super) fn advance(&mut self, state: &mut State, now: Instant) -> bool {
        let State { log, members, distributing, .. } = state;
        if self.has_visits() {
            // A panic has left them.
            return true;
        }
        self.batches.drain(..self.batches.len().saturating_sub(KEPT_BATCHES));
        if members.is_empty() {
            self.round = None;
            log.set_delivered(log.head(), now);
        }
        while let Some(round) = self.round.or_else(|| Round::start(log)) {
            if !self.visit(round, log, members) {
                // Others may join or leave before it goes on.
                return true;
            }
            log.set_delivered(round.delivers, now);
            self.round = None;
            if self.has_visits() {
                return true;
            }
        }
        *distributing = false;
        // Idle topics keep nothing.
        *self = Self::default();
        false
    }

    /// Goes on with a round until enough members are chosen. Whether it is over.
    fn visit(&mut self, mut round: Round, log: &Log, members: &mut Members) -> bool {
        let mut visited = 0;
        let mut is_over = true;
        for (feed, member) in members.behind(round.visited).take(MOST_VISITED) {
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
        is_over && visited < MOST_VISITED
    }

    /// Which batch a member gets that has been sent everything up to this number.
    fn batch(&mut self, sent: u64, log: &Log) -> usize {
        let head = log.head();
        let known = self.batches.iter().rposition(|batch| batch.after == sent && batch.head == head);
        known.unwrap_or_else(|| {
            self.batches.push(Batch::new(sent, head, log.batch(sent)));
            self.batches.len() - 1
        })
    }

    /// Whether there are members that were chosen and not yet delivered to.
    pub(super) fn has_visits(&self) -> bool {
        !self.visits.is_empty()
    }

    /// Delivers to the members that were chosen.
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

/// A batch as one piece of bytes, for each way in which connections encode.
#[derive(Debug, Default)]
struct JoinedBatch(Vec<(Encoding, Joined)>);

impl JoinedBatch {
    /// Made when it is first asked for.
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

/// How many members are delivered to before the task yields to others, such as those of these members.
const CHUNK: usize = 32;
/// How many members are visited under one lock.
const MOST_VISITED: usize = 1024;
/// How many batches are kept for the next members.
const KEPT_BATCHES: usize = 4;
