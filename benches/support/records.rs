//! JSON as an API returns it, and compressed as a client sends it.

use flate2::{Compress, Compression, FlushCompress};

/// Records as an API returns them.
pub(crate) fn json(len: usize) -> Vec<u8> {
    let record = |id: usize| {
        let city = ["Berlin", "Lagos", "Osaka", "Quito", "Perth"][id * id % 5];
        let price = id * 7919 % 10_000;
        format!(
            r#"{{"id":{id},"name":"customer {id}","city":"{city}","price":{price}.5,"active":{}}},"#,
            id.is_multiple_of(3)
        )
    };
    let mut json: String = (0..len)
        .map(record)
        .scan(0, |total, record| {
            let is_needed = *total < len;
            *total += record.len();
            is_needed.then_some(record)
        })
        .collect();
    json.truncate(len);
    json.into_bytes()
}

/// One message without a context (RFC 7692 §7.2.1).
pub(crate) fn deflate(message: &[u8]) -> Vec<u8> {
    let mut compressed = Vec::with_capacity(message.len() + 64);
    let mut compressor = Compress::new(Compression::fast(), false);
    compressor.compress_vec(message, &mut compressed, FlushCompress::Sync).expect("there is room");
    assert!(compressed.ends_with(&[0, 0, 0xff, 0xff]));
    compressed.truncate(compressed.len() - 4);
    compressed
}

/// What a client offers.
pub(crate) const NO_TAKEOVER: &str = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
    client_no_context_takeover\r\n";
