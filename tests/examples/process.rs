//! An example as a process of its own.

use std::env;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// A running example. Dropping it ends the process.
#[derive(Debug)]
pub(crate) struct Example {
    process: Child,
    address: String,
    /// Kept open: an example that prints must not fail.
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Example {
    /// Starts an example on a port of its own, and waits until it listens.
    pub(crate) async fn start(name: &str) -> Self {
        Self::start_at(name, "127.0.0.1:0").await
    }

    /// Starts an example at an address, and waits until it listens.
    pub(crate) async fn start_at(name: &str, address: &str) -> Self {
        Self::run(name, command(name, address)).await
    }

    /// Runs this command for an example, and waits until it listens.
    pub(crate) async fn run(name: &str, mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().expect("the example starts");
        let mut stdout = BufReader::new(process.stdout.take().expect("stdout is piped")).lines();
        let line = timeout(PATIENCE, stdout.next_line()).await.unwrap_or_else(|_| panic!("{name} said nothing"));
        let line = line.expect("stdout is readable").unwrap_or_else(|| panic!("{name} ended without a word"));
        let url = line.split_whitespace().find_map(|word| word.split_once("://"));
        let (_, rest) = url.unwrap_or_else(|| panic!("{name} says where it listens, not {line:?}"));
        let address = rest.split('/').next().unwrap_or_default().to_owned();
        Self { process, address, stdout }
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The next line that it prints.
    pub(crate) async fn line(&mut self) -> String {
        let line = timeout(PATIENCE, self.stdout.next_line()).await.expect("the example prints a line");
        line.expect("stdout is readable").expect("the example runs")
    }

    /// Asks the process to end, as `kill` and service managers do.
    #[cfg(unix)]
    pub(crate) async fn terminate(&self) {
        self.signal("TERM").await;
    }

    /// Stops the process without a word, as a network does that loses everything.
    #[cfg(unix)]
    #[allow(dead_code, reason = "only the tests in a browser do")]
    pub(crate) async fn freeze(&self) {
        self.signal("STOP").await;
    }

    #[cfg(unix)]
    async fn signal(&self, name: &str) {
        let id = self.process.id().expect("it runs").to_string();
        // `kill` is built into every shell, but not a program everywhere.
        let killed = Command::new("sh").args(["-c", "kill -\"$0\" \"$1\"", name, &id]).status().await;
        assert!(killed.expect("there is a shell").success());
    }

    /// Waits until the process has ended by itself.
    #[cfg(unix)]
    pub(crate) async fn ended(mut self) -> ExitStatus {
        timeout(PATIENCE, self.process.wait()).await.expect("it ends").expect("its status is known")
    }
}

/// Cargo builds the examples before it runs a package's tests, next to the folder of the tests' programs.
pub(crate) fn command(name: &str, address: &str) -> Command {
    let mut path: PathBuf = env::current_exe().expect("this program has a path");
    path.pop();
    path.set_file_name("examples");
    path.push(format!("{name}{}", env::consts::EXE_SUFFIX));
    assert!(path.is_file(), "{} is not there: run `cargo build --examples` first", path.display());
    let mut command = Command::new(path);
    command.env("ADDR", address).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// How long anything may take on a busy machine, before a test fails instead of hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
