//! A proxy or another server as a process of its own, with its files in a directory that goes with it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::PATIENCE;
use crate::port::Port;
use crate::skipped::skipped;

pub(crate) struct Program {
    pub(crate) port: u16,
    _reserved: Port,
    /// Where its files are.
    pub(crate) directory: PathBuf,
    program: PathBuf,
    arguments: Vec<String>,
    child: Child,
}

impl Program {
    /// Runs a program with these arguments and files. In both, `PORT` stands for the port where it is to listen, and
    /// `DIRECTORY` for where its files are. `None`, and a sentence, where it is not installed.
    pub(crate) async fn start(name: &str, arguments: &[&str], files: &[(&str, &str)]) -> Option<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);

        let Some(program) = find(name) else {
            skipped(name, "it is not installed");
            return None;
        };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("tower-websocket-{name}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("there is room");
        // A program that is none of a test's may take the port first: then with another.
        for _ in 0..10 {
            let reserved = Port::reserve();
            let port = reserved.number;
            let filled =
                |text: &str| text.replace("PORT", &port.to_string()).replace("DIRECTORY", &directory.to_string_lossy());
            for (file, text) in files {
                std::fs::write(directory.join(file), filled(text)).expect("there is room");
            }
            let arguments: Vec<_> = arguments.iter().map(|argument| filled(argument)).collect();
            let mut child = spawn(&program, &arguments, &directory);
            if is_listening(&mut child, port).await {
                return Some(Self { port, _reserved: reserved, directory, program, arguments, child });
            }
        }
        panic!("{name} does not start; what it says stands above");
    }

    /// Ends it at once.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.expect("it runs");
    }

    /// Starts it again, with the files that it had.
    pub(crate) async fn restart(&mut self) {
        self.child = spawn(&self.program, &self.arguments, &self.directory);
        assert!(is_listening(&mut self.child, self.port).await, "it starts again");
    }
}

fn spawn(program: &Path, arguments: &[String], directory: &Path) -> Child {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.spawn().expect("it can be run")
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.start_kill();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Where Debian has servers, which is in no user's path.
    let directories = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    directories.map(|directory| directory.join(name)).find(|program| program.is_file())
}

/// Whether it listens. It does not where it has ended.
async fn is_listening(child: &mut Child, port: u16) -> bool {
    let connected = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        connected = timeout(PATIENCE, connected) => connected.is_ok(),
        _ = child.wait() => false,
    }
}
