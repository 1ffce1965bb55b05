use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

/// Builds the crate's examples `echo` and `fanout` in the way the peers are built, and gives the path of the first.
pub fn build() -> Result<PathBuf> {
    let root = root();
    let exists = root.join("examples/echo.rs").exists() || root.join("examples/echo/main.rs").exists();
    ensure!(exists, "the crate has no example `echo` yet");

    // A target folder of its own: other settings would make every ordinary build start anew.
    let target = target().join("ours");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--release", "--example", "echo", "--example", "fanout", "--manifest-path"])
        .arg(root.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .env("CARGO_PROFILE_RELEASE_LTO", "thin")
        .stdin(Stdio::null())
        .status()
        .context("cargo cannot be run")?;
    ensure!(status.success(), "the examples do not build");
    Ok(target.join("release/examples/echo"))
}

/// Its name in the table.
pub fn title() -> Result<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml"))?;
    let version = manifest.lines().find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    Ok(format!("**tower-websocket {}**", version.context("the crate has no version")?))
}

/// Where this package keeps what it builds beside itself.
pub fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
