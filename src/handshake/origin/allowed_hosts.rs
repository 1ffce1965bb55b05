//! The hosts for which a server accepts requests, as a protection against DNS rebinding.

use std::fmt;
use std::sync::Arc;

use crate::error::Error;
use crate::handshake::authority::{Authority, HostPattern, default_port};
use crate::handshake::setting::parse_some;

/// The hosts that a request may have.
#[derive(Clone, Debug)]
pub(super) struct AllowedHosts(Arc<[AllowedHost]>);

#[derive(Debug)]
struct AllowedHost {
    host: HostPattern,
    port: Option<u16>,
}

impl AllowedHosts {
    pub(super) fn parse<S: AsRef<str>>(hosts: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let parse = |text: &str| HostPattern::parse(text).map(|(host, port)| AllowedHost { host, port });
        parse_some(hosts, "a host such as example.com, *.example.com or [::1]:3000", parse).map(Self)
    }

    /// The hosts as text, for `OriginPolicy`'s getter.
    pub(super) fn shown(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(ToString::to_string)
    }

    pub(super) fn contains(&self, request: &Authority<'_>, scheme: Option<&str>) -> bool {
        self.0.iter().any(|allowed| allowed.matches(request, scheme))
    }
}

impl fmt::Display for AllowedHosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, &self.0)
    }
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => self.host.fmt(f),
        }
    }
}

/// Writes the first few elements of a list, for a log line.
pub(super) fn write_list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, list: &[T]) -> fmt::Result {
    for (number, item) in list.iter().take(SHOWN).enumerate() {
        write!(f, "{}{item}", if number > 0 { ", " } else { "" })?;
    }
    if list.len() > SHOWN { write!(f, " and {} more", list.len() - SHOWN) } else { Ok(()) }
}

const SHOWN: usize = 5;

impl AllowedHost {
    fn matches(&self, request: &Authority<'_>, scheme: Option<&str>) -> bool {
        let is_port = |port| match (request.port, scheme) {
            (Some(named), _) => named == port,
            (None, Some(scheme)) => default_port(scheme) == Some(port),
            (None, None) => port == 80 || port == 443,
        };
        self.host.matches(&request.host) && self.port.is_none_or(is_port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allows_hosts_on_any_port_unless_one_is_named() {
        for (allowed, request, scheme, contained) in [
            ("localhost", "LOCALHOST:3000", None, true),
            ("localhost", "127.0.0.1", None, false),
            ("[::1]", "[0::1]:80", None, true),
            ("*.example.com", "a.b.example.com:1", None, true),
            ("*.example.com", "example.com", None, false),
            ("example.com", "example.com.", None, false),
            ("example.com", "example.com.evil.example", None, false),
            ("localhost:3000", "localhost:3000", None, true),
            ("localhost:3000", "localhost:3001", None, false),
            ("localhost:3000", "localhost", None, false),
            ("example.com:443", "example.com", None, true),
            ("example.com:443", "example.com", Some("https"), true),
            ("example.com:443", "example.com", Some("http"), false),
        ] {
            let hosts = AllowedHosts::parse(["other.example", allowed]).unwrap();
            let request = Authority::parse(request).unwrap();
            assert_eq!(hosts.contains(&request, scheme), contained, "{allowed} {request:?} {scheme:?}");
        }
    }

    #[test]
    fn a_line_of_the_log_has_room_for_five() {
        for (hosts, shown) in [
            (&["a"][..], "a"),
            (&["a", "*.b:80"], "a, *.b:80"),
            (&["a", "b", "c", "d", "e"], "a, b, c, d, e"),
            (&["a", "b", "c", "d", "e", "f", "g"], "a, b, c, d, e and 2 more"),
        ] {
            assert_eq!(AllowedHosts::parse(hosts).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn refuses_what_is_no_host() {
        for host in ["", "*", "https://example.com", "example.com/", "example.com:http", "user@example.com", "::1"] {
            assert!(AllowedHosts::parse(["example.com", host]).is_err(), "{host}");
        }
        assert!(AllowedHosts::parse([""; 0]).is_err());
    }
}
