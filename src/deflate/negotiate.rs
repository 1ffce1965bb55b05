//! Which parameters both sides agree on (RFC 7692 §5 and §7.1).

use http::header::{HeaderMap, HeaderValue};

use super::extensions::{Extension, extensions};
use super::settings::{Compression, MAX_WINDOW_BITS, WINDOW_BITS};
use crate::error::{Error, ErrorKind};

/// Which side of the connection we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

/// What both sides agreed on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Negotiated {
    pub(crate) server_no_context_takeover: bool,
    pub(crate) client_no_context_takeover: bool,
    /// 8 to 15; `None` is the 15 of a parameter that was not named.
    pub(crate) server_max_window_bits: Option<u8>,
    pub(crate) client_max_window_bits: Option<u8>,
}

impl Negotiated {
    /// A server's answer.
    pub(crate) fn response_value(&self) -> HeaderValue {
        header(Params {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: self.server_max_window_bits,
            client_max_window_bits: self.client_max_window_bits.map(Some),
        })
    }

    /// Whether the messages of one side may refer to earlier ones.
    pub(super) fn context_takeover(&self, side: Role) -> bool {
        match side {
            Role::Client => !self.client_no_context_takeover,
            Role::Server => !self.server_no_context_takeover,
        }
    }

    /// The window that one side compresses with.
    pub(super) fn window_bits(&self, side: Role) -> u8 {
        match side {
            Role::Client => self.client_max_window_bits,
            Role::Server => self.server_max_window_bits,
        }
        .unwrap_or(MAX_WINDOW_BITS)
    }
}

impl Compression {
    /// The server's decision: the first offer of a request that we can keep to, or `None` to go without compression.
    pub(crate) fn accept(&self, headers: &HeaderMap) -> Option<Negotiated> {
        extensions(headers).flatten().filter(|offer| offer.name == NAME).find_map(|offer| self.accept_offer(&offer))
    }

    fn accept_offer(&self, offer: &Extension<'_>) -> Option<Negotiated> {
        let offer = Params::read(offer)?;
        let below_max = |bits: u8| Some(bits).filter(|&bits| bits < MAX_WINDOW_BITS);
        let server_max_window_bits = match offer.server_max_window_bits {
            // The answer must name this parameter, and zlib's raw deflate cannot keep to a window of 8 bits.
            Some(bits) if WINDOW_BITS.contains(&bits) => Some(bits.min(self.server_max_window_bits)),
            Some(_) => return None,
            None => below_max(self.server_max_window_bits),
        };
        Some(Negotiated {
            server_no_context_takeover: offer.server_no_context_takeover || !self.server_context_takeover,
            // RFC 7692 §7.1.1.2: this may be demanded of a client that did not offer it.
            client_no_context_takeover: offer.client_no_context_takeover || !self.client_context_takeover,
            server_max_window_bits,
            // RFC 7692 §7.1.2.2: and this may not.
            client_max_window_bits: offer.client_max_window_bits.and_then(|hint| {
                below_max(self.client_max_window_bits).map(|bits| bits.min(hint.unwrap_or(MAX_WINDOW_BITS)))
            }),
        })
    }

    /// The client's offer.
    pub(crate) fn offer(&self) -> HeaderValue {
        let below_max = |bits: u8| Some(bits).filter(|&bits| bits < MAX_WINDOW_BITS);
        header(Params {
            server_no_context_takeover: !self.server_context_takeover,
            client_no_context_takeover: !self.client_context_takeover,
            server_max_window_bits: below_max(self.server_max_window_bits),
            client_max_window_bits: Some(below_max(self.client_max_window_bits)),
        })
    }

    /// The client's judgement of the answer to [`offer`](Self::offer). On an error the connection must fail.
    ///
    /// A server that ignores `server_no_context_takeover` or `server_max_window_bits` is tolerated: every window can be
    /// inflated.
    pub(crate) fn confirm(&self, headers: &HeaderMap) -> Result<Option<Negotiated>, Error> {
        let refused = |why: &str| Err(Error::with_source(ErrorKind::Handshake, why));
        let mut answers = extensions(headers);
        let answer = match answers.next() {
            None => return Ok(None),
            Some(Ok(answer)) => answer,
            Some(Err(_)) => return refused("server's extensions are malformed"),
        };
        if answer.name != NAME || answers.next().is_some() {
            return refused("server accepted an extension that was not offered");
        }
        let Some(answer) = Params::read(&answer) else {
            return refused("server's parameters of permessage-deflate are not valid");
        };
        if answer.client_max_window_bits == Some(None) {
            return refused("server's client_max_window_bits has no value");
        }
        if answer.server_max_window_bits.is_some_and(|bits| bits > self.server_max_window_bits) {
            return refused("server's window is larger than the one that was offered");
        }
        let client_max_window_bits = answer.client_max_window_bits.flatten().unwrap_or(MAX_WINDOW_BITS);
        Ok(Some(Negotiated {
            server_no_context_takeover: answer.server_no_context_takeover,
            client_no_context_takeover: answer.client_no_context_takeover || !self.client_context_takeover,
            server_max_window_bits: answer.server_max_window_bits,
            client_max_window_bits: Some(client_max_window_bits.min(self.client_max_window_bits)),
        }))
    }
}

/// The parameters of RFC 7692 §7.1, in an offer or in an answer.
#[derive(Default)]
struct Params {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: Option<Option<u8>>,
}

impl Params {
    /// `None` when a parameter is unknown, repeated or has a value that it cannot have (RFC 7692 §7.1).
    fn read(extension: &Extension<'_>) -> Option<Self> {
        let mut params = Self::default();
        for param in &extension.params {
            let bits = match &param.value {
                Some(value) => Some(window_bits(value)?),
                None => None,
            };
            let is_new = match (param.name, bits) {
                ("server_no_context_takeover", None) => {
                    !std::mem::replace(&mut params.server_no_context_takeover, true)
                }
                ("client_no_context_takeover", None) => {
                    !std::mem::replace(&mut params.client_no_context_takeover, true)
                }
                ("server_max_window_bits", Some(bits)) => params.server_max_window_bits.replace(bits).is_none(),
                ("client_max_window_bits", bits) => params.client_max_window_bits.replace(bits).is_none(),
                _ => false,
            };
            if !is_new {
                return None;
            }
        }
        Some(params)
    }
}

/// A decimal number from 8 to 15 without leading zeros (RFC 7692 §7.1.2).
fn window_bits(value: &str) -> Option<u8> {
    (8..=MAX_WINDOW_BITS).find(|bits| bits.to_string() == value)
}

fn header(params: Params) -> HeaderValue {
    let mut value = NAME.to_owned();
    if params.server_no_context_takeover {
        value += "; server_no_context_takeover";
    }
    if params.client_no_context_takeover {
        value += "; client_no_context_takeover";
    }
    if let Some(bits) = params.server_max_window_bits {
        value += &format!("; server_max_window_bits={bits}");
    }
    match params.client_max_window_bits {
        Some(Some(bits)) => value += &format!("; client_max_window_bits={bits}"),
        Some(None) => value += "; client_max_window_bits",
        None => {}
    }
    HeaderValue::try_from(value).expect("names and numbers are a valid header value")
}

const NAME: &str = "permessage-deflate";
