//! One behaviour in several surroundings, at once.

use std::fmt::{Debug, Display};
use std::time::Instant;

use tokio::task::{Id, JoinSet};
use tokio::time::timeout;

use super::secs;

/// The cases of a test. They run side by side, as most of their time is waiting.
#[derive(Default)]
pub(crate) struct Cases {
    tasks: JoinSet<()>,
    names: Vec<(Id, String)>,
}

impl Cases {
    /// Starts a case, which fails by a panic.
    pub(crate) fn add(&mut self, name: impl Display, case: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(async { timeout(PATIENCE, case).await.expect("the case ends in time") });
        self.names.push((task.id(), name.to_string()));
    }

    /// Waits for all, and fails with the names of those that failed.
    pub(crate) async fn finish(mut self) {
        let start = Instant::now();
        let mut failed = Vec::new();
        while let Some(result) = self.tasks.join_next_with_id().await {
            let (id, error) = match result {
                Ok((id, ())) => (id, None),
                Err(error) => (error.id(), Some(error.into_panic())),
            };
            let (_, name) = self.names.iter().find(|(task, _)| *task == id).unwrap();
            let Some(error) = error else {
                println!("kept: {name} ({:?})", start.elapsed());
                continue;
            };
            let text = error.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| error.downcast_ref::<&str>().copied()).unwrap_or("panicked");
            failed.push(format!("{name} ({:?}): {text}", start.elapsed()));
        }
        assert!(failed.is_empty(), "failed:\n{}", failed.join("\n"));
    }
}

/// Fails where these differ, and shows both on one line.
#[track_caller]
pub(crate) fn expect<T: PartialEq + Debug>(what: &str, found: T, expected: T) {
    assert!(found == expected, "{what}: {found:?} instead of {expected:?}");
}

/// How long a case may take on a busy machine.
const PATIENCE: std::time::Duration = secs(120);
