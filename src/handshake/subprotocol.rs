//! Choosing a subprotocol (RFC 6455 §1.9).

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;

use super::headers::{Lines, is_token};
use super::rejection::{Rejection, RejectionKind};
use super::setting::parse_all;
use crate::error::Error;

/// How a subprotocol is chosen. By default none is.
///
/// If none is chosen, the connection opens without a subprotocol. The client may then fail it.
#[derive(Clone, Default)]
pub(crate) struct Subprotocols(Choice);

#[derive(Clone, Default)]
enum Choice {
    /// In the order of the server's preference.
    List(Arc<[HeaderValue]>),
    #[default]
    None,
    Select(Arc<Select>),
}

type Select = dyn Fn(&[&str]) -> Option<String> + Send + Sync;

impl Subprotocols {
    /// The first of these that the client offers.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSetting`](crate::ErrorKind::InvalidSetting) when one of them is not a token (RFC 9110
    /// §5.6.2).
    pub(crate) fn list<S: AsRef<str>>(subprotocols: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let what = "a subprotocol, which has letters, digits and !#$%&'*+-.^_`|~ only";
        Ok(Self(Choice::List(parse_all(subprotocols, what, token)?)))
    }

    /// The result of `select` for the offered ones, in the client's order. It is not called if none is offered.
    ///
    /// A result that was not offered counts as none: a client must fail the connection if the server chooses a subprotocol that
    /// it did not offer (RFC 6455 §4.1).
    pub(crate) fn select(select: impl Fn(&[&str]) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Choice::Select(Arc::new(select)))
    }

    /// The subprotocols of [`list`](Self::list), in their order.
    pub(crate) fn listed(&self) -> impl Iterator<Item = &str> {
        let list: &[HeaderValue] = match &self.0 {
            Choice::List(list) => list,
            Choice::None | Choice::Select(_) => &[],
        };
        list.iter().filter_map(|subprotocol| subprotocol.to_str().ok())
    }

    /// Chooses from what the client offers. An offer that is not a list of tokens is always refused.
    pub(crate) fn choose(&self, lines: &Lines<'_>) -> Result<Option<HeaderValue>, Rejection> {
        let offered = || lines.elements();
        if !offered().all(is_token) {
            return Err(Rejection::new(RejectionKind::InvalidSubprotocol));
        }
        Ok(match &self.0 {
            Choice::List(list) => list.iter().find(|ours| offered().any(|offer| offer == ours.as_bytes())).cloned(),
            Choice::None => None,
            Choice::Select(select) => {
                let offered: Vec<_> = offered().filter_map(|offer| str::from_utf8(offer).ok()).collect();
                if offered.is_empty() {
                    return Ok(None);
                }
                select(&offered).filter(|chosen| offered.contains(&chosen.as_str())).as_deref().and_then(token)
            }
        })
    }
}

impl fmt::Debug for Subprotocols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Choice::List(list) => f.debug_tuple("List").field(list).finish(),
            Choice::None => f.write_str("None"),
            Choice::Select(_) => f.write_str("Select"),
        }
    }
}

/// A subprotocol as a header value, if it is a token.
pub(crate) fn token(text: &str) -> Option<HeaderValue> {
    is_token(text.as_bytes()).then(|| HeaderValue::from_str(text).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::fields::Fields;
    use crate::handshake::fixture::parts;

    fn choose(subprotocols: &Subprotocols, lines: &str) -> Option<String> {
        let parts = parts(&format!("GET / HTTP/1.1\n{lines}"));
        let choice = subprotocols.choose(&Fields::of(&parts.headers).subprotocols).unwrap();
        choice.map(|choice| choice.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_list_is_in_the_order_of_the_servers_preference() {
        let subprotocols = Subprotocols::list(["chat.v2", "chat.v1"]).unwrap();
        for (lines, choice) in [
            ("", None),
            ("Sec-WebSocket-Protocol: chat.v1", Some("chat.v1")),
            ("Sec-WebSocket-Protocol: chat.v1, chat.v2", Some("chat.v2")),
            ("Sec-WebSocket-Protocol: ,chat.v1 ,\t,\nSec-WebSocket-Protocol: chat.v2", Some("chat.v2")),
            ("Sec-WebSocket-Protocol: CHAT.v1", None),
            ("Sec-WebSocket-Protocol: chat.v10", None),
            ("Sec-WebSocket-Protocol: mqtt", None),
        ] {
            assert_eq!(choose(&subprotocols, lines).as_deref(), choice, "{lines}");
            assert_eq!(choose(&Subprotocols::default(), lines), None, "{lines}");
        }
    }

    #[test]
    fn a_function_chooses_from_what_is_offered() {
        let csrf = |offered: &[&str]| offered.iter().find(|offer| offer.starts_with("csrf.")).map(|s| s.to_string());
        let subprotocols = Subprotocols::select(csrf);
        assert_eq!(choose(&subprotocols, "Sec-WebSocket-Protocol: chat, csrf.x, csrf.y").as_deref(), Some("csrf.x"));
        assert_eq!(choose(&subprotocols, "Sec-WebSocket-Protocol: chat"), None);
    }

    #[test]
    fn a_function_is_not_asked_when_nothing_is_offered() {
        let subprotocols = Subprotocols::select(|offered| Some(offered[0].to_owned()));
        assert_eq!(choose(&subprotocols, "Sec-WebSocket-Protocol: ,"), None);
    }

    #[test]
    fn a_choice_that_was_not_offered_is_not_sent() {
        for choice in ["other", "", "chat, other", "chat\r\nSet-Cookie: a=b", "Chat"] {
            let subprotocols = Subprotocols::select(move |_| Some(choice.to_owned()));
            assert_eq!(choose(&subprotocols, "Sec-WebSocket-Protocol: chat"), None, "{choice}");
        }
    }

    #[test]
    fn refuses_an_offer_that_is_no_list_of_tokens() {
        for value in ["chat room", "chat/1", "\"chat\"", "ch\u{e4}t", "chat; q=1"] {
            let parts =
                parts(&format!("GET / HTTP/1.1\nSec-WebSocket-Protocol: chat\nSec-WebSocket-Protocol: {value}"));
            let refused = Subprotocols::default().choose(&Fields::of(&parts.headers).subprotocols).unwrap_err();
            assert_eq!(refused.kind(), RejectionKind::InvalidSubprotocol, "{value}");
        }
    }

    #[test]
    fn refuses_a_setting_that_is_no_token() {
        for name in ["", "chat room", "a,b", "chät", "a\r\nb"] {
            let error = Subprotocols::list(["chat", name]).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::InvalidSetting, "{name}");
        }
    }
}
