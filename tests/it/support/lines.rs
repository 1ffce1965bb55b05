//! What `tracing` gets to see.

use std::cell::RefCell;
use std::io::Write;
use std::sync::{Arc, Mutex, Once};

/// The lines that a test's thread has logged.
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

    /// Takes what this thread's connections say. One subscriber serves all tests: those that come and go in other
    /// threads would race for tracing's cache of who is interested.
    pub(crate) fn subscribe(&self) {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            tracing_subscriber::fmt()
                .with_env_filter("tower_websocket=debug")
                .with_ansi(false)
                .with_writer(|| LINES.with_borrow(Clone::clone))
                .init();
        });
        LINES.set(self.clone());
    }
}

thread_local! {
    static LINES: RefCell<Lines> = RefCell::default();
}
