//! The client, which is not counted.

use std::io::{BufRead, BufReader};
use std::process::Child;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::rows::{Kind, Row, frames};
use crate::support::{self, CLOSE, Client, TEXT, masked};
use records::{NO_TAKEOVER, deflate, json};

#[path = "../support/records.rs"]
mod records;

/// Has the server do what the row says so often, and end.
pub(crate) fn drive(row: &Row, turns: u64, mut server: Child) {
    let mut address = String::new();
    let output = server.stdout.take().expect("its output is piped");
    BufReader::new(output).read_line(&mut address).expect("it says where it listens");
    if row.kind != Kind::Call {
        support::runtime().block_on(turn_by_turn(row, turns, address.trim()));
    }
    drop(server.stdin.take());
    assert!(server.wait().expect("it ends").success(), "{}", row.name);
}

async fn turn_by_turn(row: &Row, turns: u64, address: &str) {
    let frames = frames(row);
    match row.kind {
        Kind::Call => {}
        Kind::Tcp => {
            let mut stream = connect(address).await;
            let mut bytes = [0; 64];
            for _ in 0..turns {
                stream.write_all(&bytes).await.expect("it reads");
                stream.read_exact(&mut bytes).await.expect("it writes");
            }
        }
        Kind::Handshake => {
            let close = masked(CLOSE, &1000_u16.to_be_bytes());
            for _ in 0..turns {
                Client::open(connect(address).await).await.close(&close).await;
            }
        }
        Kind::Deflate => {
            let mut client = Client::open_with(connect(address).await, NO_TAKEOVER).await;
            // RSV1 (RFC 7692 §6).
            let frame = masked(TEXT | 0x40, &deflate(&json(1024)));
            for _ in 0..turns {
                client.exchange(&frame, 1).await;
            }
        }
        Kind::Echo(_) | Kind::WriteJson => {
            let mut client = Client::open(connect(address).await).await;
            for _ in 0..turns {
                client.exchange(&frames, row.per_turn).await;
            }
        }
        Kind::Publish(members) => {
            let mut clients = Vec::new();
            for _ in 0..members {
                let mut client = Client::open(connect(address).await).await;
                // It is a member once its first message has come back.
                client.exchange(&frames, 1).await;
                clients.push(client);
            }
            for _ in 0..turns {
                clients[0].exchange(&frames, 1).await;
                for client in &mut clients[1..] {
                    client.receive(1).await;
                }
            }
        }
    }
}

async fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).await.expect("it listens");
    stream.set_nodelay(true).expect("it is a TCP stream");
    stream
}
