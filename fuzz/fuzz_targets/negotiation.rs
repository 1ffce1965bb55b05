//! The negotiation of permessage-deflate (RFC 7692 §5, §7.1), against the RFC's rules for offers that are made of parts, and
//! on any bytes.

#![no_main]

use arbitrary::Arbitrary;
use http::header::SEC_WEBSOCKET_EXTENSIONS;
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use tower_websocket::Compression;
use tower_websocket::fuzz_doors::{Agreed, offer};

#[derive(Arbitrary, Debug)]
struct Input {
    client: Settings,
    server: Settings,
    offers: Vec<Offer>,
    lines: Vec<Vec<u8>>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct Settings {
    server_takeover: bool,
    client_takeover: bool,
    server_bits: u8,
    client_bits: u8,
}

#[derive(Arbitrary, Debug)]
struct Offer {
    other: bool,
    new_line: bool,
    params: Vec<Param>,
}

#[derive(Arbitrary, Debug)]
struct Param {
    name: u8,
    value: Option<u8>,
    quoted: bool,
    spaced: bool,
}

const NAMES: [&str; 5] = [
    "server_no_context_takeover",
    "client_no_context_takeover",
    "server_max_window_bits",
    "client_max_window_bits",
    "unknown",
];
const VALUES: [&str; 12] = ["8", "9", "10", "11", "12", "13", "14", "15", "16", "08", "x", "7"];

impl Settings {
    fn compression(self) -> Compression {
        Compression::default()
            .server_context_takeover(self.server_takeover)
            .client_context_takeover(self.client_takeover)
            .server_max_window_bits(self.server_bits())
            .and_then(|settings| settings.client_max_window_bits(self.client_bits()))
            .unwrap()
    }

    fn server_bits(self) -> u8 {
        9 + self.server_bits % 7
    }

    fn client_bits(self) -> u8 {
        9 + self.client_bits % 7
    }
}

impl Param {
    fn name(&self) -> &'static str {
        NAMES[usize::from(self.name) % NAMES.len()]
    }

    fn value(&self) -> Option<&'static str> {
        self.value.map(|value| VALUES[usize::from(value) % VALUES.len()])
    }

    fn bits(&self) -> Option<u8> {
        self.value()?
            .parse()
            .ok()
            .filter(|bits: &u8| self.value() == Some(&bits.to_string()) && (8..=15).contains(bits))
    }

    fn text(&self) -> String {
        let space = if self.spaced { " " } else { "" };
        let value = self.value().map_or(String::new(), |value| {
            if self.quoted { format!("={space}\"{value}\"") } else { format!("{space}={value}") }
        });
        format!(";{space}{}{value}", self.name())
    }
}

/// What a server with these settings agrees to: for client and server, whether messages refer to earlier ones, and the bits.
fn model(offer: &Offer, settings: Settings) -> Option<[(bool, Option<u8>); 2]> {
    if offer.other {
        return None;
    }
    let find = |name| {
        let mut found = offer.params.iter().filter(|param| param.name() == name);
        (found.next(), found.next().is_some())
    };
    for name in NAMES {
        let (param, repeated) = find(name);
        let Some(param) = param else { continue };
        let fits = match name {
            "server_no_context_takeover" | "client_no_context_takeover" => param.value().is_none(),
            "server_max_window_bits" => param.bits().is_some(),
            "client_max_window_bits" => param.value().is_none() || param.bits().is_some(),
            _ => false,
        };
        if repeated || !fits {
            return None;
        }
    }
    let below_15 = |bits: u8| (bits < 15).then_some(bits);
    let server_bits = match find("server_max_window_bits").0.and_then(Param::bits) {
        // zlib cannot.
        Some(8) => return None,
        Some(bits) => Some(bits.min(settings.server_bits())),
        None => below_15(settings.server_bits()),
    };
    let client_bits = find("client_max_window_bits")
        .0
        .and_then(|param| below_15(settings.client_bits()).map(|bits| bits.min(param.bits().unwrap_or(15))));
    Some([
        (settings.client_takeover && find("client_no_context_takeover").0.is_none(), client_bits),
        (settings.server_takeover && find("server_no_context_takeover").0.is_none(), server_bits),
    ])
}

fn headers(lines: impl IntoIterator<Item = HeaderValue>) -> HeaderMap {
    lines.into_iter().map(|line| (SEC_WEBSOCKET_EXTENSIONS, line)).collect()
}

fuzz_target!(|input: Input| {
    let server = input.server.compression();
    // Offers that are made of parts.
    let mut lines: Vec<String> = Vec::new();
    for offer in &input.offers {
        let name = if offer.other { "x-other" } else { "permessage-deflate" };
        let text = format!("{name}{}", offer.params.iter().map(Param::text).collect::<String>());
        match lines.last_mut().filter(|_| !offer.new_line) {
            Some(line) => *line += &format!(", {text}"),
            None => lines.push(text),
        }
    }
    // Spaces around `=` are not in the grammar.
    let is_grammatical =
        !input.offers.iter().flat_map(|offer| &offer.params).any(|param| param.spaced && param.value.is_some());
    let request = headers(lines.iter().map(|line| line.parse().unwrap()));
    let agreed = Agreed::accept(&server, &request);
    if is_grammatical {
        let expected = input.offers.iter().find_map(|offer| model(offer, input.server));
        assert_eq!(agreed.as_ref().map(Agreed::parameters), expected, "{lines:?}");
    }

    // Our client and our server agree, and mean the same.
    let client = input.client.compression();
    let agreed = Agreed::accept(&server, &headers([offer(&client)])).expect("our offer is accepted");
    let confirmed = Agreed::confirm(&client, &headers([agreed.response_value()])).unwrap().unwrap();
    let [theirs, ours] = [&agreed, &confirmed].map(Agreed::parameters);
    assert_eq!(theirs[1].0, ours[1].0);
    assert_eq!(theirs[1].1.unwrap_or(15), ours[1].1.unwrap_or(15));
    assert!(ours[0].0 <= theirs[0].0 && ours[0].1.unwrap_or(15) <= theirs[0].1.unwrap_or(15));

    // Any bytes: what is agreed on can be said, and read again.
    let any = headers(input.lines.iter().filter_map(|line| HeaderValue::from_bytes(line).ok()));
    if let Some(agreed) = Agreed::accept(&server, &any) {
        let answer = headers([agreed.response_value()]);
        Agreed::accept(&Compression::default(), &answer).expect("an answer has the form of an offer");
    }
    if let Ok(Some(agreed)) = Agreed::confirm(&client, &any) {
        let [(takeover, bits), (_, server_bits)] = agreed.parameters();
        assert!(!takeover || input.client.client_takeover);
        assert!(bits.unwrap_or(15) <= input.client.client_bits());
        assert!(server_bits.is_none_or(|bits| bits <= input.client.server_bits()));
    }
});
