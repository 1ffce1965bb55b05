use std::{
    io::{IsTerminal, stderr},
    path::PathBuf,
};

use anyhow::{Result, ensure};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{
    fleet::{self, Rank, Server},
    report::{self, Column, Row},
    running::Running,
    syscalls::Trace,
};
use crate::{
    measurement::Measurement,
    workload::{CURVES, TABLES, Table, Work, Workload},
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
    /// Measures how costs grow with the work, instead of the tables that compare the servers.
    #[arg(long)]
    curves: bool,
    /// Servers, separated by commas.
    #[arg(long, value_delimiter = ',')]
    servers: Vec<String>,
    /// The echo example of tower-websocket, already built.
    #[arg(long)]
    ours: Option<PathBuf>,
    /// Counts system calls per message with strace instead of measuring time.
    #[arg(long)]
    syscalls: bool,
    /// How often a measurement is repeated if something else had the server's core for a tenth of the time; the least
    /// disturbed one counts.
    #[arg(long, default_value_t = 0)]
    retries: usize,
    /// Says after each measurement how fast and how busy both sides were.
    #[arg(long)]
    verbose: bool,
}

/// Measures what was asked for and prints the tables.
pub fn run(options: &Options) -> Result<()> {
    allow_many_sockets()?;
    let tables = options.tables()?;
    for server in &options.servers {
        ensure!(fleet::NAMES.contains(&server.as_str()), "there is no server {server}; there are {:?}", fleet::NAMES);
    }
    let wanted = |name: &str| options.servers.is_empty() || options.servers.iter().any(|server| server == name);
    let fleet = fleet::available(wanted, options.ours.as_deref());

    report::print_header(&options.figures())?;
    for (table, columns) in tables {
        let servers: Vec<_> =
            fleet.iter().filter(|server| table.wire().is_some_and(|wire| server.wires.contains(&wire))).collect();
        if columns.is_empty() || servers.is_empty() {
            continue;
        }
        println!("\n## {}\n", table.title);
        if options.syscalls {
            options.print_syscalls(&columns, &servers);
        } else {
            options.print_times(&columns, &servers);
        }
    }
    Ok(())
}

impl Options {
    fn figures(&self) -> String {
        if self.syscalls {
            return "System calls of the server per message or handshake.".into();
        }
        format!(
            "Server CPU in µs per message or handshake; memory in resident KiB per connection. Medians of {} interleaved \
             rounds.",
            self.rounds
        )
    }

    /// The tables that are wanted, each with the wanted ones of its columns.
    fn tables(&self) -> Result<Vec<(&'static Table, Vec<&'static Workload>)>> {
        let tables: &[Table] = if self.curves { &CURVES } else { &TABLES };
        let all = || tables.iter().flat_map(|table| table.columns);
        let stands_for = |wanted: &str, workload: &Workload| match Workload::named(wanted) {
            Some(exact) => exact.name == workload.name,
            None => workload.name.starts_with(wanted),
        };
        for wanted in &self.only {
            ensure!(
                all().any(|workload| stands_for(wanted, workload)),
                "there is no workload {wanted}; there are {:?}",
                all().map(|workload| workload.name).collect::<Vec<_>>()
            );
        }
        let is_wanted =
            |workload: &&Workload| self.only.is_empty() || self.only.iter().any(|wanted| stands_for(wanted, workload));
        Ok(tables.iter().map(|table| (table, table.columns.iter().filter(is_wanted).collect())).collect())
    }

    /// Server after server within a round, so that what else the machine does strikes all of them.
    fn print_times(&self, columns: &[&Workload], servers: &[&Server]) {
        let mut rows: Vec<_> =
            servers.iter().map(|server| Row::new(&server.title, server.rank, columns.len())).collect();
        for round in 1..=self.rounds {
            for (index, workload) in columns.iter().enumerate() {
                for (server, row) in servers.iter().zip(&mut rows) {
                    if server.program_for(workload.work).is_none() {
                        continue;
                    }
                    progress(&format!("round {round} of {}: {} {}", self.rounds, workload.name, server.name));
                    match self.measure_undisturbed(server, workload) {
                        Ok(measurement) => {
                            row.figures[index].push(measurement.value);
                            row.waiting.push(measurement.server_waiting);
                            row.p99[index].extend(Some(measurement.p99).filter(|p99| *p99 > 0.0));
                        }
                        Err(reason) => {
                            progress("");
                            eprintln!("{} {} failed: {reason:#}", workload.name, server.name);
                        }
                    }
                }
            }
        }
        progress("");
        let columns: Vec<_> = columns.iter().map(|column| Column::new(column.title, column.is_memory())).collect();
        report::print_table(&columns, &rows);
        report::print_latencies(&columns, &rows);
    }

    fn measure_undisturbed(&self, server: &Server, workload: &Workload) -> Result<Measurement> {
        let mut best = self.measure(server, workload)?;
        for _ in 0..self.retries {
            // The threads of the other peers' servers wait for each other.
            if best.server_waiting < report::DISTURBED || server.rank == Rank::OtherPeer {
                break;
            }
            let again = self.measure(server, workload)?;
            if again.server_waiting < best.server_waiting {
                best = again;
            }
        }
        Ok(best)
    }

    fn measure(&self, server: &Server, workload: &Workload) -> Result<Measurement> {
        let measurement = Running::start(server, workload)?.measure(workload, self.seconds)?;
        if self.verbose {
            let Measurement { value, per_second, server_busy, server_waiting, client_busy, .. } = measurement;
            progress("");
            eprintln!(
                "{} {}: {value:.2}, {per_second:.0} per second, server {:.0} % busy, {:.0} % waiting, client {:.0} % busy",
                workload.name,
                server.name,
                server_busy * 100.0,
                server_waiting * 100.0,
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
        let running = Running::start(server, workload)?;
        let trace = Trace::attach(&running)?;
        let messages = running.measure(workload, self.seconds)?.messages as f64;
        drop(running);
        let calls = trace.finish()?;
        let per_message = [calls.reads, calls.writes, calls.waits, calls.others].map(|count| count as f64 / messages);
        Ok(per_message.map(|calls| format!("{calls:.2}")).join(" | "))
    }
}

/// Shows what is being done, in place of what was.
fn progress(text: &str) {
    if stderr().is_terminal() {
        eprint!("\r\x1b[K{text}");
    }
}

/// The client and the server, which inherits this, both hold thousands of sockets in the idle workloads.
fn allow_many_sockets() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?)
}
