//! Tests whose programs are not there.

use std::env;
use std::fs::OpenOptions;
use std::io::{self, Write};

/// Says that a test cannot run here. `.ci/run` counts it by this name, in the file that `SKIPPED` names; where `CI` is set, it
/// must be one that `.ci/allowed-skips` has.
pub(crate) fn skipped(name: &str, reason: &str) {
    // Not `eprintln!`, whose output is hidden when a test passes.
    let _ = writeln!(io::stderr(), "\nSKIPPED: {name}, because {reason}");
    if let Some(file) = env::var_os("SKIPPED") {
        let mut file = OpenOptions::new().append(true).create(true).open(file).expect("the file of CI can be written");
        writeln!(file, "{name}\t{reason}").expect("the file of CI can be written");
    }
}
