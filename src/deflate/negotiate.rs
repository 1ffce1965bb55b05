//! Which parameters both sides agree on (RFC 7692 §5 and §7.1).

use http::header::{HeaderMap, HeaderValue, SEC_WEBSOCKET_EXTENSIONS};

use super::settings::{Compression, MAX_WINDOW_BITS, WINDOW_BITS};
use crate::error::{Error, ErrorKind};
use crate::handshake::{Extension, Lines, extensions};
use crate::role::Role;

/// The negotiated parameters of permessage-deflate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Negotiated {
    pub(crate) server_no_context_takeover: bool,
    pub(crate) client_no_context_takeover: bool,
    /// 8 to 15. `None` if the parameter is absent, which means 15.
    pub(crate) server_max_window_bits: Option<u8>,
    pub(crate) client_max_window_bits: Option<u8>,
}

impl Negotiated {
    /// The value of the server's response header.
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
    /// The server's decision: the first offer of a request that is supported, or `None` for a connection without compression. A
    /// malformed header was refused before.
    pub(crate) fn accept(&self, headers: &HeaderMap) -> Option<Negotiated> {
        let lines = Lines::of(headers, SEC_WEBSOCKET_EXTENSIONS);
        extensions(&lines).flatten().filter(|offer| offer.name == NAME).find_map(|offer| self.accept_offer(&offer))
    }

    fn accept_offer(&self, offer: &Extension<'_>) -> Option<Negotiated> {
        let offer = Params::read(offer)?;
        let below_max = |bits: u8| Some(bits).filter(|&bits| bits < MAX_WINDOW_BITS);
        let server_max_window_bits = match offer.server_max_window_bits {
            // The response must then have this parameter. zlib's raw deflate does not support a window of 8 bits.
            Some(bits) if WINDOW_BITS.contains(&bits) => Some(bits.min(self.server_max_window_bits)),
            Some(_) => return None,
            None => below_max(self.server_max_window_bits),
        };
        Some(Negotiated {
            server_no_context_takeover: offer.server_no_context_takeover || !self.server_context_takeover,
            // RFC 7692 §7.1.1.2: a server may require this, even if the client did not offer it.
            client_no_context_takeover: offer.client_no_context_takeover || !self.client_context_takeover,
            server_max_window_bits,
            // RFC 7692 §7.1.2.2: a server may require this only if the client has offered it.
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

    /// Validates the server's response to [`offer`](Self::offer). On an error the connection must fail.
    ///
    /// An empty header is refused: the list must have at least one element (RFC 6455 §9.1).
    ///
    /// A server that ignores `server_no_context_takeover` or `server_max_window_bits` is tolerated: every window can be
    /// inflated.
    pub(crate) fn confirm(&self, headers: &HeaderMap) -> Result<Option<Negotiated>, Error> {
        let refused = |why: &str| Err(Error::with_source(ErrorKind::Handshake, why));
        let lines = Lines::of(headers, SEC_WEBSOCKET_EXTENSIONS);
        let mut answers = extensions(&lines);
        let answer = match answers.next() {
            None if !lines.is_empty() => {
                return refused("the server's Sec-WebSocket-Extensions names no extension");
            }
            None => return Ok(None),
            Some(Ok(answer)) => answer,
            Some(Err(_)) => return refused("the server's Sec-WebSocket-Extensions is malformed"),
        };
        if answer.name != NAME || answers.next().is_some() {
            return refused("the server chose an extension that was not offered");
        }
        let Some(answer) = Params::read(&answer) else {
            return refused("the server's parameters of permessage-deflate are not valid");
        };
        if answer.client_max_window_bits == Some(None) {
            return refused("the server's client_max_window_bits has no value");
        }
        if answer.server_max_window_bits.is_some_and(|bits| bits > self.server_max_window_bits) {
            return refused("the server's window is larger than the one that was offered");
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

/// The parameters of RFC 7692 §7.1, in an offer or in a response.
#[derive(Default)]
struct Params {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: Option<Option<u8>>,
}

impl Params {
    /// `None` if a parameter is unknown, repeated or has an invalid value (RFC 7692 §7.1).
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

#[cfg(test)]
mod tests {
    use http::header::SEC_WEBSOCKET_EXTENSIONS;

    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (SEC_WEBSOCKET_EXTENSIONS, line.parse().unwrap())).collect()
    }

    fn answer(settings: &Compression, lines: &[&str]) -> Option<String> {
        let negotiated = settings.accept(&headers(lines))?;
        Some(negotiated.response_value().to_str().unwrap().to_owned())
    }

    /// As the RFC's examples assume: a server that limits nothing.
    fn takeover() -> Compression {
        Compression::default().server_context_takeover(true).client_context_takeover(true)
    }

    #[test]
    fn answers_the_first_offer_that_it_can_keep_to() {
        for (lines, expected) in [
            (&[][..], None),
            (&["permessage-deflate"][..], Some("")),
            // RFC 7692 §7: what browsers offer, and the examples.
            (&["permessage-deflate; client_max_window_bits"], Some("")),
            (
                &["permessage-deflate; client_max_window_bits; server_max_window_bits=10"],
                Some("; server_max_window_bits=10"),
            ),
            (
                &[
                    "permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate; client_max_window_bits",
                ],
                Some("; server_max_window_bits=10"),
            ),
            (&["permessage-deflate; server_no_context_takeover"], Some("; server_no_context_takeover")),
            (&["permessage-deflate; client_no_context_takeover"], Some("; client_no_context_takeover")),
            // Lists.
            (&["x-webkit-deflate-frame, foo; bar=\"a\"", "permessage-deflate;client_max_window_bits = 12"], Some("")),
            (
                &["permessage-deflate; unknown", "permessage-deflate; server_max_window_bits=9"],
                Some("; server_max_window_bits=9"),
            ),
            (&["permessage-deflate; server_max_window_bits=8, permessage-deflate"], Some("")),
            (&["x-permessage-deflate, permessage-deflate2, permessage-bzip2"], None),
            // Values.
            (&["permessage-deflate; server_max_window_bits=\"10\""], Some("; server_max_window_bits=10")),
            (&["permessage-deflate; server_max_window_bits=\"1\\0\""], Some("; server_max_window_bits=10")),
            (&["permessage-deflate; server_max_window_bits=15"], Some("; server_max_window_bits=15")),
            (&["permessage-deflate; client_max_window_bits=8"], Some("")),
        ] {
            let expected = expected.map(|params| format!("permessage-deflate{params}"));
            assert_eq!(answer(&takeover(), lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn declines_an_offer_with_parameters_that_are_not_valid() {
        for params in [
            "server_max_window_bits",
            "server_max_window_bits=8",
            "server_max_window_bits=7",
            "server_max_window_bits=16",
            "server_max_window_bits=010",
            "server_max_window_bits=+10",
            "server_max_window_bits=-10",
            "server_max_window_bits=1e1",
            "server_max_window_bits=4294967306",
            "server_max_window_bits=",
            "server_max_window_bits=\"\"",
            "server_max_window_bits=\" 10\"",
            "client_max_window_bits=7",
            "client_max_window_bits=16",
            "client_max_window_bits=09",
            "client_max_window_bits=\"\"",
            "server_no_context_takeover=1",
            "client_no_context_takeover=true",
            "server_no_context_takeover=10",
            "Server_No_Context_Takeover",
            "server_no_context_takeover; server_no_context_takeover",
            "client_no_context_takeover; client_no_context_takeover",
            "server_max_window_bits=10; server_max_window_bits=10",
            "client_max_window_bits; client_max_window_bits=10",
            "level=1",
        ] {
            assert_eq!(answer(&takeover(), &[&format!("permessage-deflate; {params}")]), None, "{params}");
        }
    }

    #[test]
    fn asks_for_what_it_is_set_to() {
        let default = Compression::default();
        let small = takeover().server_max_window_bits(11).and_then(|it| it.client_max_window_bits(12)).unwrap();
        for (settings, offer, expected) in [
            (&default, "", "; server_no_context_takeover; client_no_context_takeover"),
            (&default, "; client_max_window_bits=9", "; server_no_context_takeover; client_no_context_takeover"),
            (&small, "", "; server_max_window_bits=11"),
            (&small, "; server_max_window_bits=10", "; server_max_window_bits=10"),
            (&small, "; server_max_window_bits=12", "; server_max_window_bits=11"),
            (&small, "; client_max_window_bits", "; server_max_window_bits=11; client_max_window_bits=12"),
            (&small, "; client_max_window_bits=10", "; server_max_window_bits=11; client_max_window_bits=10"),
            (&small, "; client_max_window_bits=13", "; server_max_window_bits=11; client_max_window_bits=12"),
        ] {
            let answer = answer(settings, &[&format!("permessage-deflate{offer}")]);
            assert_eq!(answer, Some(format!("permessage-deflate{expected}")), "{offer}");
        }
    }

    #[test]
    fn offers_what_it_is_set_to() {
        let small = takeover().server_max_window_bits(11).and_then(|it| it.client_max_window_bits(12)).unwrap();
        for (settings, expected) in [
            (
                Compression::default(),
                "; server_no_context_takeover; client_no_context_takeover; client_max_window_bits",
            ),
            (takeover(), "; client_max_window_bits"),
            (small, "; server_max_window_bits=11; client_max_window_bits=12"),
        ] {
            assert_eq!(settings.offer(), format!("permessage-deflate{expected}"));
        }
    }

    #[test]
    fn both_sides_of_any_settings_agree() {
        let flags = [(false, false), (false, true), (true, false), (true, true)];
        let bits = [(15, 15), (9, 15), (15, 9), (11, 12)];
        let all = flags.into_iter().flat_map(|(server, client)| {
            bits.map(|(server_bits, client_bits)| {
                let settings = Compression::default().server_context_takeover(server).client_context_takeover(client);
                settings
                    .server_max_window_bits(server_bits)
                    .and_then(|it| it.client_max_window_bits(client_bits))
                    .unwrap()
            })
        });
        for ours in all.clone() {
            for theirs in all.clone() {
                let offer = [(SEC_WEBSOCKET_EXTENSIONS, theirs.offer())].into_iter().collect();
                let server = ours.accept(&offer).unwrap();
                let answer = [(SEC_WEBSOCKET_EXTENSIONS, server.response_value())].into_iter().collect();
                let client = theirs.confirm(&answer).unwrap().unwrap();
                for side in [Role::Client, Role::Server] {
                    assert_eq!(client.context_takeover(side), server.context_takeover(side));
                    assert!(client.window_bits(side) <= server.window_bits(side));
                }
                assert_eq!(
                    client.context_takeover(Role::Server),
                    ours.server_context_takeover && theirs.server_context_takeover
                );
                assert!(server.window_bits(Role::Server) <= theirs.server_max_window_bits);
                assert!(
                    client.window_bits(Role::Client) <= ours.client_max_window_bits.min(theirs.client_max_window_bits)
                );
            }
        }
    }

    #[test]
    fn validates_the_answer() {
        let settings = takeover().server_max_window_bits(12).and_then(|it| it.client_max_window_bits(13)).unwrap();
        let agreed = |server_no, client_no, server, client| {
            Ok(Some(Negotiated {
                server_no_context_takeover: server_no,
                client_no_context_takeover: client_no,
                server_max_window_bits: server,
                client_max_window_bits: Some(client),
            }))
        };
        let failed = Err(ErrorKind::Handshake);
        for (lines, expected) in [
            (&[][..], Ok(None)),
            (&[""], failed.clone()),
            (&[" , ,", ""], failed.clone()),
            (&["permessage-deflate"], agreed(false, false, None, 13)),
            (&["permessage-deflate; server_max_window_bits=12"], agreed(false, false, Some(12), 13)),
            (&["permessage-deflate; server_max_window_bits=8"], agreed(false, false, Some(8), 13)),
            (&["permessage-deflate; client_max_window_bits=8"], agreed(false, false, None, 8)),
            (&["permessage-deflate; client_max_window_bits=15"], agreed(false, false, None, 13)),
            (&["permessage-deflate; server_no_context_takeover"], agreed(true, false, None, 13)),
            (&["permessage-deflate; client_no_context_takeover"], agreed(false, true, None, 13)),
            (&["permessage-deflate; server_max_window_bits=13"], failed.clone()),
            (&["permessage-deflate; server_max_window_bits"], failed.clone()),
            (&["permessage-deflate; client_max_window_bits"], failed.clone()),
            (&["permessage-deflate; client_max_window_bits=16"], failed.clone()),
            (&["permessage-deflate; unknown"], failed.clone()),
            (&["permessage-deflate; server_no_context_takeover; server_no_context_takeover"], failed.clone()),
            (&["permessage-deflate, permessage-deflate"], failed.clone()),
            (&["permessage-deflate", "foo"], failed.clone()),
            (&["permessage-deflate", "a b"], failed.clone()),
            (&["foo"], failed.clone()),
            (&["a b"], failed.clone()),
        ] {
            assert_eq!(settings.confirm(&headers(lines)).map_err(|err| err.kind()), expected, "{lines:?}");
        }
    }
}
