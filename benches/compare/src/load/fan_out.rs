use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use futures_util::{
    StreamExt, TryStreamExt,
    future::{Either, select},
    stream::{self, FuturesUnordered},
};
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::Notify};

use super::{
    conversation::{Conversation, Phase},
    handshake::Target,
    script::Script,
};

/// One publisher and many members: a publication is complete once all of them have it.
pub struct FanOut {
    publisher: TcpStream,
    said: Conversation,
    members: Vec<Member>,
    /// They read nothing.
    _stalled: Vec<TcpStream>,
    progress: Rc<Progress>,
}

struct Member {
    stream: TcpStream,
    heard: Conversation,
    memory: Rc<RefCell<Vec<u8>>>,
}

/// The publications that are not complete yet.
#[derive(Default)]
struct Progress {
    /// When each was sent, and how many members have it.
    under_way: RefCell<VecDeque<(Instant, usize)>>,
    complete: Cell<u64>,
    changed: Notify,
    /// How long each delivery took.
    times: RefCell<Vec<Duration>>,
}

impl FanOut {
    pub async fn open(target: &Target, script: &Rc<Script>, members: usize, stalled: usize) -> Result<Self> {
        let memory = Rc::new(RefCell::new(vec![0; 64 * 1024]));
        let open = |count| stream::iter(0..count).map(|_| target.open("/sub")).buffer_unordered(64);
        let members = open(members)
            .map_ok(|stream| Member { stream, heard: Conversation::new(script.clone()), memory: memory.clone() })
            .try_collect()
            .await?;
        Ok(Self {
            _stalled: open(stalled).try_collect().await?,
            publisher: target.open("/pub").await?,
            said: Conversation::new(script.clone()),
            members,
            progress: Rc::default(),
        })
    }

    /// Publishes until the phase is over, and waits for all deliveries.
    pub async fn run(&mut self, phase: &Phase) -> Result<()> {
        self.progress.times.borrow_mut().clear();
        let count = self.members.len();
        let receiving = self.members.iter_mut().map(|member| member.receive(phase, &self.progress, count));
        let mut receiving: FuturesUnordered<_> = receiving.collect();
        let publishing = publish(&mut self.publisher, &mut self.said, phase, &self.progress);
        match select(std::pin::pin!(publishing), receiving.try_next()).await {
            Either::Left((published, _)) => published,
            Either::Right((ended, _)) => ended.map(drop),
        }
    }

    pub fn received(&self) -> u64 {
        self.members.iter().map(|member| member.heard.received()).sum()
    }

    /// How long each delivery took in the last phase.
    pub fn times(&self) -> Vec<Duration> {
        self.progress.times.take()
    }
}

async fn publish(stream: &mut TcpStream, said: &mut Conversation, phase: &Phase, progress: &Progress) -> Result<()> {
    let script = said.script.clone();
    loop {
        let goes_on = Instant::now() < phase.until || progress.complete.get() < phase.at_least;
        while goes_on && progress.under_way.borrow().len() < script.in_flight {
            let frame = script.frames.slice(said.say(1));
            progress.under_way.borrow_mut().push_back((Instant::now(), 0));
            stream.write_all(&frame).await?;
        }
        if !goes_on && progress.under_way.borrow().is_empty() {
            return Ok(());
        }
        progress.changed.notified().await;
    }
}

impl Member {
    /// Receives for ever.
    async fn receive(&mut self, phase: &Phase, progress: &Progress, members: usize) -> Result<()> {
        loop {
            self.stream.readable().await?;
            let mut memory = self.memory.borrow_mut();
            let length = match self.stream.try_read(&mut memory) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
                length => length?,
            };
            ensure!(length > 0, "the server closed the connection");
            let before = self.heard.received();
            self.heard.hear(&memory[..length], phase)?;
            drop(memory);
            for number in before..self.heard.received() {
                progress.deliver(number, members);
            }
        }
    }
}

impl Progress {
    fn deliver(&self, number: u64, members: usize) {
        let mut under_way = self.under_way.borrow_mut();
        let index = (number - self.complete.get()) as usize;
        if let Some((sent, count)) = under_way.get_mut(index) {
            *count += 1;
            self.times.borrow_mut().push(sent.elapsed());
        }
        while under_way.front().is_some_and(|(_, count)| *count == members) {
            under_way.pop_front();
            self.complete.set(self.complete.get() + 1);
            self.changed.notify_one();
        }
    }
}
