//! Byte streams that become messages, read in any parts: JSON values against serde_json's own stream of values, lines against
//! `str::split`, and readers and writers of bytes.

#![no_main]

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tower_websocket::{ErrorKind, Manager, MessageKind, Upgrader, testing};

#[derive(Arbitrary, Debug)]
struct Input {
    what: What,
    sizes: Vec<u8>,
    content: Content,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum What {
    Json,
    Lines,
    Writer,
}

#[derive(Arbitrary, Debug)]
enum Content {
    Bytes(Vec<u8>),
    Text(String),
    Words(Vec<u8>),
}

const WORDS: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    ",",
    ":",
    " ",
    "\n",
    "\r\n",
    "\r",
    "1",
    "-2.5e3",
    "true",
    "null",
    "x",
    "ä",
    "{}",
    "[[]]",
    "\"a\\\"b\"",
    "{\"key\":[1,\"}\"]}",
    "\\u00e4",
    "0",
];

/// Input in parts, with a pause before some of them.
struct Parts<'a> {
    rest: &'a [u8],
    sizes: std::slice::Iter<'a, u8>,
    pause: bool,
}

impl AsyncRead for Parts<'_> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.pause) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let size = self.sizes.next().copied().unwrap_or(255);
        self.pause = size % 3 == 0;
        let len = usize::from(size / 4 + 1).min(buf.remaining()).min(self.rest.len());
        let (part, rest) = self.rest.split_at(len);
        buf.put_slice(part);
        self.rest = rest;
        Poll::Ready(Ok(()))
    }
}

/// What was sent, and how copying ended.
type Outcome = (Vec<Vec<u8>>, Result<(), ErrorKind>);

fuzz_target!(|input: Input| {
    let content = match &input.content {
        Content::Bytes(bytes) => bytes.clone(),
        Content::Text(text) => text.clone().into_bytes(),
        Content::Words(words) => {
            words.iter().map(|word| WORDS[usize::from(*word) % WORDS.len()]).collect::<String>().into_bytes()
        }
    };
    let (sent, result) = copy(input.what, &content, &input.sizes);
    match input.what {
        What::Json => {
            let (expected, whole) = values(&content);
            if let Some(expected) = expected {
                assert_eq!(sent, expected);
                assert_eq!(result.is_ok(), whole);
            }
            // However it is read.
            assert_eq!((sent, result), copy(input.what, &content, &[]));
        }
        What::Lines => {
            let mut lines: Vec<_> = content.split_inclusive(|byte| *byte == b'\n').collect();
            let good = lines.iter().position(|line| str::from_utf8(line).is_err());
            lines.truncate(good.unwrap_or(lines.len()));
            let ending = |line: &[u8]| match line.strip_suffix(b"\n") {
                Some(line) => line.strip_suffix(b"\r").unwrap_or(line).to_vec(),
                None => line.to_vec(),
            };
            assert_eq!(sent, lines.into_iter().map(ending).collect::<Vec<_>>());
            assert_eq!(result.is_ok(), good.is_none());
        }
        What::Writer => match str::from_utf8(&content) {
            Ok(_) => assert_eq!((sent.concat(), result), (content, Ok(()))),
            Err(error) => {
                assert!(content.starts_with(&sent.concat()) && sent.concat().len() <= error.valid_up_to());
                assert!(result.is_err());
            }
        },
    }
});

fn copy(what: What, content: &[u8], sizes: &[u8]) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (client, server) = testing::pair(Upgrader::new().without_compression());
        let receiving = tokio::spawn(async move {
            let mut received = Vec::new();
            while let Some(message) = client.recv().await.unwrap() {
                assert!(message.as_text().is_some());
                received.push(message.as_bytes().to_vec());
            }
            received
        });
        let mut parts = Parts { rest: content, sizes: sizes.iter(), pause: false };
        let result = match what {
            What::Json => server.copy_json_stream(&mut parts).await.map(drop).map_err(|error| error.kind()),
            What::Lines => server.copy_text_lines(&mut parts).await.map(drop).map_err(|error| error.kind()),
            What::Writer => write(&server, &mut parts).await.map_err(|_| ErrorKind::Protocol),
        };
        server.close().await.unwrap();
        (receiving.await.unwrap(), result)
    })
}

async fn write(ws: &Manager, parts: &mut Parts<'_>) -> io::Result<()> {
    let mut writer = ws.writer(MessageKind::Text);
    let mut buffer = [0; 100];
    loop {
        let len = parts.read(&mut buffer).await.unwrap();
        if len == 0 {
            return writer.shutdown().await;
        }
        writer.write_all(&buffer[..len]).await?;
    }
}

/// The values that serde_json finds, and whether that is all there is. None: the input is not text.
fn values(content: &[u8]) -> (Option<Vec<Vec<u8>>>, bool) {
    let Ok(text) = str::from_utf8(content) else { return (None, false) };
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let (mut start, mut values) = (0, Vec::new());
    let whole = loop {
        match stream.next() {
            None => break true,
            Some(Err(_)) => break false,
            Some(Ok(_)) => {
                values.push(text[start..stream.byte_offset()].trim_ascii().as_bytes().to_vec());
                start = stream.byte_offset();
            }
        }
    };
    (Some(values), whole)
}
