//! The log lines of refused handshakes.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName};

use crate::debug::in_view;
use crate::handshake::{Head, OriginPolicy, Rejection, RejectionKind};
use crate::log_text::{LONGEST_VALUE, OneLine, shortened};

/// Logs a refusal. At level warn: because of the server's settings or its load. At level info: the request is not a valid
/// handshake. At level error, with the remedy: the server cannot upgrade.
///
/// `path` and `peer` are those of [`Upgrader::original_uri`](crate::Upgrader::original_uri) and
/// [`Upgrader::peer_addr`](crate::Upgrader::peer_addr).
pub(super) fn log_refusal(
    head: Head<'_>,
    rejection: &Rejection,
    policy: &OriginPolicy,
    path: &str,
    peer: Option<SocketAddr>,
) {
    in_view(|| {
        let status = rejection.status().as_u16();
        let path = Shown(path.into());
        let path = tracing::field::display(&path);
        let peer = peer.map(tracing::field::display);
        let host = policy.host(head).map(|host| Shown(host.into())).or_else(|| header(head.headers, HOST));
        let host = host.as_ref().map(tracing::field::display);
        let origin = header(head.headers, ORIGIN);
        let origin = origin.as_ref().map(tracing::field::display);
        // One target for all, so that filters need not know the module.
        match rejection.kind() {
            RejectionKind::HostNotAllowed | RejectionKind::Origin => {
                let hint = match () {
                    () if policy.lacks_address(head) => NO_ADDRESS,
                    () if policy.differs_by_host(head) => PASS_HOST_ON,
                    () => "",
                };
                let policy = policy.shown();
                tracing::warn!(
                    target: "tower_websocket", status, path, peer, origin, host, %policy,
                    "handshake refused: {rejection}{hint}"
                );
            }
            RejectionKind::NotUpgradable => {
                tracing::error!(
                    target: "tower_websocket", status, path, peer, "handshake refused: {rejection}: {NO_UPGRADES}"
                );
            }
            RejectionKind::TooManyConnections | RejectionKind::TooManyConnectionsPerKey => {
                tracing::warn!(target: "tower_websocket", status, path, peer, "handshake refused: {rejection}");
            }
            _ => {
                tracing::info!(
                    target: "tower_websocket", status, path, peer, origin, host, "handshake refused: {rejection}"
                );
            }
        }
    });
}

/// Logs a request that [has lost its upgrade](Head::has_lost_upgrade).
pub(crate) fn log_lost_upgrade(head: Head<'_>) {
    let path = Shown(head.uri.path().into());
    let version = head.version;
    in_view(|| tracing::info!(target: "tower_websocket", %path, ?version, "{LOST_UPGRADE}"));
}

/// All values of a header.
fn header(headers: &HeaderMap, name: HeaderName) -> Option<Shown<'_>> {
    let mut values = headers.get_all(name).into_iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let first = values.next()?;
    Some(Shown(values.fold(first, |all, value| format!("{all}, {value}").into())))
}

/// A value from a client, for the log: in one line, and of bounded length.
struct Shown<'a>(Cow<'a, str>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", OneLine(shortened(&self.0, LONGEST_VALUE)))
    }
}

const PASS_HOST_ON: &str = "; if the page is this server's own, a proxy has replaced its Host: pass it on (nginx: \
    `proxy_set_header Host $host`), or see `OriginPolicy::trusted_proxies`";
const NO_ADDRESS: &str = "; no proxy is trusted here: the request's extensions have no `SocketAddr` for \
    `OriginPolicy::trusted_proxies` (`trusted_proxies_by` takes another type)";
const NO_UPGRADES: &str = "a WebSocket handshake came without hyper's `OnUpgrade` in its extensions: either the server \
    performs no upgrades, or another layer has taken it before";
const LOST_UPGRADE: &str = "a request that looks like a WebSocket handshake is none: a proxy has not passed its Connection and \
    Upgrade headers on";
