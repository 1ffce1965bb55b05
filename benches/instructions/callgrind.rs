//! The server as a process of its own, under callgrind.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::rows::Row;

/// What the figures depend upon beside the sources. `None` where there is no valgrind.
pub(crate) fn tools() -> Option<String> {
    let valgrind = output("valgrind", "--version")?;
    let rustc = output(&env::var("RUSTC").unwrap_or_else(|_| "rustc".into()), "--version")?;
    let libc = output("getconf", "GNU_LIBC_VERSION").unwrap_or_else(|| "another C library".into());
    Some(format!("{rustc}, {libc}, {valgrind}, {}", env::consts::ARCH))
}

fn output(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().into())
}

/// Starts the server of this row under callgrind, and says where the count will be.
pub(crate) fn start(row: &Row, turns: u64) -> (Child, PathBuf) {
    let program = env::current_exe().expect("the program's own path");
    let file = program.with_file_name(format!("callgrind.{}.out", std::process::id()));
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--quiet"]);
    command.arg(format!("--callgrind-out-file={}", file.display())).arg(program);
    (spawn(command, row, turns), file)
}

/// Starts it as it is.
pub(crate) fn bare(row: &Row, turns: u64) -> Child {
    spawn(Command::new(env::current_exe().expect("the program's own path")), row, turns)
}

/// It ends when its input does.
fn spawn(mut command: Command, row: &Row, turns: u64) -> Child {
    command.args(["serve", row.name, &turns.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().expect("the server starts")
}

/// What callgrind has counted in all.
pub(crate) fn instructions(file: &Path) -> u64 {
    let text = fs::read_to_string(file).expect("callgrind has written its file");
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ")).expect("callgrind has counted");
    fs::remove_file(file).expect("it can be removed");
    total.trim().parse().expect("a number")
}
