//! A small driver for Chromium: as much of the DevTools protocol as the tests need.
//!
//! Everything that goes wrong panics with the reason, since the caller is always a test.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{self, Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::skipped::skipped;

/// A running Chromium with an empty profile. Dropping it ends the process and removes the profile.
#[derive(Debug)]
pub(crate) struct Browser {
    process: Child,
    profile: PathBuf,
    /// `ws://127.0.0.1:PORT/devtools/browser/ID`
    address: String,
}

impl Browser {
    /// Starts Chromium, or says that there is none and returns `None`.
    pub(crate) async fn launch() -> Option<Self> {
        Self::launch_with(&[]).await
    }

    /// Starts Chromium with more flags; `--ignore-certificate-errors` is the one for tests over TLS.
    pub(crate) async fn launch_with(flags: &[&str]) -> Option<Self> {
        let Some(program) = find_chromium() else {
            skipped("browser", "there is no Chromium: install `chromium` or set CHROMIUM");
            return None;
        };
        let profile = new_profile();
        let mut process = Command::new(&program)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.display()))
            .args(flags)
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|err| panic!("could not start {}: {err}", program.display()));
        let stderr = process.stderr.take().expect("stderr is piped");
        // Made before the wait, so that a Chromium that never gets ready is ended too.
        let mut browser = Self { process, profile, address: String::new() };
        browser.address = timeout(PATIENCE, listening_address(stderr))
            .await
            .unwrap_or_else(|_| panic!("Chromium did not get ready within {PATIENCE:?}"));
        Some(browser)
    }

    /// Opens a window of its own at `url` and waits until it has loaded.
    pub(crate) async fn page(&self, url: &str) -> Page {
        let mut browser = Session::connect(&self.address).await;
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank", "newWindow": true })).await;
        let id = target["targetId"].as_str().expect("a new target has an id");

        let (host, _) = self.address.split_once("/devtools/").expect("the address of the DevTools");
        let mut session = Session::connect(&format!("{host}/devtools/page/{id}")).await;
        let navigation = session.call("Page.navigate", json!({ "url": url })).await;
        if let Some(error) = navigation["errorText"].as_str() {
            panic!("could not open {url}: {error}");
        }
        // The answer came when the new document took the place of `about:blank`: this asks the new one.
        let mut page = Page { session };
        page.wait_for("document.readyState === 'complete'", PATIENCE).await;
        page
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        // Chromium's helper processes notice a moment later, and write to the profile until then.
        for _ in 0..100 {
            if fs::remove_dir_all(&self.profile).is_ok() || !self.profile.exists() {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// One window of a [`Browser`].
#[derive(Debug)]
pub(crate) struct Page {
    session: Session,
}

impl Page {
    /// Evaluates an expression, waits for it if it is a promise, and returns its value.
    ///
    /// # Panics
    ///
    /// With the page's exception, when there is one.
    pub(crate) async fn evaluate(&mut self, expression: &str) -> Value {
        self.evaluate_within(expression, PATIENCE).await
    }

    /// Waits until an expression becomes truthy and returns its value; an exception counts as "not yet".
    ///
    /// # Panics
    ///
    /// With the expression, when `limit` has passed.
    pub(crate) async fn wait_for(&mut self, condition: &str, limit: Duration) -> Value {
        let millis = limit.as_millis();
        let poll = format!(
            "new Promise((resolve, reject) => {{
                const end = performance.now() + {millis};
                let last = 'it is falsy';
                (function poll() {{
                    try {{ const value = ({condition}); if (value) return resolve(value); }} catch (e) {{ last = e; }}
                    if (performance.now() < end) setTimeout(poll, 10);
                    else reject(new Error('not within {millis} ms: ' + {quoted} + ': ' + last));
                }})();
            }})",
            quoted = json!(condition),
        );
        self.evaluate_within(&poll, limit + PATIENCE).await
    }

    /// Has the DevTools report what happens in this domain from now on: see [`events`](Self::events).
    pub(crate) async fn watch(&mut self, domain: &str) {
        self.session.call(&format!("{domain}.enable"), json!({})).await;
    }

    /// What has been reported by this event, as soon as there are so many.
    pub(crate) async fn events(&mut self, method: &str, count: usize) -> Vec<Value> {
        let reported = async {
            loop {
                let events = self.session.events.iter().filter(|event| event["method"] == method);
                let events: Vec<_> = events.map(|event| event["params"].clone()).collect();
                if events.len() >= count {
                    return events;
                }
                let message = self.session.receive().await;
                self.session.events.push(message);
            }
        };
        timeout(PATIENCE, reported).await.unwrap_or_else(|_| panic!("no {count} {method} within {PATIENCE:?}"))
    }

    /// Makes the window this large, in CSS pixels.
    pub(crate) async fn resize(&mut self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.session.call("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Prefers colours, `light` or `dark`, and no motion, so that they are there at once.
    pub(crate) async fn prefer(&mut self, scheme: &str) {
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.session.call("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// How often each role is in the tree that screen readers get.
    pub(crate) async fn roles(&mut self, role: &str) -> usize {
        let tree = self.session.call("Accessibility.getFullAXTree", json!({})).await;
        let nodes = tree["nodes"].as_array().expect("a list");
        nodes.iter().filter(|node| node["ignored"] == false && node["role"]["value"] == role).count()
    }

    async fn evaluate_within(&mut self, expression: &str, limit: Duration) -> Value {
        let parameters = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut answer = self.session.call_within("Runtime.evaluate", parameters, limit).await;
        if let Some(exception) = answer.get("exceptionDetails") {
            panic!("{}", exception["exception"]["description"].as_str().unwrap_or(&exception.to_string()));
        }
        answer["result"]["value"].take()
    }
}

/// One WebSocket to the DevTools: calls are made one after the other.
#[derive(Debug)]
struct Session {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    last_id: u64,
    /// Of the domains that are watched.
    events: Vec<Value>,
}

impl Session {
    async fn connect(address: &str) -> Self {
        let (socket, _) = connect_async(address).await.expect("the DevTools accept a WebSocket");
        Self { socket, last_id: 0, events: Vec::new() }
    }

    async fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.call_within(method, parameters, PATIENCE).await
    }

    async fn call_within(&mut self, method: &str, parameters: Value, limit: Duration) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        let call = json!({ "id": id, "method": method, "params": parameters });
        self.socket.send(Message::text(call.to_string())).await.expect("the DevTools are there");
        let mut answer = timeout(limit, self.answer(id))
            .await
            .unwrap_or_else(|_| panic!("Chromium did not answer {method} within {limit:?}"));
        assert!(answer.get("error").is_none(), "{method}: {}", answer["error"]);
        answer["result"].take()
    }

    /// The message with this id; events before it are kept.
    async fn answer(&mut self, id: u64) -> Value {
        loop {
            let message = self.receive().await;
            if message["id"] == id {
                return message;
            }
            self.events.push(message);
        }
    }

    async fn receive(&mut self) -> Value {
        loop {
            let message = self.socket.next().await.expect("the DevTools stay").expect("the DevTools stay");
            if let Message::Text(text) = message {
                return serde_json::from_str(&text).expect("the DevTools speak JSON");
            }
        }
    }
}

/// The program named by `CHROMIUM`, or the first usual name that is on the `PATH`.
fn find_chromium() -> Option<PathBuf> {
    if let Some(named) = env::var_os("CHROMIUM").filter(|named| !named.is_empty()) {
        return Some(named.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    ["chromium", "chromium-browser", "google-chrome"]
        .iter()
        .find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file()))
}

fn new_profile() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let profile = env::temp_dir().join(format!("tower-websocket-browser-{}-{count}", process::id()));
    fs::create_dir_all(&profile).expect("the temporary folder is writable");
    profile
}

/// Reads `DevTools listening on ws://…` from standard error, which is then drained to its end:
/// Chromium would stop at a full pipe.
async fn listening_address(stderr: ChildStderr) -> String {
    let (found, address) = oneshot::channel();
    thread::spawn(move || {
        let mut found = Some(found);
        let mut said = String::new();
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            match (line.strip_prefix("DevTools listening on "), found.is_some()) {
                (Some(address), true) => drop(found.take().map(|found| found.send(Ok(address.to_owned())))),
                (None, true) => said = said + &line + "\n",
                (_, false) => {}
            }
        }
        drop(found.map(|found| found.send(Err(said))));
    });
    match address.await.expect("the thread sends before it ends") {
        Ok(address) => address,
        Err(said) => panic!("Chromium ended before it was ready:\n{said}"),
    }
}

/// How long Chromium may take for anything, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const FLAGS: &[&str] = &[
    "--headless",
    "--remote-debugging-port=0",
    // The sandbox does not start for root or in most containers; only the tests' own pages are opened.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    // Timers keep their pace in windows that are not in front.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
];
