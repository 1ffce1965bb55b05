//! What becomes a message, and what that costs.

#![expect(
    clippy::needless_borrows_for_generic_args,
    clippy::redundant_slicing,
    reason = "that borrowed values are taken is what is tested"
)]

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tower_websocket::{
    CloseCode, CloseFrame, ErrorKind, Hub, Limits, Manager, Message, Overflow, Text, Topic, Upgrader, testing,
};

/// Longer than what lies within a `Text`.
const LONG: &str = "a text that is longer than thirty bytes";

#[tokio::test]
async fn anything_that_is_text_or_bytes_can_be_sent() {
    async fn greet(ws: &Manager, name: &str, shared: &String) {
        ws.send(name).await.unwrap();
        ws.send(shared).await.unwrap();
        ws.send(&name.as_bytes()[1..]).await.unwrap();
        ws.send_uncompressed(name).await.unwrap();
        ws.write_data(name, std::time::Duration::from_secs(5)).await.unwrap();
    }

    let (client, server) = testing::pair(Upgrader::new());
    let name = String::from("anna");
    greet(&client, &name[..], &name).await;
    for expected in [Message::text("anna"), Message::text("anna"), Message::binary(&b"nna"[..])] {
        assert_eq!(server.recv().await.unwrap(), Some(expected));
    }
}

#[test]
fn text_becomes_a_text_message() {
    let string = LONG.to_owned();
    let local: &str = &string;
    for message in [
        Message::from(local),
        Message::from(&string),
        Message::from(string.clone()),
        Message::from(string.clone().into_boxed_str()),
        Message::from(Arc::<str>::from(local)),
        Message::from(Cow::Borrowed(local)),
        Message::from(Cow::<str>::Owned(string.clone())),
        Message::from(Text::from_static(LONG)),
        Message::from(&Text::from(local)),
        Message::from(&local),
        Message::from(&string.clone().into_boxed_str()),
        Message::from(&Arc::<str>::from(local)),
        Message::from(&Cow::Borrowed(local)),
        Message::text(local),
        Message::text(&local),
        Message::text(&string),
        Message::text(&string[..]),
        Message::text(&string.clone().into_boxed_str()),
        Message::text(&Arc::<str>::from(local)),
        Message::text(&Cow::Borrowed(local)),
        Message::text(&Text::from(local)),
        Message::from(&Message::text(local)),
    ] {
        assert_eq!(message.as_text(), Some(LONG));
    }
    assert_eq!("short".parse::<Text>().unwrap(), "short");
}

#[test]
fn bytes_become_a_binary_message() {
    let array = *b"bytes";
    let vec = array.to_vec();
    let bytes = Bytes::from(vec.clone());
    for message in [
        Message::from(&vec[..]),
        Message::from(&vec),
        Message::from(vec.clone()),
        Message::from(vec.clone().into_boxed_slice()),
        Message::from(array),
        Message::from(&array),
        Message::from(b"bytes"),
        Message::from(bytes.clone()),
        Message::from(&bytes),
        Message::from(BytesMut::from(&vec[..])),
        Message::from(Cow::Borrowed(&vec[..])),
        Message::from(Cow::<[u8]>::Owned(vec.clone())),
        Message::from(&&vec[..]),
        Message::from(&vec.clone().into_boxed_slice()),
        Message::from(&BytesMut::from(&vec[..])),
        Message::from(&Cow::Borrowed(&vec[..])),
        Message::from(Arc::<[u8]>::from(&vec[..])),
        Message::from(&Arc::<[u8]>::from(&vec[..])),
    ] {
        assert_eq!(message, Message::Binary(bytes.clone()));
    }
    assert_eq!(Bytes::from(Message::text("a")), "a");
}

/// Borrowed from a local variable, not for `'static`: what `Into<Bytes>` would refuse with an error about lifetimes.
#[test]
fn a_binary_message_takes_what_is_borrowed() {
    fn message(local: &[u8], array: &[u8; 5], text: &str, string: &String, bytes: &Bytes) -> [Message; 10] {
        [
            Message::binary(local),
            Message::binary(&local),
            Message::binary(&local[..]),
            Message::binary(&local.to_vec()),
            Message::binary(&local.to_vec()[..]),
            Message::binary(array),
            Message::binary(*array),
            Message::binary(text),
            Message::binary(string),
            Message::binary(bytes),
        ]
    }

    let local = b"bytes".to_vec();
    let array = [b'b', b'y', b't', b'e', b's'];
    let string = String::from("bytes");
    for message in message(&local, &array, &string, &string, &Bytes::from(local.clone())) {
        assert_eq!(message, Message::Binary(Bytes::from_static(b"bytes")));
    }
    assert_eq!(Message::binary(Message::text("bytes")), Message::Binary(Bytes::from_static(b"bytes")));
    assert!(Message::binary([]).is_empty() && Message::binary(Vec::new()).is_empty());
}

#[tokio::test]
async fn whatever_sends_takes_what_is_borrowed() {
    async fn send(ws: &Manager, local: &[u8], text: &str, array: &[u8; 2]) {
        ws.send(local).await.unwrap();
        ws.send(&local[1..]).await.unwrap();
        ws.send(array).await.unwrap();
        ws.send(*array).await.unwrap();
        ws.send(&text[1..]).await.unwrap();
        ws.send(Message::binary(&text[1..])).await.unwrap();
    }

    fn try_send(ws: &Manager, local: &[u8], text: &str, array: &[u8; 2]) {
        ws.try_send(local).unwrap();
        ws.try_send(&local[1..]).unwrap();
        ws.try_send(array).unwrap();
        ws.try_send(*array).unwrap();
        ws.try_send(&text[1..]).unwrap();
        ws.try_send(Message::binary(&text[1..])).unwrap();
    }

    fn publish(topic: &Topic, local: &[u8], text: &str, array: &[u8; 2]) {
        topic.publish(local).unwrap();
        topic.publish(&local[1..]).unwrap();
        topic.publish(array).unwrap();
        topic.publish(*array).unwrap();
        topic.publish(&text[1..]).unwrap();
        topic.publish(Message::binary(&text[1..])).unwrap();
    }

    let (client, server) = testing::pair(Upgrader::new());
    let (local, text, array) = (b"abc".to_vec(), String::from("text"), [1, 2]);
    let topic = Hub::new().topic("t");
    let _seat = topic.join(&client, Overflow::Close).unwrap();
    send(&client, &local, &text, &array).await;
    try_send(&client, &local, &text, &array);
    publish(&topic, &local, &text, &array);
    for _ in 0..3 {
        for expected in [b"abc".into(), b"bc".into(), array.into(), array.into(), "ext".into(), Message::binary("ext")]
        {
            assert_eq!(server.recv().await.unwrap(), Some(expected));
        }
    }
}

#[test]
fn owned_values_are_not_copied() {
    fn at(message: &Message) -> *const u8 {
        message.as_bytes().as_ptr()
    }

    let string = LONG.to_owned();
    let place = string.as_ptr();
    assert_eq!(at(&Message::from(string)), place);

    let boxed = LONG.to_owned().into_boxed_str();
    let place = boxed.as_ptr();
    assert_eq!(at(&Message::from(boxed)), place);

    let shared: Arc<str> = LONG.into();
    assert_eq!(at(&Message::from(shared.clone())), shared.as_ptr());

    let cow: Cow<'_, str> = Cow::Owned(LONG.to_owned());
    let place = cow.as_ptr();
    assert_eq!(at(&Message::from(cow)), place);

    assert_eq!(at(&Text::from_static(LONG).into()), LONG.as_ptr());

    let vec = LONG.as_bytes().to_vec();
    let place = vec.as_ptr();
    let text = Text::try_from(vec).unwrap();
    assert_eq!(text.as_ptr(), place);

    let bytes = Bytes::from(LONG.as_bytes().to_vec());
    let text = Text::try_from(bytes.clone()).unwrap();
    assert_eq!(text.as_ptr(), bytes.as_ptr());

    let bytes = BytesMut::from(LONG.as_bytes());
    let place = bytes.as_ptr();
    assert_eq!(Text::try_from(bytes.clone()).unwrap(), LONG);
    assert_eq!(at(&Message::from(bytes)), place);

    let boxed = LONG.as_bytes().to_vec().into_boxed_slice();
    let place = boxed.as_ptr();
    assert_eq!(at(&Message::from(boxed)), place);

    let shared: Arc<[u8]> = LONG.as_bytes().into();
    assert_eq!(at(&Message::from(&shared)), shared.as_ptr());
    assert_eq!(at(&Message::from(shared.clone())), shared.as_ptr());

    let string = LONG.to_owned();
    let place = string.as_ptr();
    assert_eq!(at(&Message::text(string)), place);
    let vec = LONG.as_bytes().to_vec();
    let place = vec.as_ptr();
    assert_eq!(at(&Message::binary(vec)), place);
    let bytes = Bytes::from_static(LONG.as_bytes());
    assert_eq!(at(&Message::binary(bytes.clone())), bytes.as_ptr());
    assert_eq!(at(&Message::binary(&bytes)), bytes.as_ptr());
    let bytes = BytesMut::from(LONG.as_bytes());
    let place = bytes.as_ptr();
    assert_eq!(at(&Message::binary(bytes)), place);
    let string = LONG.repeat(1000);
    let place = string.as_ptr();
    assert_eq!(at(&Message::binary(string)), place);
}

#[tokio::test]
async fn what_try_send_gives_back_is_what_it_was_given() {
    let limits = Limits::default().max_write_buffer_size(1);
    let (client, server) = testing::pair(Upgrader::new().limits(limits));
    // It is in the buffer until the connection's task runs.
    server.try_send("the first").unwrap();
    let vec = vec![7; 1000];
    let place = vec.as_ptr();
    let message = server.try_send(vec).unwrap_err().into_message();
    assert_eq!(message.as_bytes().as_ptr(), place);
    drop(client);
}

#[test]
fn bytes_that_are_no_utf8_are_no_text() {
    for error in [
        Text::try_from(Bytes::from_static(b"\xff")).unwrap_err(),
        Text::try_from(vec![b'a'; 40].into_iter().chain([0xc3]).collect::<Vec<_>>()).unwrap_err(),
        Text::try_from(BytesMut::from(&b"\xe4"[..])).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Decode);
    }
}

#[tokio::test]
async fn anything_that_is_text_can_be_the_reason_of_a_close() {
    fn farewell(room: &str) -> CloseFrame {
        CloseFrame::new(CloseCode::GOING_AWAY, room)
    }

    let room = format!("room {}", 7);
    let shared: Arc<str> = room.as_str().into();
    for frame in [
        farewell(&room),
        CloseFrame::new(CloseCode::GOING_AWAY, &room),
        CloseFrame::new(CloseCode::GOING_AWAY, room.clone()),
        CloseFrame::new(CloseCode::GOING_AWAY, Cow::Borrowed(&room[..])),
        CloseFrame::new(CloseCode::GOING_AWAY, room.clone().into_boxed_str()),
        CloseFrame::new(CloseCode::GOING_AWAY, shared),
        CloseFrame::new(CloseCode::GOING_AWAY, Text::from(&room)),
    ] {
        assert_eq!(frame.reason(), "room 7");
    }
    let (client, server) = testing::pair(Upgrader::new());
    server.close_with(CloseCode::GOING_AWAY, &room[..4]).await.unwrap();
    assert_eq!(client.done().await.unwrap().reason(), "room");
    let shutdown = tower_websocket::Shutdown::new();
    shutdown.close_all(CloseCode::GOING_AWAY, &room[..4], std::time::Duration::ZERO).await;
}

#[test]
fn close_codes_are_numbers() {
    assert_eq!(CloseCode::try_from(4001).map(u16::from).unwrap(), 4001);
    for number in [0, 999, 5000, u16::MAX] {
        assert_eq!(CloseCode::try_from(number).unwrap_err().kind(), ErrorKind::InvalidSetting, "{number}");
    }
    assert_eq!(CloseFrame::from(CloseCode::GOING_AWAY).code(), CloseCode::GOING_AWAY);
    assert_eq!(CloseFrame::without_code().code(), CloseCode::NO_STATUS);
}
