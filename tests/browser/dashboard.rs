//! The dashboard, as its visitors see it.

use std::time::Duration;

use axum::Router;
use axum::response::Html;
use axum::routing::{any, get};
use http::header::CONTENT_SECURITY_POLICY;
use serde_json::json;
use tokio::net::TcpListener;
use tower_websocket::{Manager, OriginPolicy, Upgrader, WebSocketLayer};

use crate::driver::{Browser, Page};
use crate::process::Example;

#[tokio::test]
async fn a_visitor_sees_live_charts_and_gets_answers() {
    let Some(browser) = Browser::launch().await else { return };
    let example = Example::start("dashboard").await;
    let mut page = browser.page(&format!("http://{}/", example.address())).await;
    page.wait_for(OPEN, PATIENCE).await;

    // The chart moves: values come, and other pixels are drawn.
    page.wait_for(&chart("+c.dataset.updates >= 2 && +c.dataset.points >= 3"), PATIENCE).await;
    let picture = chart("c.getContext('2d').getImageData(0, 0, c.width, c.height).data.join()");
    page.wait_for(&format!("/[1-9]/.test({picture})"), PATIENCE).await;
    page.evaluate(&format!("void (window.before = {picture})")).await;
    page.wait_for(&format!("{picture} !== window.before"), PATIENCE).await;

    page.evaluate(
        "void (document.querySelector('#echo-input').value = 'Grüße 🦀', \
         document.querySelector('#echo-form').requestSubmit())",
    )
    .await;
    page.wait_for(
        "document.querySelector('#echo-reply').value === 'Grüße 🦀' && \
         +document.querySelector('#echo-reply').dataset.rtt > 0",
        PATIENCE,
    )
    .await;

    page.wait_for("document.querySelectorAll('#peers tr[data-you]').length === 1", PATIENCE).await;
    page.wait_for(
        "document.querySelector('#protocol').textContent === 'WebSocket over HTTP/1.1' && \
         document.querySelector('#compression').textContent === 'permessage-deflate'",
        PATIENCE,
    )
    .await;

    page.evaluate("document.querySelector('#close').click()").await;
    page.wait_for("document.body.dataset.state === 'closed'", PATIENCE).await;
    assert_eq!(page.evaluate("document.querySelector('#close-code').textContent").await, "1000");
}

#[tokio::test]
async fn visitors_see_each_other() {
    let Some(browser) = Browser::launch().await else { return };
    let example = Example::start("dashboard").await;
    let mut one = browser.page(&format!("http://{}/", example.address())).await;
    let mut two = browser.page(&format!("http://{}/", example.address())).await;
    for page in [&mut one, &mut two] {
        page.wait_for("document.querySelectorAll('#peers tr[data-id]').length === 2", PATIENCE).await;
    }

    two.evaluate("document.querySelector('#close').click()").await;
    one.wait_for("document.querySelectorAll('#peers tr[data-id]').length === 1", PATIENCE).await;
}

#[tokio::test]
async fn the_server_closes_as_the_visitor_asks() {
    let Some(browser) = Browser::launch().await else { return };
    let example = Example::start("dashboard").await;
    let mut page = browser.page(&format!("http://{}/", example.address())).await;
    page.wait_for(OPEN, PATIENCE).await;

    page.evaluate(
        "void (document.querySelector('#close-choice').value = '4000', \
         document.querySelector('#close-form').requestSubmit())",
    )
    .await;
    page.wait_for(&closed(4000, "the visitor asked for it"), PATIENCE).await;
    page.wait_for(OPEN, PATIENCE).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_restart_is_seen_as_1001_and_the_page_comes_back() {
    let Some(browser) = Browser::launch().await else { return };
    let example = Example::start("dashboard").await;
    let address = example.address().to_owned();
    let mut page = browser.page(&format!("http://{address}/")).await;
    page.wait_for(OPEN, PATIENCE).await;

    example.terminate().await;
    page.wait_for(&closed(1001, "restarting"), PATIENCE).await;
    page.wait_for("+document.querySelector('#countdown').dataset.attempt >= 1", PATIENCE).await;
    assert!(example.ended().await.success());

    let _example = Example::start_at("dashboard", &address).await;
    page.wait_for(&format!("{OPEN} && document.querySelector('#banner').hidden"), PATIENCE).await;
}

#[tokio::test]
async fn a_page_from_a_foreign_origin_is_refused() {
    let flags = ["--host-resolver-rules=MAP evil.example 127.0.0.1"];
    let Some(browser) = Browser::launch_with(&flags).await else { return };
    let example = Example::start("dashboard").await;
    let port = foreign_server().await;

    let evil = format!("http://evil.example:{port}");
    for (url, origin) in [(evil.clone(), &*evil), (format!("http://127.0.0.1:{port}/sandbox"), "null")] {
        let mut page = browser.page(&url).await;
        assert_eq!(page.evaluate("self.origin").await, origin);
        assert_eq!(try_open(&mut page, &format!("{}/ws/echo", example.address())).await, "refused", "{origin}");
        // It is the dashboard that refuses, not the browser.
        assert_eq!(try_open(&mut page, &format!("127.0.0.1:{port}/ws")).await, "open", "{origin}");
    }

    // A development server on another port of this machine is no stranger.
    for host in ["127.0.0.1", "localhost"] {
        let mut page = browser.page(&format!("http://{host}:{port}/")).await;
        assert_eq!(try_open(&mut page, &format!("{}/ws/echo", example.address())).await, "open", "{host}");
    }
}

/// Serves an empty page, the same without an origin, and a WebSocket to whoever asks. Its port.
async fn foreign_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let layer = WebSocketLayer::new(|ws: Manager| async move { ws.recv().await.map(drop) })
        .upgrader(Upgrader::new().origin(OriginPolicy::insecure_any()));
    let page = || async { Html("<!doctype html><title>elsewhere</title>") };
    let sandbox = move || async move { ([(CONTENT_SECURITY_POLICY, "sandbox allow-scripts")], page().await) };
    let router =
        Router::new().route("/", get(page)).route("/sandbox", get(sandbox)).route("/ws", any(page).layer(layer));
    tokio::spawn(axum::serve(listener, router).into_future());
    port
}

/// Whether a page may open a WebSocket.
async fn try_open(page: &mut Page, address: &str) -> serde_json::Value {
    let url = json!(format!("ws://{address}"));
    page.evaluate(&format!(
        "new Promise((resolve) => {{
            const socket = new WebSocket({url});
            socket.onopen = () => resolve('open');
            socket.onclose = () => resolve('refused');
        }})"
    ))
    .await
}

/// What `expression` says of the processor's chart, `c`.
fn chart(expression: &str) -> String {
    format!("((c) => {expression})(document.querySelector('#cpu-chart'))")
}

/// The page shows why the connection was closed.
fn closed(code: u16, reason: &str) -> String {
    let (code, reason) = (json!(code.to_string()), json!(reason));
    format!(
        "document.querySelector('#close-code').textContent === {code} && \
         document.querySelector('#close-reason').textContent === {reason}"
    )
}

const OPEN: &str = "document.body.dataset.state === 'open'";

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
