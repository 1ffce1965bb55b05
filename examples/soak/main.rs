//! Many idle connections in one process: what they cost in memory and time, and whether a publication reaches them all.
//!
//! `cargo run --release --example soak -- 1000 10000` measures that many connections, each number in a server process of its
//! own, and prints a line for each; without numbers it holds as many as the limit on open files allows. Clients are
//! processes of their own, one for each 10,000 connections and each at a loopback address of its own, so that ports
//! suffice. A number takes about half a minute. Linux only, as it reads `/proc`.
//!
//! With `--http2` before the numbers, 100 WebSockets share a TCP connection as streams of HTTP/2: so a process may hold more
//! than it may have files open. There is no figure for bare TCP then.
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
mod http2;
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
        ["server", connections, bare] => websockets::serve(Protocol::Http1, connections, Some(bare)),
        ["server-http2", connections] => websockets::serve(Protocol::Http2, connections, None),
        ["client", address, connections] => websockets::connect(address, connections),
        ["client-http2", address, connections] => websockets::connect_http2(address, connections),
        ["bare-server", connections] => bare::serve(connections),
        ["bare-client", address, connections] => bare::connect(address, connections),
        ["--http2", ref numbers @ ..] => measure_each(Protocol::Http2, numbers),
        ref numbers => measure_each(Protocol::Http1, numbers),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What WebSockets run over.
#[derive(Clone, Copy, PartialEq)]
enum Protocol {
    Http1,
    Http2,
}

/// Measures these numbers of connections one after the other.
fn measure_each(protocol: Protocol, numbers: &[&str]) -> Result<()> {
    let files = process::open_files()?.saturating_sub(SPARE_FILES);
    let most = if protocol == Protocol::Http2 { http2::most_websockets(files) } else { files };
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
        measure(protocol, &connections.to_string())?;
    }
    Ok(())
}

/// Measures this number of connections, in processes of their own.
fn measure(protocol: Protocol, connections: &str) -> Result<()> {
    let mut server = Command::new(env::current_exe()?);
    match protocol {
        Protocol::Http1 => {
            let mut bare = Command::new(env::current_exe()?);
            let bare = bare.args(["bare-server", connections]).stderr(Stdio::inherit()).output()?;
            server.args(["server", connections, String::from_utf8(bare.stdout)?.trim()]);
        }
        Protocol::Http2 => {
            server.args(["server-http2", connections]);
        }
    }
    let status = server.status()?;
    if !status.success() {
        return Err(format!("{connections} connections: {status}").into());
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
