//! How the dashboard looks: on small and large screens, in light and dark, with a keyboard alone, and while it is offline.

use std::time::Duration;

use serde_json::Value;

use crate::driver::{Browser, Page};
use crate::process::Example;

/// A window on a dashboard that is live.
async fn open(browser: &Browser, example: &Example, (width, height): (u32, u32)) -> Page {
    let mut page = browser.page(&format!("http://{}/", example.address())).await;
    page.resize(width, height).await;
    page.wait_for(&format!("{OPEN} && document.querySelector('#peers tr')"), PATIENCE).await;
    page
}

#[tokio::test]
async fn controls_have_borders_that_are_seen() {
    let Some(browser) = Browser::launch().await else { return };
    let example = Example::start("dashboard").await;
    let mut page = open(&browser, &example, LARGE).await;
    for scheme in ["light", "dark"] {
        page.prefer(scheme).await;
        // What is in the border, or in its place the whole area, against the card and the field (WCAG 2.2, 1.4.11).
        let lowest = "Math.min(...[...document.querySelectorAll('main :is(input, select, button), .dots i:not(.sent)')].map((e) => {
            const style = getComputedStyle(e);
            const ring = style.boxShadow.match(/rgb\\([^)]*\\)/)?.[0];
            const edge = e.matches('.primary') ? style.backgroundColor : ring ?? style.borderTopColor;
            return Math.min(...[e.closest('.card'), e].map((around) => getComputedStyle(around).backgroundColor)
                .filter((colour) => colour.startsWith('rgb(') && colour !== edge).map((colour) => contrast(edge, colour)));
        }))";
        let ratio = page.evaluate(&format!("(() => {{ {CONTRAST} return {lowest}; }})()")).await;
        assert!(ratio.as_f64().is_some_and(|ratio| ratio >= 3.0), "{scheme}: {ratio}");
    }
}

#[tokio::test]
async fn everything_has_room() {
    let Some(browser) = Browser::launch().await else { return };
    let example = Example::start("dashboard").await;
    let mut page = open(&browser, &example, LARGE).await;
    // What closes the connection is there without scrolling.
    for button in ["#close", "#close-ask"] {
        let bottom = page.evaluate(&format!("document.querySelector('{button}').getBoundingClientRect().bottom")).await;
        assert!(bottom.as_f64().is_some_and(|bottom| bottom <= 800.0), "{button}: {bottom}");
    }
    // The labels of the axes fit beside the charts, and the card is filled.
    for (chart, label) in [("#cpu-chart", "100%"), ("#memory-chart", "100%")] {
        let free = format!(
            "((c) => c.dataset.margin && +c.dataset.margin - 6 - c.getContext('2d').measureText('{label}').width + 1)\
             (document.querySelector('{chart}'))"
        );
        let free = page.wait_for(&free, PATIENCE).await;
        assert!(free.as_f64().is_some_and(|free| free >= 1.0), "{chart}: {free}");
    }
    page.wait_for("+document.querySelector('#echo-chart').dataset.points >= 2", PATIENCE).await;
    let filled = "document.querySelector('.echo').getBoundingClientRect().bottom \
                  - document.querySelector('#echo-summary').getBoundingClientRect().bottom";
    let empty = page.evaluate(filled).await;
    assert!(empty.as_f64().is_some_and(|empty| empty < 40.0), "{empty}");
    for (size, name) in [(LARGE, "large"), (SMALL, "small")] {
        page.resize(size.0, size.1).await;
        let wide = page.evaluate("document.documentElement.scrollWidth <= innerWidth").await;
        assert_eq!(wide, true, "{name}");
    }
}

#[tokio::test]
async fn charts_are_read_without_a_pointer() {
    let Some(browser) = Browser::launch().await else { return };
    let example = Example::start("dashboard").await;
    let mut page = open(&browser, &example, LARGE).await;
    for (chart, value) in [("cpu", r"\d %"), ("memory", r"\d [GM]iB"), ("echo", r"\d ms")] {
        let says = |id: &str, rest: &str| format!("/{value}{rest}/.test(document.querySelector('#{id}').textContent)");
        page.wait_for(&says(&format!("{chart}-summary"), " on average"), PATIENCE).await;
        page.evaluate(&format!("document.querySelector('#{chart}-chart').focus()")).await;
        let press = "void document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft', bubbles: true }))";
        page.evaluate(press).await;
        page.wait_for(&says("reading", r", \d+ s ago"), PATIENCE).await;
    }
}

#[tokio::test]
async fn the_table_of_peers_stays_a_table_with_its_selection() {
    let Some(browser) = Browser::launch().await else { return };
    let example = Example::start("dashboard").await;
    let mut page = open(&browser, &example, SMALL).await;
    // Each row of the peers, the heads, and the metrics, of which more may come meanwhile.
    let rows = "[...document.querySelectorAll('table tr')].filter((row) => row.getClientRects().length).length";
    let (mut before, mut roles, mut after) = (page.evaluate(rows).await, 0, Value::Null);
    while before != after {
        roles = page.roles("row").await;
        before = std::mem::replace(&mut after, page.evaluate(rows).await);
    }
    assert_eq!(after, roles);
    assert!(roles >= 2);
    page.evaluate(
        "void (window.cell = document.querySelector('#peers tr').cells[1], getSelection().selectAllChildren(cell))",
    )
    .await;
    let address = page.evaluate("cell.textContent").await;
    let another = open(&browser, &example, SMALL).await;
    page.wait_for("document.querySelectorAll('#peers tr').length === 2", PATIENCE).await;
    assert_eq!(page.evaluate("getSelection().toString()").await, address);
    drop(another);
    assert_eq!(page.evaluate("cell.isConnected").await, true);
}

#[cfg(unix)]
#[tokio::test]
async fn while_it_is_offline_nothing_moves_and_old_numbers_are_dim() {
    let Some(browser) = Browser::launch().await else { return };
    let example = Example::start("dashboard").await;
    let mut page = open(&browser, &example, LARGE).await;
    let place =
        "JSON.stringify([...document.querySelectorAll('.card')].map((card) => card.getBoundingClientRect().top))";
    let figure = "getComputedStyle(document.querySelector('#cpu-now')).color";
    page.wait_for("document.querySelector('#cpu-now').textContent", PATIENCE).await;
    let live_figure = page.evaluate(figure).await;
    // While data comes it may move: what counts is the last frame before the end.
    page.evaluate(&format!(
        "void (function record() {{
            if (document.body.dataset.state === 'open') {{ window.live = {place}; requestAnimationFrame(record); }}
        }})()"
    ))
    .await;
    example.terminate().await;
    page.wait_for("!document.querySelector('#banner').hidden", PATIENCE).await;
    assert_eq!(page.evaluate(place).await, page.evaluate("window.live").await);
    let dim = page.evaluate(figure).await;
    assert_ne!(dim, live_figure);
    assert_eq!(page.evaluate("getComputedStyle(document.querySelector('h1 span')).color").await, dim);
}

/// The kernel still takes what the page sends: only an answer that does not come tells.
#[cfg(unix)]
#[tokio::test]
async fn a_server_that_has_gone_silent_is_noticed_at_once() {
    let Some(browser) = Browser::launch().await else { return };
    let example = Example::start("dashboard").await;
    let mut beating = open(&browser, &example, LARGE).await;
    let mut told = open(&browser, &example, LARGE).await;
    // An event alone is no proof: what answers is there.
    told.evaluate("void dispatchEvent(new Event('offline'))").await;
    let count = "+document.querySelector('#echo-chart').dataset.points";
    let before = told.evaluate(count).await.as_u64().unwrap_or_default();
    told.wait_for(&format!("{count} > {}", before + 1), PATIENCE).await;
    // From here on this page asks only when it is told. On a busy machine it may have lost its connection meanwhile: without its
    // timers it would not connect again.
    let stop = "(() => { for (let timer = 1; timer < 10000; timer++) clearInterval(timer); return true; })()";
    told.wait_for(&format!("{OPEN} && {stop}"), PATIENCE).await;
    example.freeze().await;
    told.evaluate("void dispatchEvent(new Event('offline'))").await;
    told.wait_for(&lost("this device is offline"), PATIENCE).await;
    beating.wait_for(&lost("no answer for two seconds"), PATIENCE).await;
}

fn lost(reason: &str) -> String {
    format!("!({OPEN}) && document.querySelector('#close-reason').textContent === '{reason}'")
}

const LARGE: (u32, u32) = (1280, 800);
const SMALL: (u32, u32) = (390, 844);
const OPEN: &str = "document.body.dataset.state === 'open'";
const PATIENCE: Duration = Duration::from_secs(60);

/// The contrast of two colours, from 1 to 21.
const CONTRAST: &str = "
    const luminance = (colour) => {
        const [r, g, b] = colour.match(/[\\d.]+/g).map((part) => part / 255)
            .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (a, b) => {
        const [low, high] = [luminance(a), luminance(b)].sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    };
";
