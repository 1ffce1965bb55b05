//! A gate that a busy machine does not move: how many instructions the server spends in user space, counted by valgrind.
//!
//! `cargo run --release` in this folder compares with `figures.txt` and fails where a row is off by more than 3 %, in either
//! direction; `UPDATE=1` before it writes the figures anew, and a part of a name behind it chooses rows. The server is a
//! process of its own under callgrind, on one thread and behind hyper where nothing else is said; the client costs it nothing.
//! Each row is run with N and with 2N turns: the difference has no start, no handshake and no end in it.
//!
//! A package of its own, so that the server is built as a user's is: with the default features, and without what tests add to
//! tokio (its feature `test-util` takes some 300 instructions a turn). There is no link-time optimisation, which would save
//! some more.

mod callgrind;
mod client;
mod figures;
mod rows;
mod server;
mod support;

use std::env;
use std::process::ExitCode;

use figures::Figures;
use rows::{ROWS, Row};

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", row, turns] => server::run(rows::find(row), turns.parse().expect("a number of turns")),
        _ => return gate(arguments.first().copied()),
    }
    ExitCode::SUCCESS
}

/// Counts the rows that have `part` in their names, and compares them with the figures.
fn gate(part: Option<&str>) -> ExitCode {
    let here = callgrind::tools();
    let expected = Figures::read();
    let update = env::var_os("UPDATE").is_some();
    match &here {
        None => {
            // Still, everything runs.
            ROWS.iter().for_each(|row| client::drive(row, 2, callgrind::bare(row, 2)));
            support::skipped("instructions", "valgrind is not installed");
            return ExitCode::SUCCESS;
        }
        Some(here) if !update && *here != expected.tools => {
            let why = format!("its figures were made with {}, and here is {here}: they do not compare", expected.tools);
            support::skipped("instructions", &why);
        }
        Some(_) => {}
    }
    let here = here.unwrap_or_default();
    let comparable = here == expected.tools;
    let mut figures = expected.clone();
    figures.tools = here;
    let mut wrong = false;
    for row in ROWS.iter().filter(|row| part.is_none_or(|part| row.name.contains(part))) {
        let before = expected.of(row.name).filter(|_| comparable);
        let mut count = count(row);
        if update || before.is_some_and(|before| change(before, count).abs() > TOLERANCE) {
            count = median([count, self::count(row), self::count(row)]);
        }
        let verdict = match before {
            Some(before) => {
                let change = change(before, count);
                wrong |= change.abs() > TOLERANCE;
                format!("{change:+5.1} %{}", if change.abs() > TOLERANCE { "  <--" } else { "" })
            }
            None if expected.of(row.name).is_some() => "not compared".into(),
            None => {
                wrong |= comparable;
                "new".into()
            }
        };
        println!("{:<48}{count:>9}  {verdict}", row.name);
        figures.set(row.name, count);
    }
    if update {
        figures.write();
        return ExitCode::SUCCESS;
    }
    if wrong {
        println!(
            "More than {TOLERANCE} % off. What is meant to be so is written by `UPDATE=1`, with the reason in the commit."
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// The instructions of one message, or of whatever the row counts.
fn count(row: &Row) -> u64 {
    let [once, twice] = [1, 2].map(|times| {
        let turns = row.turns * times;
        let (server, output) = callgrind::start(row, turns);
        client::drive(row, turns, server);
        callgrind::instructions(&output)
    });
    (twice - once) / (row.turns * row.per_turn)
}

/// From one figure to the other, in percent.
fn change(before: u64, after: u64) -> f64 {
    (after as f64 / before as f64 - 1.0) * 100.0
}

/// One run of many has a million instructions more, for what happens once in a while on a machine that is busy.
fn median(mut counts: [u64; 3]) -> u64 {
    counts.sort_unstable();
    counts[1]
}

/// How far a row may be off, in percent.
const TOLERANCE: f64 = 3.0;
