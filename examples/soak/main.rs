//! Many idle connections in one process: what they cost in memory and time, and whether a publication reaches them all.
//!
//! `cargo run --release --example soak -- 1000 10000` measures that many connections, each number in a server process of its
//! own, and prints a line for each; without numbers it holds as many as the limit on open files allows. Clients are
//! processes of their own, one for each 10,000 connections and each at a loopback address of its own, so that ports
//! suffice. A number takes about half a minute. Linux only, as it reads `/proc`.
//!
//! | column | meaning |
//! | --- | --- |
//! | heap | bytes on the server's heap for each connection, with default settings but for `drop_request` |
//! | RSS | the same for all memory of the process; sockets and their buffers are the kernel's, and not in it |
//! | CPU | what the keepalive at the default interval takes, in percent of a core |
//! | per ping | the same for each ping and its answer, in microseconds |
//! | bare TCP | what as many bytes on bare TCP sockets cost: tokio and the kernel alone |
//! | all reached | from the first `send` of 1 KiB until the last client has received it |

#[path = "../server/mod.rs"]
mod server;

mod bare;
mod clients;
mod process;
mod websockets;

use std::env;
use std::error::Error as StdError;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn StdError + Send + Sync>>;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["server", connections, bare] => websockets::serve(connections, bare),
        ["client", address, connections] => websockets::connect(address, connections),
        ["bare-server", connections] => bare::serve(connections),
        ["bare-client", address, connections] => bare::connect(address, connections),
        ref numbers => measure_each(numbers),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures these numbers of connections one after the other.
fn measure_each(numbers: &[&str]) -> Result<()> {
    let most = process::open_files()?.saturating_sub(SPARE_FILES);
    let numbers = match numbers {
        [] => vec![most],
        numbers => numbers.iter().map(|number| number.parse()).collect::<std::result::Result<_, _>>()?,
    };
    println!("connections | heap B | RSS B | CPU % | per ping µs | bare TCP µs | all reached ms");
    for connections in numbers {
        if connections > most {
            println!("{connections:>11} | one process may hold {most} here (`ulimit -n`)");
            continue;
        }
        let number = connections.to_string();
        let bare =
            Command::new(env::current_exe()?).args(["bare-server", &number]).stderr(Stdio::inherit()).output()?;
        let bare = String::from_utf8(bare.stdout)?;
        let status = Command::new(env::current_exe()?).args(["server", &number, bare.trim()]).status()?;
        if !status.success() {
            return Err(format!("{connections} connections: {status}").into());
        }
    }
    Ok(())
}

/// How many connections a client's process has: less than an address has ports.
const CLIENT_CONNECTIONS: usize = 10_000;
/// What a process needs beside its connections.
const SPARE_FILES: usize = 200;
/// The keepalive's interval by default.
const INTERVAL: Duration = Duration::from_secs(3);
/// How long the idle connections are watched.
const IDLE_TIME: Duration = Duration::from_secs(15);
/// How long clients may take.
const PATIENCE: Duration = Duration::from_secs(120);
