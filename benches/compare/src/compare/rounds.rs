use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{
    fleet::{self, Server},
    report::{self, Column, Row},
    running::Running,
    syscalls::Trace,
};
use crate::{
    measurement::Measurement,
    workload::{WORKLOADS, Wire, Work, Workload},
};

#[derive(Args)]
pub struct Options {
    /// How often each figure is measured; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds that each echo workload is measured for.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Workloads, separated by commas; a beginning stands for all that begin so (`deflate`).
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Servers, separated by commas.
    #[arg(long, value_delimiter = ',', long_help = fleet::NAMES)]
    servers: Vec<String>,
    /// The echo example of tower-websocket, already built.
    #[arg(long)]
    ours: Option<PathBuf>,
    /// Counts system calls per message with strace instead of measuring time.
    #[arg(long)]
    syscalls: bool,
    /// Says after each measurement how fast and how busy both sides were.
    #[arg(long)]
    verbose: bool,
}

/// Measures what was asked for and prints the tables.
pub fn run(options: &Options) -> Result<()> {
    allow_many_sockets()?;
    let workloads = options.workloads();
    ensure!(!workloads.is_empty(), "there is no such workload");
    let wanted = |name: &str| options.servers.is_empty() || options.servers.iter().any(|server| server == name);
    let fleet = fleet::available(wanted, options.ours.as_deref());
    ensure!(!fleet.is_empty(), "there is no such server; there are: {}", fleet::NAMES);

    report::print_header(options.rounds)?;
    for (wire, title) in WIRES {
        let columns: Vec<_> = workloads.iter().copied().filter(|workload| workload.wire == wire).collect();
        let servers: Vec<_> = fleet.iter().filter(|server| server.wires.contains(&wire)).collect();
        if columns.is_empty() || servers.is_empty() {
            continue;
        }
        println!("\n## {title}\n");
        if options.syscalls {
            options.print_syscalls(&columns, &servers);
        } else {
            options.print_times(&columns, &servers);
        }
    }
    Ok(())
}

impl Options {
    fn workloads(&self) -> Vec<&'static Workload> {
        let wanted = |workload: &&Workload| {
            let exact = self.only.iter().any(|name| name == workload.name);
            let begins = |name: &String| workload.name.starts_with(name) && Workload::named(name).is_none();
            self.only.is_empty() || exact || self.only.iter().any(begins)
        };
        WORKLOADS.iter().filter(wanted).collect()
    }

    /// Server after server within a round, so that what else the machine does strikes all of them.
    fn print_times(&self, columns: &[&Workload], servers: &[&Server]) {
        let mut rows: Vec<_> =
            servers.iter().map(|server| Row::new(&server.title, server.rank, columns.len())).collect();
        for round in 1..=self.rounds {
            for (index, workload) in columns.iter().enumerate() {
                for (server, row) in servers.iter().zip(&mut rows) {
                    eprint!("\r\x1b[Kround {round} of {}: {} {}", self.rounds, workload.name, server.name);
                    match self.measure(server, workload) {
                        Ok(measurement) => row.figures[index].push(measurement.value),
                        Err(reason) => eprintln!("\r\x1b[K{} {} failed: {reason:#}", workload.name, server.name),
                    }
                }
            }
        }
        eprint!("\r\x1b[K");
        let columns: Vec<_> = columns.iter().map(|column| Column::new(column.title, column.is_memory())).collect();
        report::print_table(&columns, &rows);
    }

    fn measure(&self, server: &Server, workload: &Workload) -> Result<Measurement> {
        let measurement = Running::start(server, workload.wire)?.measure(workload, self.seconds)?;
        if self.verbose {
            let Measurement { value, per_second, server_busy, client_busy, .. } = measurement;
            eprintln!(
                "\r\x1b[K{} {}: {value:.2}, {per_second:.0} per second, server {:.0} % busy, client {:.0} %",
                workload.name,
                server.name,
                server_busy * 100.0,
                client_busy * 100.0
            );
        }
        Ok(measurement)
    }

    fn print_syscalls(&self, columns: &[&Workload], servers: &[&Server]) {
        println!("| work | server | reads | writes | waits | others |");
        println!("| --- | --- | --- | --- | --- | --- |");
        for workload in columns.iter().filter(|workload| !matches!(workload.work, Work::Idle { .. })) {
            for server in servers {
                match self.trace(server, workload) {
                    Ok(row) => println!("| {} | {} | {row} |", workload.title, server.title),
                    Err(reason) => eprintln!("{} {} failed: {reason:#}", workload.name, server.name),
                }
            }
        }
    }

    fn trace(&self, server: &Server, workload: &Workload) -> Result<String> {
        let running = Running::start(server, workload.wire)?;
        let trace = Trace::attach(&running)?;
        let messages = running.measure(workload, self.seconds)?.messages as f64;
        drop(running);
        let calls = trace.finish()?;
        let per_message = [calls.reads, calls.writes, calls.waits, calls.others].map(|count| count as f64 / messages);
        Ok(per_message.map(|calls| format!("{calls:.2}")).join(" | "))
    }
}

/// The client and the server, which inherits this, both hold thousands of sockets in the idle workloads.
fn allow_many_sockets() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?)
}

const WIRES: [(Wire, &str); 3] = [
    (Wire::Plain, "Uncompressed"),
    (Wire::Deflate, "permessage-deflate, level 1, no context takeover"),
    (Wire::Http2, "Over HTTP/2, 16 WebSockets to a connection"),
];
