//! Compares tower-websocket's echo with those of its peers. See README.md.
//!
//! One program with three roles, so that one build makes all of them: without a subcommand it runs the comparison, which
//! starts `serve` (an echo server of a peer) on one core and `load` (the client) on another.

mod compare;
mod load;
mod measurement;
mod peers;
mod tls;
mod workload;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Measures the CPU time that echo servers spend on a message, and prints the table.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    role: Option<Role>,
    #[command(flatten)]
    comparison: compare::Options,
}

#[derive(Subcommand)]
enum Role {
    /// Runs the echo server of one peer.
    Serve(peers::Options),
    /// Puts load on a running echo server and prints a measurement as JSON.
    Load(load::Options),
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    match cli.role {
        None => compare::run(&cli.comparison),
        Some(Role::Serve(options)) => peers::serve(&options),
        Some(Role::Load(options)) => load::run(&options),
    }
}
