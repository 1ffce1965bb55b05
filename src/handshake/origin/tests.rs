use http::request::Parts;
use http::uri::Scheme;

use super::policy::OriginPolicy;
use crate::handshake::fields::Fields;
use crate::handshake::fixture::{http1, parts};
use crate::handshake::head::Head;
use crate::handshake::rejection::RejectionKind;

const YES: Result<(), RejectionKind> = Ok(());
const NO: Result<(), RejectionKind> = Err(RejectionKind::Origin);
const NO_HOST: Result<(), RejectionKind> = Err(RejectionKind::InvalidHost);

fn check(policy: &OriginPolicy, parts: &Parts) -> Result<(), RejectionKind> {
    policy.check(Head::from(parts), &Fields::of(&parts.headers)).map_err(|rejection| rejection.kind())
}

/// A page of this origin, and the `Host` that its browser sends.
fn page(origin: &str, host: &str) -> Parts {
    parts(&format!("GET / HTTP/1.1\nOrigin: {origin}\nHost: {host}"))
}

#[test]
fn same_host_ignores_case_scheme_and_port() {
    for (origin, host, decision) in [
        ("http://example.com", "example.com", YES),
        ("HTTPS://EXAMPLE.com", "example.COM", YES),
        ("http://example.com:8080", "example.com", YES),
        ("https://example.com", "example.com:8443", YES),
        ("https://example.com:443", "example.com:80", YES),
        ("http://[2001:db8::1]", "[2001:db8::1]:3000", YES),
        ("http://[2001:db8::1]:3000", "[2001:DB8:0::1]", YES),
        ("http://[2001:db8::1]", "[2001:db8::2]", NO),
        ("http://192.0.2.1", "192.0.2.1:80", YES),
        ("http://192.0.2.1", "192.0.2.2", NO),
        ("https://xn--mnchen-3ya.example", "XN--MNCHEN-3YA.example", YES),
        ("https://m\u{fc}nchen.example", "m\u{fc}nchen.example", NO),
        ("http://example.com.", "example.com", NO),
        ("http://example.com", "example.com.", NO),
        ("http://example.com.", "example.com.", YES),
        ("http://sub.example.com", "example.com", NO),
        ("http://evilgood.example", "good.example", NO),
        ("http://good.example.evil.example", "good.example", NO),
        ("http://good.example@evil.example", "good.example", NO),
        ("http://good.example@evil.example", "evil.example", NO),
        ("http://evil.example@good.example", "good.example", NO),
        ("http://good.example/", "good.example", NO),
        ("http://good.example http://good.example", "good.example", NO),
        ("http://good.example,http://good.example", "good.example", NO),
        ("good.example", "good.example", NO),
        ("//good.example", "good.example", NO),
        ("ftp://good.example", "good.example", NO),
        ("chrome-extension://good", "good", NO),
        ("file://", "good.example", NO),
        ("null", "null", NO),
        ("", "good.example", NO),
        ("http://good.example", "good.example@evil.example", NO_HOST),
        ("http://good.example", "good.example, evil.example", NO_HOST),
        ("http://good.example", "", NO_HOST),
    ] {
        assert_eq!(check(&OriginPolicy::default(), &page(origin, host)), decision, "{origin} {host}");
    }
}

#[test]
fn same_host_lets_loopback_pages_and_no_others_reach_a_loopback_host() {
    for (origin, host, decision) in [
        ("http://localhost:5173", "localhost:3000", YES),
        ("http://localhost:5173", "127.0.0.1:3000", YES),
        ("https://127.0.0.2", "LocalHost", YES),
        ("http://[::1]:5173", "127.0.0.1", YES),
        ("http://localhost", "[::1]:3000", YES),
        ("http://app.localhost", "app.localhost:3000", YES),
        ("http://app.localhost", "localhost", NO),
        ("https://evil.example", "localhost:3000", NO),
        ("https://evil.example", "127.0.0.1", NO),
        ("http://localhost.evil.example", "localhost", NO),
        ("http://127.0.0.1.evil.example", "127.0.0.1", NO),
        ("http://0.0.0.0", "127.0.0.1", NO),
        ("http://192.168.0.1", "127.0.0.1", NO),
        ("http://localhost:3000", "example.com", NO),
        ("null", "localhost", NO),
        ("tauri://localhost", "localhost", NO),
    ] {
        assert_eq!(check(&OriginPolicy::same_host(), &page(origin, host)), decision, "{origin} {host}");
    }
}

#[test]
fn the_host_is_the_one_in_the_uri_or_the_one_host_header() {
    for (text, decision) in [
        ("GET http://good.example/ HTTP/1.1\nHost: evil.example\nOrigin: http://good.example", YES),
        ("GET http://good.example/ HTTP/1.1\nHost: evil.example\nOrigin: http://evil.example", NO),
        ("GET http://good.example@evil.example/ HTTP/1.1\nOrigin: http://good.example", NO_HOST),
        ("CONNECT https://good.example/ HTTP/2\nOrigin: https://good.example", YES),
        ("CONNECT https://good.example/ HTTP/2\nOrigin: https://evil.example", NO),
        ("GET / HTTP/1.1\nOrigin: http://good.example", NO_HOST),
        ("GET / HTTP/1.1\nHost: good.example\nHost: good.example\nOrigin: http://good.example", NO_HOST),
        ("GET / HTTP/1.1\nHost: good.example\nX-Forwarded-Host: evil.example\nOrigin: http://evil.example", NO),
        ("GET / HTTP/1.1\nX-Forwarded-Host: good.example\nOrigin: http://good.example", NO_HOST),
        ("GET / HTTP/1.1", YES),
    ] {
        for policy in [OriginPolicy::same_host(), OriginPolicy::same_origin()] {
            assert_eq!(check(&policy, &parts(text)), decision, "{policy:?} {text}");
        }
    }
}

#[test]
fn same_origin_compares_port_and_known_scheme_too() {
    for (origin, host, scheme, decision) in [
        ("http://example.com", "example.com", None, YES),
        ("https://example.com", "example.com", None, YES),
        ("https://example.com", "EXAMPLE.com:443", None, YES),
        ("HTTPS://example.com:443", "example.com", None, YES),
        ("https://example.com", "example.com:80", None, NO),
        ("https://example.com:8443", "example.com", None, NO),
        ("https://example.com:8443", "example.com:8443", None, YES),
        ("http://[::1]:80", "[::1]", None, YES),
        ("http://localhost:5173", "localhost:3000", None, NO),
        ("http://localhost", "127.0.0.1", None, NO),
        ("https://example.com", "example.com", Some(Scheme::HTTPS), YES),
        ("http://example.com", "example.com", Some(Scheme::HTTPS), NO),
        ("http://example.com:443", "example.com", Some(Scheme::HTTPS), NO),
        ("https://example.com", "example.com", Some(Scheme::HTTP), NO),
        ("ftp://example.com", "example.com", None, NO),
    ] {
        let mut parts = page(origin, host);
        if let Some(scheme) = scheme.clone() {
            parts.extensions.insert(scheme);
        }
        assert_eq!(check(&OriginPolicy::same_origin(), &parts), decision, "{origin} {host} {scheme:?}");
    }
    let http2 = |origin| parts(&format!("CONNECT https://example.com/ HTTP/2\nOrigin: {origin}"));
    assert_eq!(check(&OriginPolicy::same_origin(), &http2("https://example.com")), YES);
    assert_eq!(check(&OriginPolicy::same_origin(), &http2("http://example.com")), NO);
}

#[test]
fn a_list_needs_no_host_and_does_not_add_it() {
    let policy = OriginPolicy::list(["https://app.example.com", "https://*.partner.example"]).unwrap();
    for (origin, decision) in [
        ("https://app.example.com", YES),
        ("https://a.b.partner.example", YES),
        ("https://partner.example", NO),
        ("https://api.example.com", NO),
        ("null", NO),
    ] {
        assert_eq!(check(&policy, &page(origin, "api.example.com")), decision, "{origin}");
        assert_eq!(check(&policy, &parts(&format!("GET / HTTP/1.1\nOrigin: {origin}"))), decision, "{origin}");
    }
}

#[test]
fn a_bad_origin_in_a_list_is_an_error() {
    for origin in [
        "",
        "*",
        "null",
        "example.com",
        "https://",
        "https://example.com/",
        "https://*",
        "https://a.*.example",
        "https://user@example.com",
        "https://example.com:https",
        "https://m\u{fc}nchen.example",
        " https://a.example",
    ] {
        let error = OriginPolicy::list(["https://example.com", origin]).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::InvalidSetting, "{origin}");
    }
}

#[test]
fn several_origins_are_refused_by_all_policies_that_look_at_them() {
    let parts = http1("Origin: http://example.com\nOrigin: http://example.com");
    let listed = OriginPolicy::list(["http://example.com"]).unwrap();
    for policy in [OriginPolicy::same_host(), OriginPolicy::same_origin(), OriginPolicy::predicate(|_| true), listed] {
        assert_eq!(check(&policy, &parts), NO, "{policy:?}");
    }
    assert_eq!(check(&OriginPolicy::insecure_any(), &parts), YES);
}

#[test]
fn without_an_origin_a_request_is_accepted_unless_a_browser_says_that_it_is_from_another_site() {
    for (lines, decision) in [
        ("", YES),
        ("Sec-Fetch-Site: same-origin", YES),
        ("Sec-Fetch-Site: same-site", YES),
        ("Sec-Fetch-Site: none", YES),
        ("Sec-Fetch-Site: cross-site", NO),
        ("Sec-Fetch-Site: Cross-Site", NO),
        ("Sec-Fetch-Site: none\nSec-Fetch-Site: cross-site", NO),
    ] {
        let listed = OriginPolicy::list(["http://example.com"]).unwrap();
        for policy in [OriginPolicy::default(), OriginPolicy::same_origin(), OriginPolicy::predicate(|_| false), listed]
        {
            assert_eq!(check(&policy, &http1(lines)), decision, "{policy:?} {lines}");
            assert_eq!(check(&policy.require_origin(), &http1(lines)), NO, "{lines}");
        }
        assert_eq!(check(&OriginPolicy::insecure_any(), &http1(lines)), YES, "{lines}");
        assert_eq!(check(&OriginPolicy::insecure_any().require_origin(), &http1(lines)), NO, "{lines}");
    }
}

#[test]
fn a_predicate_sees_any_visible_origin_and_the_request() {
    let policy = OriginPolicy::predicate(|request| {
        request.origin() == "null" && request.host() == Some("example.com") && request.headers().contains_key("upgrade")
    });
    assert_eq!(check(&policy, &http1("Origin: null")), YES);
    assert_eq!(check(&policy, &http1("Origin: http://example.com")), NO);
    assert_eq!(check(&OriginPolicy::predicate(|_| true), &http1("Origin: http://ex\u{e4}mple.com")), NO);
}

#[test]
fn allowed_hosts_stop_dns_rebinding_under_every_policy() {
    let not_allowed = Err(RejectionKind::HostNotAllowed);
    let listed = OriginPolicy::list(["http://evil.example:3000", "http://localhost:3000"]).unwrap();
    for policy in [OriginPolicy::same_host(), OriginPolicy::same_origin(), OriginPolicy::insecure_any(), listed] {
        let rebound = page("http://evil.example:3000", "evil.example:3000");
        assert_eq!(check(&policy, &rebound), YES, "{policy:?}");
        let policy = policy.allowed_hosts(["localhost"]).unwrap();
        assert_eq!(check(&policy, &rebound), not_allowed, "{policy:?}");
        assert_eq!(check(&policy, &page("http://localhost:3000", "localhost:3000")), YES, "{policy:?}");
        assert_eq!(check(&policy, &parts("GET / HTTP/1.1\nHost: evil.example")), not_allowed, "{policy:?}");
        assert_eq!(check(&policy, &parts("GET / HTTP/1.1")), NO_HOST, "{policy:?}");
    }
}

#[test]
fn a_predicate_sees_the_whole_request() {
    let policy = OriginPolicy::predicate(|request| {
        request.origin() == "http://a.example"
            && request.host() == Some("b.example")
            && request.uri().path() == "/room"
            && request.headers().contains_key("x-tenant")
            && request.extensions().get() == Some(&7_u8)
    });
    let mut request = parts("GET /room HTTP/1.1\nOrigin: http://a.example\nHost: b.example\nX-Tenant: c");
    assert_eq!(check(&policy, &request), NO);
    request.extensions.insert(7_u8);
    assert_eq!(check(&policy, &request), YES);
}
