//! WebSockets over TLS, which the browser opens over HTTP/2.

use std::time::Duration;

use serde_json::{Value, json};

use crate::driver::{Browser, Page};
use crate::process::Example;

#[tokio::test]
async fn over_tls_a_browser_opens_websockets_over_http2() {
    let Some(browser) = Browser::launch_with(&["--ignore-certificate-errors"]).await else { return };
    let mut example = Example::start("tls").await;
    let mut page = browser.page(&format!("https://{}/", example.address())).await;
    page.wait_for("document.querySelector('#log').textContent === 'opened over HTTP/2.0'", PATIENCE).await;

    // The second one must not fall back to HTTP/1.1 for how the first one ended.
    page.watch("Network").await;
    for round in 1..=3 {
        let socket = open(&mut page).await;
        // 101 would be HTTP/1.1.
        let answers = page.events("Network.webSocketHandshakeResponseReceived", round).await;
        assert_eq!(answers[round - 1]["response"]["status"], 200, "{answers:?}");
        assert_eq!(socket["said"], json!(["opened over HTTP/2.0", "Grüße 🦀", [0, 159, 255]]));

        if round == 2 {
            let closed = page.evaluate("(window.socket.send('close'), window.ended)").await;
            assert_eq!(closed, json!([1000, "as you wish", true]));
            assert_eq!(example.line().await, "closed over HTTP/2.0: code 1000, as you wish");
        } else {
            let closed = page.evaluate("(window.socket.close(4321, 'enough'), window.ended)").await;
            assert_eq!(closed, json!([4321, "enough", true]));
            assert_eq!(example.line().await, "closed over HTTP/2.0: code 4321, enough");
        }
    }
}

/// Opens a WebSocket from the page, sends a text and some bytes, and waits until both have come back.
async fn open(page: &mut Page) -> Value {
    page.evaluate(
        "new Promise((resolve, reject) => {
            const said = [];
            const socket = window.socket = new WebSocket(`wss://${location.host}/ws`);
            socket.binaryType = 'arraybuffer';
            socket.onopen = () => {
                socket.send('Grüße 🦀');
                socket.send(new Uint8Array([0, 159, 255]));
            };
            socket.onmessage = ({ data }) => {
                said.push(typeof data === 'string' ? data : [...new Uint8Array(data)]);
                if (said.length === 3) resolve({ said });
            };
            window.ended = new Promise((closed) => {
                socket.onclose = ({ code, reason, wasClean }) => {
                    closed([code, reason, wasClean]);
                    reject(new Error(`closed: ${code} ${reason}`));
                };
            });
        })",
    )
    .await
}

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
