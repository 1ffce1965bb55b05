//! The whole programs that the guides name: GraphQL, uploads, a tail, a proxy.

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;

use http::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Http2, Socket, get, open, post};
use crate::process::{Example, PATIENCE, command};

/// A new folder, which is removed with this.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("tower-websocket-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("the folder is new");
        Self(folder)
    }

    /// The names of its files, sorted.
    fn files(&self) -> Vec<String> {
        let files = fs::read_dir(&self.0).expect("the folder is there").map_while(Result::ok);
        let mut files: Vec<_> = files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
        files.sort();
        files
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn says(socket: &mut Socket, message: Value) {
    socket.send(message.to_string()).await;
}

async fn graphql(address: &str) -> Socket {
    let mut connection = Http2::connect(address).await.offering("graphql-transport-ws");
    let mut socket = connection.open("/ws").await;
    says(&mut socket, json!({ "type": "connection_init", "payload": { "token": "s3cret" } })).await;
    assert_eq!(socket.receive_json().await, json!({ "type": "connection_ack" }));
    socket
}

fn subscribe(id: &str, query: &str) -> Value {
    json!({ "type": "subscribe", "id": id, "payload": { "query": query } })
}

#[tokio::test]
async fn graphql_runs_operations_side_by_side() {
    let example = Example::start("graphql_transport_ws").await;
    let (status, _, page) = get(example.address(), "/").await;
    assert!(status == StatusCode::OK && page.contains("graphql-transport-ws"), "{status}: {page}");
    let mut socket = graphql(example.address()).await;

    says(&mut socket, subscribe("ticks", "subscription { ticks }")).await;
    let tick = |number: u64| json!({ "type": "next", "id": "ticks", "payload": { "data": { "ticks": number } } });
    assert_eq!(socket.receive_json().await, tick(0));
    says(&mut socket, json!({ "type": "ping" })).await;
    assert_eq!(socket.receive_json_when(|message| message["id"] != "ticks").await, json!({ "type": "pong" }));
    says(&mut socket, subscribe("hello", "{ hello }")).await;
    let of_hello = |message: &Value| message["id"] == "hello";
    let hello = json!({ "type": "next", "id": "hello", "payload": { "data": { "hello": "world" } } });
    assert_eq!(socket.receive_json_when(of_hello).await, hello);
    assert_eq!(socket.receive_json_when(of_hello).await, json!({ "type": "complete", "id": "hello" }));
    says(&mut socket, subscribe("none", "{ nothing }")).await;
    let error = json!({ "type": "error", "id": "none", "payload": [{ "message": "there is no such operation" }] });
    assert_eq!(socket.receive_json_when(|message| message["id"] == "none").await, error);

    // Once it is told to, an operation ends, and its id is free.
    says(&mut socket, json!({ "type": "complete", "id": "ticks" })).await;
    says(&mut socket, subscribe("ticks", "subscription { ticks }")).await;
    assert_eq!(socket.receive_json_when(|message| *message == tick(0)).await, tick(0));
}

#[tokio::test]
async fn graphql_closes_with_the_codes_of_its_protocol() {
    let example = Example::start("graphql_transport_ws").await;
    let without = open(example.address(), "/ws").await;
    assert_eq!(without.closed().await, Some((4406, "Subprotocol not acceptable".to_owned())));

    let mut early = Http2::connect(example.address()).await.offering("graphql-transport-ws").open("/ws").await;
    says(&mut early, subscribe("a", "{ hello }")).await;
    assert_eq!(early.closed().await, Some((4401, "Unauthorized".to_owned())));

    let ticks = subscribe("a", "subscription { ticks }").to_string();
    for (messages, code, reason) in [
        (&["no JSON"][..], 4400, "Invalid message"),
        (&[r#"{"type":"unknown"}"#], 4400, "Invalid message"),
        (&[r#"{"type":"connection_init"}"#], 4429, "Too many initialisation requests"),
        (&[&*ticks, &*ticks], 4409, "Subscriber for a already exists"),
    ] {
        let mut socket = graphql(example.address()).await;
        for message in messages {
            socket.send(*message).await;
        }
        assert_eq!(socket.closed().await, Some((code, reason.to_owned())), "{messages:?}");
    }
}

#[tokio::test]
async fn uploads_are_saved_up_to_a_limit() {
    let folder = Folder::new("upload");
    let mut command = command("upload", "127.0.0.1:0");
    command.env("FOLDER", &folder.0).env("LARGEST", "1000000");
    let example = Example::run("upload", command).await;
    let (status, _, page) = get(example.address(), "/").await;
    assert!(status == StatusCode::OK && page.contains("type=\"file\""), "{status}: {page}");

    // Several over one connection, however they are cut; the last is as large as is allowed.
    let mut socket = open(example.address(), "/ws").await;
    for (number, parts) in [vec![], vec![5, 0, 7], vec![400_000, 600_000]].into_iter().enumerate() {
        let size: usize = parts.iter().sum();
        says(&mut socket, json!({ "size": size })).await;
        for len in parts {
            socket.send(Message::binary(vec![number as u8; len])).await;
        }
        let name = format!("upload-{}", number + 1);
        assert_eq!(socket.receive_json().await, json!({ "saved": name, "size": size }));
        assert_eq!(fs::read(folder.0.join(&name)).unwrap(), vec![number as u8; size]);
    }

    let mut large = Http2::connect(example.address()).await.open("/ws").await;
    says(&mut large, json!({ "size": 1_000_001 })).await;
    assert_eq!(large.closed().await, Some((1009, "at most 1000000 bytes".to_owned())));

    let mut more = open(example.address(), "/ws").await;
    says(&mut more, json!({ "size": 10 })).await;
    more.send(Message::binary(vec![0; 11])).await;
    assert_eq!(more.closed().await, Some((1009, "more than was announced".to_owned())));

    // Of one that breaks off, nothing is left.
    let mut broken = open(example.address(), "/ws").await;
    says(&mut broken, json!({ "size": 10 })).await;
    broken.send(Message::binary(vec![0; 5])).await;
    drop(broken);
    let whole = ["upload-1", "upload-2", "upload-3"];
    while folder.files() != whole {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn tail_sends_the_last_lines_and_those_that_come() {
    let folder = Folder::new("tail");
    let file = folder.0.join("log");
    fs::write(&file, (1..=12).map(|line| format!("line {line}\n")).collect::<String>()).unwrap();
    let mut command = command("tail", "127.0.0.1:0");
    command.arg(&file);
    let mut example = Example::run("tail", command).await;
    let mut sockets = [open(example.address(), "/ws").await, Http2::connect(example.address()).await.open("/ws").await];
    for socket in &mut sockets {
        for line in 3..=12 {
            assert_eq!(socket.receive().await, Message::text(format!("line {line}")));
        }
    }
    let mut log = fs::File::options().append(true).open(&file).unwrap();
    log.write_all(b"half").unwrap();
    log.write_all(b" a line\nand another\n").unwrap();
    for socket in &mut sockets {
        assert_eq!(socket.receive().await, Message::text("half a line"));
        assert_eq!(socket.receive().await, Message::text("and another"));
    }
    // A page that leaves while nothing is written is noticed.
    let [first, _second] = sockets;
    first.leaves(4000, "enough").await;
    assert_eq!(example.line().await, "a page has left after 12 lines: code 4000, enough");
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn proxy_passes_messages_subprotocols_and_close_codes_on() {
    let echo = Example::start("echo").await;
    let mut proxy = before(&format!("ws://{}/ws", echo.address())).await;
    open(proxy.address(), "/ws").await.echoes().await;
    assert_eq!(proxy.line().await, "closed: code 1005");
    Http2::connect(proxy.address()).await.open("/ws").await.echoes().await;

    let upstream = Example::start("graphql_transport_ws").await;
    let proxy = before(&format!("ws://{}/ws", upstream.address())).await;
    let mut socket = graphql(proxy.address()).await;
    socket.send("no JSON").await;
    assert_eq!(socket.closed().await, Some((4400, "Invalid message".to_owned())));
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn proxy_refuses_as_its_upstream_does() {
    let token = Example::start("token").await;
    let proxy = before(&format!("ws://{}/ws", token.address())).await;
    let response = Http2::connect(proxy.address()).await.handshake("/ws").await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let (_, _, known) = post(token.address(), "/token?user=anna").await;
    let offer = format!("chat.v1, bearer.{known}");
    let mut known = Http2::connect(proxy.address()).await.offering(&offer).open("/ws").await;
    assert_eq!(known.receive().await, Message::text("hello, anna"));

    let away = token.address().to_owned();
    drop(token);
    let proxy = before(&format!("ws://{away}/ws")).await;
    // The process may take a moment to end.
    loop {
        let response = Http2::connect(proxy.address()).await.handshake("/ws").await;
        if response.status() != StatusCode::UNAUTHORIZED {
            assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
            break;
        }
    }
}

/// A session of the example `token` whose token is valid for so long.
async fn session(example: &Example, seconds: u64) -> Socket {
    let (_, _, token) = post(example.address(), &format!("/token?user=anna&seconds={seconds}")).await;
    let offer = format!("chat.v1, bearer.{token}");
    let mut session = Http2::connect(example.address()).await.offering(&offer).open("/ws").await;
    assert_eq!(session.receive().await, Message::text("hello, anna"));
    session
}

/// `tests/axum` has the times.
#[tokio::test]
async fn token_ends_a_session_with_its_token_unless_another_renews_it() {
    let example = Example::start("token").await;
    let (mut renewed, first, second) = tokio::join!(session(&example, 2), session(&example, 2), session(&example, 3));
    let (_, _, token) = post(example.address(), "/token?user=anna&seconds=3600").await;
    renewed.send(format!("renew {token}")).await;
    assert_eq!(renewed.receive().await, Message::text("renewed"));
    let expired = Some((1008, "token expired".to_owned()));
    assert_eq!(first.closed().await, expired);
    // This ends a second later, by when the token that the renewed session began with has expired for sure.
    assert_eq!(second.closed().await, expired);
    renewed.echoes().await;
}

/// A proxy before this server.
#[cfg(feature = "axum")]
async fn before(upstream: &str) -> Example {
    let mut command = command("proxy", "127.0.0.1:0");
    command.env("UPSTREAM", upstream);
    Example::run("proxy", command).await
}

#[tokio::test]
async fn follow_goes_on_where_it_was_when_its_connection_is_lost() {
    let rooms = Example::start("rooms").await;
    // What is between them breaks when this is aborted.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let server = rooms.address().to_owned();
    let (sender, mut connections) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut near, _) = listener.accept().await.expect("a connection");
            let mut far = TcpStream::connect(&server).await.expect("the server listens");
            let carrying = tokio::spawn(async move { copy_bidirectional(&mut near, &mut far).await });
            sender.send(carrying.abort_handle()).expect("the test runs");
        }
    });
    let mut command = command("follow", "");
    command.arg(format!("ws://{address}/ws?room=one&name=follower")).stdout(Stdio::piped());
    let mut follow = command.spawn().expect("the example starts");
    let mut lines = BufReader::new(follow.stdout.take().expect("stdout is piped")).lines();
    let mut line = async || timeout(PATIENCE, lines.next_line()).await.expect("a line").expect("stdout is readable");

    let mut anna = open(rooms.address(), "/ws?room=one&name=anna").await;
    anna.send("1").await;
    assert_eq!(line().await.as_deref(), Some("anna: 1"));
    for number in 2..5 {
        connections.recv().await.expect("it connects").abort();
        anna.send(number.to_string()).await;
        assert_eq!(line().await, Some(format!("anna: {number}")));
    }
}
