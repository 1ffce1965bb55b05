//! What `tracing` gets to see, as text.

use std::io::Write;
use std::sync::{Arc, Mutex};

/// What has been said so far.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    pub(crate) fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut self.0.lock().unwrap())).unwrap()
    }

    /// Waits until this is said, and takes all that was.
    pub(crate) async fn said(&self, what: &str) -> String {
        let mut said = String::new();
        while !said.contains(what) {
            tokio::task::yield_now().await;
            said += &self.take();
        }
        said
    }

    /// Writes what this thread's connections say.
    pub(crate) fn subscribe(&self) -> tracing::subscriber::DefaultGuard {
        let lines = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
            .with_ansi(false)
            .with_writer(move || lines.clone());
        tracing::subscriber::set_default(subscriber.finish())
    }
}
