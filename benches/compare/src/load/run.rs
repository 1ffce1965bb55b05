use std::{
    cell::RefCell,
    net::SocketAddr,
    pin::pin,
    process,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use tokio::{
    runtime,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    conversation::{Conversation, Phase},
    fan_out::FanOut,
    handshake::{Target, Transport},
    http2::{self, Talk},
    idle::Idle,
    meter::{Cpu, Process},
    script::Script,
    socket::Socket,
};
use crate::{
    measurement::Measurement,
    workload::{Wire, Work, Workload},
};

#[derive(Args)]
pub struct Options {
    #[arg(long)]
    workload: String,
    #[arg(long)]
    address: SocketAddr,
    /// The server's process.
    #[arg(long)]
    pid: u32,
    /// How long to measure, after a fifth of it for warming up.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// The server is the bare TCP echo.
    #[arg(long)]
    raw: bool,
    /// Members of a fan-out that read nothing, beside the others.
    #[arg(long, default_value_t = 0)]
    stalled: usize,
}

/// Puts the load on the server and prints the measurement.
pub fn run(options: &Options) -> Result<()> {
    let workload = Workload::named(&options.workload).context("there is no such workload")?;
    let load = Load {
        target: Target { address: options.address, wire: workload.wire, raw: options.raw },
        server: Process(options.pid),
        duration: Duration::from_secs_f64(options.seconds),
        workload,
        stalled: options.stalled,
    };
    let measurement = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async { timeout(TIME_LIMIT, load.measure()).await.context("the server does not answer")? })?;
    println!("{}", serde_json::to_string(&measurement)?);
    Ok(())
}

struct Load {
    target: Target,
    server: Process,
    duration: Duration,
    workload: &'static Workload,
    stalled: usize,
}

impl Load {
    async fn measure(&self) -> Result<Measurement> {
        match self.workload.work {
            Work::Echo { connections, in_flight } => self.echo(connections, in_flight).await,
            Work::TenthActive { connections } => {
                let active = connections / 10;
                let mut idle = self.open_idle(connections - active).await?;
                tokio::select! {
                    measurement = self.echo(active, 1) => measurement,
                    Some(end) = idle.join_next() => {
                        end??;
                        bail!("an idle connection has ended")
                    }
                }
            }
            Work::FanOut { members, in_flight } => self.fan_out(members, in_flight).await,
            Work::Handshake => self.handshakes().await,
            Work::Idle { echo } => self.idle(echo).await,
        }
    }

    async fn echo(&self, connections: usize, in_flight: usize) -> Result<Measurement> {
        let mut crowd = self.open(connections, in_flight).await?;
        let variety = crowd[0].conversation().script.variety();
        let warm_up = Phase { until: Instant::now() + self.duration / 5, at_least: variety, verify: true };
        talk(&mut crowd, connections, &warm_up).await?;

        let before = received(&crowd);
        let start = Reading::take(self.server).await?;
        talk(&mut crowd, connections, &Phase { until: Instant::now() + self.duration, at_least: 0, verify: false })
            .await?;
        let messages = received(&crowd);
        let measurement = start.finish(messages - before, messages).await?;
        let times = crowd.iter().flat_map(|connection| connection.conversation().times.iter().copied());
        Ok(Measurement { p99: percentile_99(times.collect()), ..measurement })
    }

    /// The messages are deliveries: publications times members.
    async fn fan_out(&self, members: usize, in_flight: usize) -> Result<Measurement> {
        let script = Rc::new(Script::new(self.workload.payload, self.workload.wire, in_flight)?);
        let mut crowd = FanOut::open(&self.target, &script, members, self.stalled).await?;
        sleep(SETTLE).await;
        let warm_up = Phase { until: Instant::now() + self.duration / 5, at_least: script.variety(), verify: true };
        crowd.run(&warm_up).await?;

        let before = crowd.received();
        let start = Reading::take(self.server).await?;
        crowd.run(&Phase { until: Instant::now() + self.duration, at_least: 0, verify: false }).await?;
        let received = crowd.received();
        let measurement = start.finish(received - before, received).await?;
        Ok(Measurement { p99: percentile_99(crowd.times()), ..measurement })
    }

    async fn handshakes(&self) -> Result<Measurement> {
        let run = |count| {
            stream::iter(0..count)
                .map(|_| self.target.open_and_close())
                .buffer_unordered(AT_ONCE)
                .try_for_each(|()| async { Ok(()) })
        };
        run(HANDSHAKES / 10).await?;
        let start = Reading::take(self.server).await?;
        run(HANDSHAKES).await?;
        start.finish(HANDSHAKES, HANDSHAKES + HANDSHAKES / 10).await
    }

    /// What a connection costs beyond the first ones, which pay for what all of them share.
    async fn idle(&self, echo: bool) -> Result<Measurement> {
        let mut first = self.open(AT_ONCE, 1).await?;
        talk(&mut first, AT_ONCE, &one_message_each()).await?;
        sleep(SETTLE).await;
        let before = self.server.resident()?;

        let mut crowd = self.open(IDLE_CONNECTIONS, 1).await?;
        if echo {
            talk(&mut crowd, AT_ONCE, &one_message_each()).await?;
        }
        sleep(SETTLE).await;
        let value = (self.server.resident()? - before) / IDLE_CONNECTIONS as f64;
        let messages = received(&first) + received(&crowd);
        Ok(Measurement { value, messages, ..Measurement::default() })
    }

    async fn open(&self, connections: usize, in_flight: usize) -> Result<Vec<Connection>> {
        let script = Rc::new(Script::new(self.workload.payload, self.workload.wire, in_flight)?);
        let conversation = || Conversation::new(script.clone());
        if self.workload.wire == Wire::Http2 {
            let mut crowd = Vec::new();
            for _ in 0..connections / STREAMS {
                let streams = http2::open(self.target.address, STREAMS).await?;
                let talk = |stream| Connection::Http2(Talk { stream, conversation: conversation() });
                crowd.extend(streams.into_iter().map(talk));
            }
            return Ok(crowd);
        }
        let memory = Rc::new(RefCell::new(vec![0; READ_SIZE]));
        let socket = |stream| Connection::Http1(Socket::new(stream, conversation(), memory.clone()));
        self.open_http1(connections).map_ok(socket).try_collect().await
    }

    /// Connections that are idle from the start. Those that are open answer pings while others are opened.
    async fn open_idle(&self, connections: usize) -> Result<JoinSet<Result<()>>> {
        let mut idle = JoinSet::new();
        if self.workload.wire == Wire::Http2 {
            for _ in 0..connections / STREAMS {
                for stream in http2::open(self.target.address, STREAMS).await? {
                    idle.spawn(Idle::Http2(stream).run());
                }
            }
            return Ok(idle);
        }
        let mut opened = pin!(self.open_http1(connections));
        while let Some(transport) = opened.try_next().await? {
            idle.spawn(Idle::Http1(transport).run());
        }
        Ok(idle)
    }

    fn open_http1(&self, connections: usize) -> impl Stream<Item = Result<Transport>> {
        stream::iter(0..connections).map(|_| self.target.connect("/ws")).buffer_unordered(AT_ONCE)
    }
}

enum Connection {
    Http1(Socket),
    Http2(Talk),
}

impl Connection {
    async fn run(&mut self, phase: &Phase) -> Result<()> {
        match self {
            Self::Http1(socket) => socket.run(phase).await,
            Self::Http2(talk) => talk.run(phase).await,
        }
    }

    fn conversation(&self) -> &Conversation {
        match self {
            Self::Http1(socket) => &socket.conversation,
            Self::Http2(talk) => &talk.conversation,
        }
    }
}

/// Runs a phase on all connections, so many at once.
async fn talk(crowd: &mut [Connection], at_once: usize, phase: &Phase) -> Result<()> {
    stream::iter(crowd.iter_mut().map(Ok)).try_for_each_concurrent(at_once, |connection| connection.run(phase)).await
}

fn received(crowd: &[Connection]) -> u64 {
    crowd.iter().map(|connection| connection.conversation().received()).sum()
}

/// The meters before a measured phase.
struct Reading {
    server: Process,
    server_cpu: Cpu,
    client_cpu: Cpu,
    time: Instant,
}

impl Reading {
    /// Waits until the server sleeps, as the kernel adds up a thread's time when it leaves its core.
    async fn take(server: Process) -> Result<Self> {
        sleep(PAUSE).await;
        let client_cpu = Process(process::id()).cpu()?;
        Ok(Self { server, server_cpu: server.cpu()?, client_cpu, time: Instant::now() })
    }

    async fn finish(self, measured: u64, messages: u64) -> Result<Measurement> {
        let seconds = self.time.elapsed().as_secs_f64();
        let now = Self::take(self.server).await?;
        let server = (now.server_cpu.busy - self.server_cpu.busy).as_secs_f64();
        let waiting = (now.server_cpu.waiting - self.server_cpu.waiting).as_secs_f64();
        let client = (now.client_cpu.busy - self.client_cpu.busy).as_secs_f64();
        Ok(Measurement {
            value: server * 1e6 / measured as f64,
            per_second: measured as f64 / seconds,
            server_busy: server / seconds,
            server_waiting: waiting / seconds,
            client_busy: client / seconds,
            p99: 0.0,
            messages,
        })
    }
}

/// The µs that 99 of 100 did not take.
fn percentile_99(mut times: Vec<Duration>) -> f64 {
    let index = times.len() * 99 / 100;
    if index >= times.len() {
        return 0.0;
    }
    times.select_nth_unstable(index).1.as_secs_f64() * 1e6
}

/// A phase that is over with the first reply.
fn one_message_each() -> Phase {
    Phase { until: Instant::now(), at_least: 0, verify: true }
}

const AT_ONCE: usize = 64;
const HANDSHAKES: u64 = 4000;
const IDLE_CONNECTIONS: usize = 2000;
const STREAMS: usize = 16;
const READ_SIZE: usize = 256 * 1024;
const PAUSE: Duration = Duration::from_millis(20);
const SETTLE: Duration = Duration::from_millis(250);
const TIME_LIMIT: Duration = Duration::from_secs(30);
