//! Clients that ask for nothing, and a process without file descriptors: no example keeps the former, or ends of the latter.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::client::{Http2, get, open};
use crate::process::{Example, PATIENCE, command};
use crate::tls::connect;

const EXAMPLES: [&str; 6] = ["axum", "dashboard", "echo", "hyper", "tonic", "warp"];
/// Those that need the feature `axum`.
const OF_AXUM: [&str; 3] = ["axum_chat", "axum_websockets", "token"];

/// What a silent client has sent before it falls silent, [`HTTP1`] of them in HTTP/1.1.
const STARTS: [&[u8]; 8] = [
    b"",
    // Between two requests.
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"G",
    b"GET / HTTP/1.1\r\nHost: local",
    b"PRI * HT",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    // With its settings, which are empty, and with half a frame of headers.
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x20\x01\x04\0\0\0\x01",
];

const HTTP1: usize = 4;

/// It is ended within the time for a first request, and not before.
async fn is_ended(mut stream: impl AsyncReadExt + Unpin, what: String) {
    let start = Instant::now();
    let ended = async { while stream.read(&mut [0; 1024]).await.is_ok_and(|len| len > 0) {} };
    timeout(PATIENCE, ended).await.unwrap_or_else(|_| panic!("{what} is kept"));
    assert!(start.elapsed() > Duration::from_secs(5), "{what} is ended after {:?}", start.elapsed());
}

#[tokio::test]
async fn who_asks_for_nothing_is_ended() {
    let mut clients = JoinSet::new();
    let mut examples = Vec::new();
    let of_axum = OF_AXUM.into_iter().filter(|_| cfg!(feature = "axum"));
    for name in EXAMPLES.into_iter().chain(of_axum) {
        let example = Example::run(name, quiet(name)).await;
        for start in STARTS {
            let mut stream = TcpStream::connect(example.address()).await.unwrap();
            stream.write_all(start).await.unwrap();
            clients.spawn(is_ended(stream, format!("{name} {}", start.escape_ascii())));
        }
        examples.push(example);
    }
    let http1 = Example::run("echo", only_http1(quiet("echo"))).await;
    for start in &STARTS[..HTTP1] {
        let mut stream = TcpStream::connect(http1.address()).await.unwrap();
        stream.write_all(start).await.unwrap();
        clients.spawn(is_ended(stream, format!("HTTP/1.1 alone {}", start.escape_ascii())));
    }
    let tls = Example::run("tls", quiet("tls")).await;
    for start in [&b""[..], b"\x16", b"\x16\x03\x01\x02\0\x01\0"] {
        let mut stream = TcpStream::connect(tls.address()).await.unwrap();
        stream.write_all(start).await.unwrap();
        clients.spawn(is_ended(stream, format!("tls {}", start.escape_ascii())));
    }
    for start in STARTS {
        let mut stream = connect(tls.address()).await;
        stream.write_all(start).await.unwrap();
        clients.spawn(is_ended(stream, format!("https {}", start.escape_ascii())));
    }
    clients.join_all().await;
    for example in &examples {
        get(example.address(), "/").await;
    }
}

/// The example without what it says of each client that it ends.
fn quiet(name: &str) -> Command {
    let mut command = command(name, "127.0.0.1:0");
    command.stderr(Stdio::null());
    command
}

fn only_http1(mut command: Command) -> Command {
    command.env("HTTP2", "0");
    command
}

#[tokio::test]
async fn http1_alone_is_no_http2() {
    for name in ["echo", "fanout"] {
        let example = Example::run(name, only_http1(quiet(name))).await;
        let mut stream = TcpStream::connect(example.address()).await.unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let mut answer = Vec::new();
        // It may be a reset, as what was sent is not all read.
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap_or_else(|_| panic!("{name} waits"));
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{name}: {}", answer.escape_ascii());
    }
}

/// No handler of theirs reads a body, which hyper does not wait for then.
#[tokio::test]
async fn half_a_body_is_answered_and_ends_the_connection() {
    for name in EXAMPLES {
        let example = Example::run(name, quiet(name)).await;
        for (head, half) in
            [("GET", "Content-Length: 10\r\n\r\nhalf"), ("POST", "Transfer-Encoding: chunked\r\n\r\na\r\nhalf")]
        {
            let mut stream = TcpStream::connect(example.address()).await.unwrap();
            stream.write_all(format!("{head} / HTTP/1.1\r\nHost: localhost\r\n{half}").as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            // It may be a reset, as what was sent is not all read.
            let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap_or_else(|_| panic!("{name} waits"));
            assert!(answer.starts_with(b"HTTP/1.1 "), "{name}: {}", answer.escape_ascii());
        }
    }
}

/// A WebSocket is not silent: it has asked.
#[tokio::test]
async fn who_has_a_websocket_stays() {
    let example = Example::start("hyper").await;
    let mut http2 = Http2::connect(example.address()).await;
    let sockets = [open(example.address(), "/ws").await, http2.open("/ws").await];
    // Pings are answered meanwhile.
    let mut stays = JoinSet::new();
    for mut socket in sockets {
        stays.spawn(async move {
            assert!(timeout(Duration::from_secs(13), socket.receive()).await.is_err());
            socket.echoes().await;
        });
    }
    stays.join_all().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_process_without_file_descriptors_goes_on_when_there_are_some() {
    let mut crowds = JoinSet::new();
    for name in EXAMPLES.into_iter().chain(["tls"]) {
        crowds.spawn(async move {
            let example = Example::run(name, few_descriptors(name)).await;
            let mut many = Vec::new();
            for _ in 0..200 {
                many.push(TcpStream::connect(example.address()).await.unwrap());
            }
            // It comes to the 200th when others have been ended.
            drop(many);
            if name == "tls" {
                let (.., page) = Http2::over(connect(example.address()).await, example.address()).await.get("/").await;
                assert!(page.contains("<h1>"), "{page}");
            } else {
                get(example.address(), "/").await;
            }
        });
    }
    crowds.join_all().await;
}

/// The example in a shell that lets it have 64 file descriptors.
#[cfg(unix)]
fn few_descriptors(name: &str) -> Command {
    let command = command(name, "127.0.0.1:0");
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n 64 && exec \"$0\""]).arg(command.as_std().get_program());
    shell.env("ADDR", "127.0.0.1:0").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    shell
}
