//! Both directions together, and what the other tests share.

use crate::role::Role;
use proptest::prelude::*;

use super::*;

pub(super) fn deflater(level: u8, context_takeover: bool) -> Deflater {
    let settings = Compression::default().threshold(0).level(level).unwrap();
    Deflater::new(&negotiated(context_takeover, 15), Role::Server, &settings)
}

pub(super) fn inflater(context_takeover: bool) -> Inflater {
    Inflater::new(&negotiated(context_takeover, 15), Role::Client)
}

fn negotiated(server_context_takeover: bool, server_max_window_bits: u8) -> Negotiated {
    Negotiated {
        server_no_context_takeover: !server_context_takeover,
        client_no_context_takeover: true,
        server_max_window_bits: Some(server_max_window_bits),
        client_max_window_bits: None,
    }
}

pub(super) fn json(size: usize) -> Vec<u8> {
    let items =
        (0_u64..).flat_map(|id| format!(r#"{{"id":{},"name":"item","on":true}},"#, id * id * 7_919).into_bytes());
    items.take(size).collect()
}

pub(super) fn noise(size: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(size).collect()
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (0..3_000usize).prop_map(json),
        2 => (0..70_000usize).prop_map(json),
        2 => (0..70_000usize).prop_map(noise),
        2 => prop::collection::vec(any::<u8>(), 0..600),
        1 => (any::<u8>(), 0..200_000usize).prop_map(|(byte, size)| vec![byte; size]),
        1 => (0..40_000usize, 0..40_000usize).prop_map(|(a, b)| [json(a), noise(b), json(a)].concat()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn messages_come_out_as_they_went_in(
        messages in prop::collection::vec(message(), 1..8),
        level in 1..=9u8,
        memory_level in 1..=9u8,
        window_bits in 9..=15u8,
        context_takeover: bool,
    ) {
        let settings = Compression::default().threshold(0).level(level).and_then(|it| it.memory_level(memory_level)).unwrap();
        let negotiated = negotiated(context_takeover, window_bits);
        let mut deflater = Deflater::new(&negotiated, Role::Server, &settings);
        let mut inflater = Inflater::new(&negotiated, Role::Client);
        for message in messages {
            let (mut compressed, mut out) = (Vec::new(), Vec::new());
            if deflater.deflate(&message, &mut compressed) {
                prop_assert!(compressed.len() < message.len());
                prop_assert_eq!(inflater.inflate(&compressed, message.len(), |_| true, &mut out), Ok(()));
                prop_assert!(out == message);
                if let Some(limit) = message.len().checked_sub(1).filter(|_| !context_takeover) {
                    prop_assert_eq!(inflater.inflate(&compressed, limit, |_| true, &mut out), Err(InflateError::TooBig));
                }
            }
        }
    }
}
