//! Which pages may open a WebSocket, on the wire. The tables of cases stand beside the policy.

use tower_websocket::{OriginPolicy, Upgrader};

use super::support::{handler, serve, status};

/// The status of a handshake with this host and more header lines; 101 stands for an open WebSocket over HTTP/2 too.
async fn answer(policy: OriginPolicy, host: &str, more: &str) -> u16 {
    let (service, _managers) = handler(Upgrader::new().origin(policy));
    match status(&serve(service).try_handshake(host, "/", more).await) {
        200 => 101,
        status => status,
    }
}

#[tokio::test(start_paused = true)]
async fn pages_of_the_same_host_may_connect() {
    for (host, more, expected) in [
        ("a.example", "", 101),
        ("a.example", "Origin: https://a.example\r\n", 101),
        ("a.example:81", "Origin: http://A.example:82\r\n", 101),
        ("localhost:3000", "Origin: http://127.0.0.1:5173\r\n", 101),
        ("[::1]:3000", "Origin: http://localhost\r\n", 101),
        ("localhost", "Origin: https://evil.example\r\n", 403),
        ("a.example", "Origin: http://localhost\r\n", 403),
        ("a.example", "Origin: null\r\n", 403),
        ("a.example", "Origin: https://b.a.example\r\n", 403),
        ("a.example", "Origin: https://a.example.evil.example\r\n", 403),
        ("a.example", "Origin: https://a.example@evil.example\r\n", 403),
        ("a.example", "Origin: https://a.example\r\nOrigin: https://a.example\r\n", 403),
        ("a.example", "Origin: https://b.example\r\nX-Forwarded-Host: b.example\r\n", 403),
        ("a.example", "Sec-Fetch-Site: cross-site\r\n", 403),
        ("a.example", "Sec-Fetch-Site: same-origin\r\n", 101),
    ] {
        assert_eq!(answer(OriginPolicy::same_host(), host, more).await, expected, "{host}: {more}");
    }
}

#[tokio::test(start_paused = true)]
async fn other_policies_hold_on_the_wire() {
    let list = || OriginPolicy::list(["https://app.example", "https://*.partner.example"]).unwrap();
    for (policy, more, expected) in [
        (list(), "Origin: https://app.example\r\n", 101),
        (list(), "Origin: https://x.partner.example\r\n", 101),
        (list(), "Origin: https://a.example\r\n", 403),
        (list(), "Origin: http://app.example\r\n", 403),
        (OriginPolicy::insecure_any(), "Origin: https://evil.example\r\n", 101),
        (
            OriginPolicy::predicate(|request| request.origin() == "https://x.example"),
            "Origin: https://x.example\r\n",
            101,
        ),
        (OriginPolicy::predicate(|_| false), "Origin: https://x.example\r\n", 403),
        (OriginPolicy::same_host().allowed_hosts(["b.example"]).unwrap(), "Origin: https://a.example\r\n", 403),
        (OriginPolicy::same_host().require_origin(), "", 403),
    ] {
        assert_eq!(answer(policy, "a.example", more).await, expected, "{more}");
    }
}
