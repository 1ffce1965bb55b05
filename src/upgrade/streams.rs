//! Logs when many WebSockets share one HTTP/2 connection.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use http::Version;
use http::request::Parts;

use crate::debug::in_view;
use crate::log_text::{LONGEST_VALUE, shortened};

/// One open WebSocket over HTTP/2. Its HTTP/2 connection is identified by the peer's address.
///
/// A browser opens all WebSockets of one origin on one HTTP/2 connection. When they use up the server's streams, further requests
/// wait, without an error on either side. A warning is logged before that.
#[derive(Debug)]
pub(super) struct OpenStream(Box<SocketAddr>);

#[derive(Debug, Default)]
struct Streams {
    open: usize,
    is_logged: bool,
}

impl OpenStream {
    /// Counts the WebSocket of this request. `None` over HTTP/1.1, and if the peer's address is not known.
    pub(super) fn count(request: &Parts, peer: impl FnOnce() -> Option<SocketAddr>) -> Option<Self> {
        let peer = if request.version >= Version::HTTP_2 { peer()? } else { return None };
        let mut connections = connections();
        let streams = connections.entry(peer).or_default();
        streams.open += 1;
        let is_due = streams.open >= MANY && !streams.is_logged;
        streams.is_logged |= is_due;
        let open = streams.open;
        drop(connections);
        if is_due {
            let host = request.uri.authority().map(|host| shortened(host.as_str(), LONGEST_VALUE));
            let host = host.as_ref().map(tracing::field::display);
            in_view(|| tracing::warn!(target: "tower_websocket", %peer, host, open, "{MANY_STREAMS}"));
        }
        Some(Self(Box::new(peer)))
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut connections = connections();
        if let Some(streams) = connections.get_mut(&self.0) {
            streams.open -= 1;
            if streams.open == 0 {
                connections.remove(&self.0);
            }
        }
    }
}

fn connections() -> MutexGuard<'static, HashMap<SocketAddr, Streams>> {
    static CONNECTIONS: LazyLock<Mutex<HashMap<SocketAddr, Streams>>> = LazyLock::new(Mutex::default);
    CONNECTIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Half of the streams that hyper allows by default.
const MANY: usize = 100;
const MANY_STREAMS: &str = "many WebSockets share one HTTP/2 connection: when they use up its streams (hyper allows 200 \
    unless `max_concurrent_streams` is set), further requests on it wait without an error; raise that limit, or serve the \
    WebSockets under a host name of their own or over HTTP/1.1";

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn count(version: Version, peer: Option<SocketAddr>) -> Option<OpenStream> {
        let request = Request::connect("https://h/").version(version).body(()).unwrap();
        OpenStream::count(&request.into_parts().0, || peer)
    }

    #[test]
    fn streams_are_counted_for_each_connection_until_they_end() {
        let peer = SocketAddr::from(([192, 0, 2, 200], 1));
        assert!(count(Version::HTTP_11, Some(peer)).is_none());
        assert!(count(Version::HTTP_2, None).is_none());
        let open: Vec<_> = (0..3).map(|_| count(Version::HTTP_2, Some(peer))).collect();
        assert_eq!(connections()[&peer].open, 3);
        drop(open);
        assert!(!connections().contains_key(&peer));
    }
}
