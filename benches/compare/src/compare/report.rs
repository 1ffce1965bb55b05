use std::{fs, process::Command};

use anyhow::Result;

use super::fleet::{Rank, output_of};

/// A server's figures: for each column, one per round.
#[derive(Debug)]
pub struct Row {
    title: String,
    rank: Rank,
    pub figures: Vec<Vec<f64>>,
    /// For each column, the 99th percentiles of its rounds.
    pub p99: Vec<Vec<f64>>,
    /// The part of each measurement's time that the server was kept from its core.
    pub waiting: Vec<f64>,
}

impl Row {
    pub fn new(title: &str, rank: Rank, columns: usize) -> Self {
        Self {
            title: title.to_owned(),
            rank,
            figures: vec![Vec::new(); columns],
            p99: vec![Vec::new(); columns],
            waiting: Vec::new(),
        }
    }

    fn median(&self, column: usize) -> Option<f64> {
        median(&self.figures[column])
    }
}

/// The part of the time that a server may be kept from its core before its figure is in doubt.
pub const DISTURBED: f64 = 0.1;

#[derive(Debug)]
pub struct Column {
    title: &'static str,
    is_memory: bool,
}

impl Column {
    pub fn new(title: &'static str, is_memory: bool) -> Self {
        Self { title, is_memory }
    }
}

/// Says what was measured, when and where.
pub fn print_header(figures: &str) -> Result<()> {
    let date = output_of(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    let rust = output_of(Command::new("rustc").arg("--version"))?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let cpus = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpus.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1));
    let cores = std::thread::available_parallelism()?;
    println!(
        "{date}, {}, {cores} cores, Linux {}, {rust}.\n\
         {figures}",
        model.unwrap_or("unknown processor"),
        kernel.trim(),
    );
    Ok(())
}

pub fn print_table(columns: &[Column], rows: &[Row]) {
    print_row("echo server", columns.iter().map(|column| column.title.to_owned()));
    print_row("---", columns.iter().map(|_| "---".to_owned()));
    for row in rows {
        print_row(&row.title, (0..columns.len()).map(|column| row.median(column).map_or("–".into(), shown)));
    }
    for rank in [Rank::RustPeer, Rank::OtherPeer, Rank::Floor] {
        let ratios: Vec<_> = (0..columns.len()).map(|column| ratio(rows, rank, column)).collect();
        if ratios.iter().any(Option::is_some) {
            let title = match rank {
                Rank::Floor => "ours : the floor",
                Rank::OtherPeer => "ours : the best of the others",
                Rank::Ours | Rank::RustPeer => "**ours : the best Rust peer**",
            };
            print_row(title, ratios.into_iter().map(|ratio| ratio.map_or("–".into(), |ratio| format!("{ratio:.2}"))));
        }
    }
    print_noise(columns, rows);
}

/// The 99th percentiles, of those columns that have them.
pub fn print_latencies(columns: &[Column], rows: &[Row]) {
    let timed: Vec<_> =
        (0..columns.len()).filter(|&column| rows.iter().any(|row| !row.p99[column].is_empty())).collect();
    if timed.is_empty() {
        return;
    }
    println!("\nµs that 99 of 100 answers or deliveries did not take, as the client sees them:\n");
    print_row("echo server", timed.iter().map(|&column| columns[column].title.to_owned()));
    print_row("---", timed.iter().map(|_| "---".to_owned()));
    for row in rows {
        print_row(&row.title, timed.iter().map(|&column| median(&row.p99[column]).map_or("–".into(), shown)));
    }
}

/// Our median to the smallest median of that rank.
fn ratio(rows: &[Row], rank: Rank, column: usize) -> Option<f64> {
    let of = |rank| rows.iter().filter(move |row| row.rank == rank).filter_map(move |row| row.median(column));
    let ours = of(Rank::Ours).next()?;
    Some(ours / of(rank).reduce(f64::min)?)
}

/// How far the rounds of one figure lie apart: the typical one and the worst, of the times.
fn print_noise(columns: &[Column], rows: &[Row]) {
    let mut spreads = Vec::new();
    for row in rows {
        for (figures, _) in
            row.figures.iter().zip(columns).filter(|(figures, column)| !column.is_memory && figures.len() > 1)
        {
            let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
            let most = figures.iter().copied().fold(0.0, f64::max);
            spreads.push((most / least - 1.0) * 100.0);
        }
    }
    if let Some(typical) = median(&spreads) {
        let worst = spreads.iter().copied().fold(0.0, f64::max);
        println!("\nThe rounds of one figure lie {typical:.0} % apart in the median, {worst:.0} % at worst.");
    }
    // Servers with several threads wait for each other, which says nothing about the machine.
    let rust = rows.iter().filter(|row| row.rank != Rank::OtherPeer);
    let waiting: Vec<_> = rust.flat_map(|row| row.waiting.iter().copied()).collect();
    if let Some(most) = waiting.into_iter().reduce(f64::max).filter(|most| *most > DISTURBED) {
        println!(
            "The machine was not idle: something else had a server's core for up to {:.0} % of the time.",
            most * 100.0
        );
    }
}

fn print_row(title: &str, cells: impl Iterator<Item = String>) {
    println!("| {title} | {} |", cells.collect::<Vec<_>>().join(" | "));
}

/// Two or three digits that count.
fn shown(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

fn median(figures: &[f64]) -> Option<f64> {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    let upper = *figures.get(figures.len() / 2)?;
    let lower = figures[(figures.len() - 1) / 2];
    Some((lower + upper) / 2.0)
}
