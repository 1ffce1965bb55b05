//! The servers to which a client connects without a proxy.

use std::net::IpAddr;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;

use crate::error::{Error, ErrorKind};
use crate::handshake::{Authority, Host};

/// A validated list of servers.
pub(super) struct NoProxy {
    list: Box<str>,
    /// Intercepts every server that is not in the list. `None` if the list contains all (`*`).
    all_but_listed: Option<Matcher>,
}

impl NoProxy {
    pub(super) fn parse(list: &str) -> Result<Self, Error> {
        let elements = || list.split(',').map(str::trim).filter(|element| !element.is_empty());
        if let Some(wrong) = elements().find(|element| !is_server(element)) {
            let reason = "is not a name, an address without brackets and port, or a network such as 10.0.0.0/8";
            return Err(Error::with_source(ErrorKind::InvalidSetting, format!("{wrong:?} {reason}")));
        }
        // For the library, `*` means all names, but no addresses.
        let has_all = elements().any(|element| element == "*");
        let all_but_listed = (!has_all).then(|| Matcher::builder().all(ANY_PROXY).no(comparable_list(list)).build());
        Ok(Self { list: list.into(), all_but_listed })
    }

    /// The list as it was set.
    pub(super) fn list(&self) -> &str {
        &self.list
    }

    pub(super) fn contains(&self, server: &Uri) -> bool {
        self.all_but_listed.as_ref().is_none_or(|all_but_listed| all_but_listed.intercept(server).is_none())
    }
}

/// Normalises a list for the library, which compares names literally: in lower case, and without a dot at the end.
pub(super) fn comparable_list(list: &str) -> String {
    let elements: Vec<_> = list.split(',').map(|element| comparable(element.trim())).collect();
    elements.join(",")
}

/// Normalises one name, or an address.
pub(super) fn comparable(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// Whether an element has a form that the library supports. It treats everything else as a name that no server has.
fn is_server(element: &str) -> bool {
    let is_address = |address: &str| address.parse::<IpAddr>().is_ok();
    let name = element.strip_prefix('.').unwrap_or(element);
    let is_name = |authority: Authority<'_>| matches!((authority.host, authority.port), (Host::Name(_), None));
    match element.split_once('/') {
        Some((address, bits)) => {
            let max_bits = if address.contains(':') { 128 } else { 32 };
            let is_number = bits.bytes().all(|byte| byte.is_ascii_digit());
            is_address(address) && is_number && bits.parse().is_ok_and(|bits: u8| bits <= max_bits)
        }
        None => element == "*" || is_address(element) || Authority::parse(name).is_some_and(is_name),
    }
}

/// A placeholder for matching. It is never connected to.
pub(super) const ANY_PROXY: &str = "http://proxy.invalid";

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn what_names_no_server_is_an_error() {
        for list in
            ["", "localhost", " a.example , .b.example,", "10.0.0.0/8, ::1, fd00::/8", "0.0.0.0/0", "*", "a.example."]
        {
            assert!(NoProxy::parse(list).is_ok(), "{list}");
        }
        for wrong in [
            "10.0.0.0/33",
            "10.0.0/8",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/255.0.0.0",
            "fd00::/129",
            "10.0.0.256",
            "[::1]",
            "localhost:8080",
            "127.0.0.1:80",
            "*.example.com",
            "http://a.example",
            "a b",
            "..a",
            "gr\u{fc}n.example",
        ] {
            let Err(error) = NoProxy::parse(&format!("localhost, {wrong}")) else { panic!("{wrong}") };
            assert_eq!(error.kind(), ErrorKind::InvalidSetting);
            assert!(error.source().unwrap().to_string().starts_with(&format!("{wrong:?} is not")), "{wrong}");
        }
    }
}
