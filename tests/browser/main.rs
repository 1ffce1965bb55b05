//! Tests in a real browser: Chromium, headless, driven over its DevTools protocol.
//!
//! Where there is no Chromium they say so and pass. `CHROMIUM` names one that is not on the `PATH`.

mod appearance;
#[cfg(feature = "redis")]
mod cluster;
mod compression;
mod dashboard;
mod driver;
#[cfg(feature = "redis")]
#[allow(dead_code, reason = "not all tests use all of it")]
#[path = "../support/port.rs"]
mod port;
#[path = "../examples/process.rs"]
mod process;
#[cfg(feature = "redis")]
#[allow(dead_code, reason = "not all tests use all of it")]
#[path = "../support/program.rs"]
mod program;
#[path = "../support/skipped.rs"]
mod skipped;
mod tls;

use std::time::Duration;

use serde_json::json;

use crate::driver::Browser;

#[tokio::test]
async fn evaluates_in_a_page_and_waits_for_what_it_does_later() {
    let Some(browser) = Browser::launch().await else { return };
    let mut page = browser.page("data:text/html,<title>Hello</title><p id=greeting>").await;

    assert_eq!(page.evaluate("document.title").await, "Hello");
    assert_eq!(page.evaluate("Promise.resolve([6 * 7, null])").await, json!([42, null]));

    page.evaluate("void setTimeout(() => document.querySelector('#greeting').textContent = 'good day', 50)").await;
    page.wait_for("document.querySelector('#greeting').textContent === 'good day'", Duration::from_secs(10)).await;
}

#[tokio::test]
async fn gives_each_page_its_own_window() {
    let Some(browser) = Browser::launch().await else { return };
    let mut one = browser.page("data:text/html,<title>one</title>").await;
    let mut two = browser.page("data:text/html,<title>two</title>").await;

    // A page in the background would be throttled and report itself as hidden.
    assert_eq!(one.evaluate("[document.title, document.visibilityState]").await, json!(["one", "visible"]));
    assert_eq!(two.evaluate("[document.title, document.visibilityState]").await, json!(["two", "visible"]));
}

#[tokio::test]
#[should_panic(expected = "ReferenceError: nothing is not defined")]
async fn panics_with_the_exception_of_the_page() {
    let Some(browser) = Browser::launch().await else { panic!("skipped: ReferenceError: nothing is not defined") };
    browser.page("about:blank").await.evaluate("nothing.here").await;
}

/// No test takes so long, however slow the machine is.
#[cfg(feature = "redis")]
const PATIENCE: Duration = Duration::from_secs(60);
