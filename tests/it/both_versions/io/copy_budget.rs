//! The memory that a line or a JSON value may take while it is copied.

use std::time::Duration;

use tokio::io::{AsyncWriteExt, duplex};
use tokio::time::sleep;
use tower_websocket::{Budget, ErrorKind, Upgrader, testing};

use super::{copied, drip};

#[tokio::test(start_paused = true)]
async fn a_line_beyond_the_budget_leaves_the_connection_usable() {
    let budget = Budget::new(200_000);
    for (len, expected) in
        [(200_000, Ok(3)), (200_001, Err(ErrorKind::BudgetExceeded)), (5_000_000, Err(ErrorKind::BudgetExceeded))]
    {
        let text = ["short\n", &"x".repeat(len - 1), "\nlast\n"].concat();
        for step in [1000, usize::MAX] {
            let (result, texts) =
                copied(async |ws| ws.copy_text_lines_with(drip(text.as_bytes(), step), &budget).await).await;
            assert_eq!(result, expected, "{len}");
            assert_eq!(texts.len(), if expected.is_ok() { 3 } else { 1 });
            assert_eq!(budget.used(), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_json_value_beyond_the_budget_leaves_the_connection_usable() {
    let budget = Budget::new(100_000);
    let text = ["1 [\"", &"x".repeat(200_000), "\"]"].concat();
    let (result, texts) = copied(async |ws| ws.copy_json_stream_with(text.as_bytes(), &budget).await).await;
    assert_eq!((result, texts), (Err(ErrorKind::BudgetExceeded), vec!["1".into()]));
    assert_eq!(budget.used(), 0);
    // Whitespace is not kept, and short values are not counted.
    let text = [" ".repeat(300_000), "[2]".repeat(100_000)].concat();
    let (result, texts) = copied(async |ws| ws.copy_json_stream_with(text.as_bytes(), &Budget::new(0)).await).await;
    assert_eq!((result, texts.len()), (Ok(100_000), 100_000));
}

#[tokio::test(start_paused = true)]
async fn without_another_budget_64_mib_are_the_limit() {
    let (result, texts) = copied(async |ws| ws.copy_text_lines(tokio::io::repeat(b'x')).await).await;
    assert_eq!((result, texts), (Err(ErrorKind::BudgetExceeded), vec![]));
}

#[tokio::test(start_paused = true)]
async fn two_copies_share_a_budget() {
    let budget = Budget::new(200_000);
    let (client, server) = testing::pair(Upgrader::new());
    let (mut feed, source) = duplex(1024);
    let (ws, shared) = (server.clone(), budget.clone());
    let first = tokio::spawn(async move { ws.copy_json_stream_with(source, &shared).await });
    feed.write_all(b"[\"").await.unwrap();
    feed.write_all(&[b'x'; 150_000]).await.unwrap();
    sleep(Duration::from_millis(1)).await;
    assert_eq!(budget.used(), 150_002);

    let line = "y".repeat(100_000);
    let error = server.copy_text_lines_with(line.as_bytes(), &budget).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BudgetExceeded);

    feed.write_all(b"\"]").await.unwrap();
    assert_eq!(client.recv().await.unwrap().unwrap().len(), 150_004);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(budget.used(), 0, "a value that is sent is paid back");
    assert_eq!(server.copy_text_lines_with(line.as_bytes(), &budget).await.unwrap(), 1);

    feed.write_all(&[b'['; 100_000]).await.unwrap();
    sleep(Duration::from_millis(1)).await;
    assert_eq!(budget.used(), 100_000);
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert_eq!(budget.used(), 0, "a dropped copy pays back");
}
