use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use super::ours;
use crate::workload::{Wire, Work};

/// An echo server, before it is started.
#[derive(Debug)]
pub struct Server {
    pub name: &'static str,
    /// Its name and version for the table.
    pub title: String,
    pub rank: Rank,
    pub wires: &'static [Wire],
    pub program: PathBuf,
    pub arguments: Vec<String>,
    /// What serves a fan-out, with the same arguments.
    pub fan_out: Option<PathBuf>,
}

impl Server {
    /// The program for this work, if the server can do it.
    pub fn program_for(&self, work: Work) -> Option<&Path> {
        match work {
            Work::FanOut { .. } => self.fan_out.as_deref(),
            _ => Some(&self.program),
        }
    }

    fn with_fan_out(mut self) -> Self {
        self.fan_out = Some(self.program.clone());
        self
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rank {
    Floor,
    Ours,
    /// What ours is compared with.
    RustPeer,
    OtherPeer,
}

/// All servers that can be had on this machine. The others are named on standard error, with the reason.
pub fn available(wanted: impl Fn(&str) -> bool, ours: Option<&Path>) -> Vec<Server> {
    let makers: [(&'static str, &dyn Fn() -> Result<Server>); NAMES.len()] = [
        ("tcp", &|| rust("tcp", Rank::Floor, "bare TCP echo on tokio {}", "tokio", TLS)),
        ("tungstenite", &|| {
            rust("tungstenite", Rank::RustPeer, "tokio-tungstenite {} as it comes", "tokio-tungstenite", PLAIN)
        }),
        ("tungstenite-tuned", &|| {
            let title = "tokio-tungstenite {}, 8 KiB read buffer, one flush per burst";
            rust("tungstenite-tuned", Rank::RustPeer, title, "tokio-tungstenite", PLAIN)
        }),
        ("axum", &|| {
            let server = rust("axum", Rank::RustPeer, "axum {} ws", "axum", &[Wire::Plain, Wire::Http2, Wire::Tls])?;
            Ok(server.with_fan_out())
        }),
        ("fastwebsockets", &|| rust("fastwebsockets", Rank::RustPeer, "fastwebsockets {}", "fastwebsockets", TLS)),
        ("tokio-websockets", &|| {
            rust("tokio-websockets", Rank::RustPeer, "tokio-websockets {}", "tokio-websockets", TLS)
        }),
        ("sockudo", &|| rust("sockudo", Rank::RustPeer, "sockudo-ws {}, one flush per burst", "sockudo-ws", PLAIN)),
        ("wtx", &|| rust("wtx", Rank::RustPeer, "wtx {}, without an HTTP server", "wtx", PLAIN)),
        ("yawc", &|| rust("yawc", Rank::RustPeer, "yawc {}, one flush per burst, pooled deflate", "yawc", TAKEOVER)),
        ("ours", &|| {
            let program = ours.map_or_else(ours::build, |path| Ok(path.to_owned()))?;
            let fan_out = Some(program.with_file_name("fanout"));
            Ok(Server { fan_out, ..server("ours", Rank::Ours, ours::title()?, ALL, program, vec![]) })
        }),
        ("ours-tls", &|| {
            let program = env::current_exe()?;
            let arguments = vec!["serve".into(), "ours".into()];
            Ok(server("ours-tls", Rank::Ours, ours::title()?, &[Wire::Tls], program, arguments))
        }),
        ("bun", &bun),
        ("ws", &node_ws),
        ("gorilla", &gorilla),
    ];
    let mut fleet = Vec::new();
    for (name, make) in makers.into_iter().filter(|(name, _)| wanted(name)) {
        match make() {
            Ok(server) => fleet.push(server),
            Err(reason) => eprintln!("{name} is left out: {reason:#}"),
        }
    }
    fleet
}

/// All servers, in the order of the table.
pub const NAMES: [&str; 14] = [
    "tcp",
    "tungstenite",
    "tungstenite-tuned",
    "axum",
    "fastwebsockets",
    "tokio-websockets",
    "sockudo",
    "wtx",
    "yawc",
    "ours",
    "ours-tls",
    "bun",
    "ws",
    "gorilla",
];

/// Runs a command quietly and gives what it printed on standard output.
pub fn output_of(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?} cannot be run"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}", errors.trim());
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn rust(name: &'static str, rank: Rank, title: &str, package: &str, wires: &'static [Wire]) -> Result<Server> {
    let title = title.replace("{}", locked_version(package)?);
    Ok(server(name, rank, title, wires, env::current_exe()?, vec!["serve".into(), name.into()]))
}

fn bun() -> Result<Server> {
    let program = peers().join("node_modules/.bin/bun");
    ensure!(program.exists(), "run `npm install` in the folder `peers`");
    let title = format!("Bun {} (uWebSockets, C++)", output_of(Command::new(&program).arg("--version"))?);
    Ok(server("bun", Rank::OtherPeer, title, BUN, program, vec![script("bun.js")]).with_fan_out())
}

fn node_ws() -> Result<Server> {
    let package = peers().join("node_modules/ws/package.json");
    ensure!(package.exists(), "run `npm install` in the folder `peers`");
    let node = output_of(Command::new("node").arg("--version")).context("Node.js is not installed")?;
    let package: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(package)?)?;
    let title = format!("Node {node} `ws` {}", package["version"].as_str().unwrap_or_default());
    Ok(server("ws", Rank::OtherPeer, title, DEFLATE, "node".into(), vec![script("ws.js")]))
}

fn gorilla() -> Result<Server> {
    let program = ours::target().join("gorilla");
    // Debian's package puts the library where Go looks for it only without modules.
    let path = env::var("GOPATH").unwrap_or_else(|_| "/usr/share/gocode".into());
    let mut build = Command::new("go");
    build.env("GO111MODULE", "off").env("GOPATH", path);
    output_of(build.args(["build", "-o"]).arg(&program).arg(script("gorilla.go")))
        .context("it needs Debian's golang-go and golang-github-gorilla-websocket-dev")?;
    let version = output_of(Command::new("go").args(["env", "GOVERSION"]))?;
    let title = format!("gorilla/websocket ({version})");
    Ok(server("gorilla", Rank::OtherPeer, title, DEFLATE, program, vec![]).with_fan_out())
}

fn server(
    name: &'static str,
    rank: Rank,
    title: String,
    wires: &'static [Wire],
    program: PathBuf,
    arguments: Vec<String>,
) -> Server {
    Server { name, title, rank, wires, program, arguments, fan_out: None }
}

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

fn script(name: &str) -> String {
    peers().join(name).display().to_string()
}

/// The version of a dependency that this program was built with. With several, the newest, which is the one we name.
fn locked_version(package: &str) -> Result<&'static str> {
    let lock = include_str!("../../Cargo.lock");
    let entry = format!("name = \"{package}\"\nversion = \"");
    let version = lock.rsplit_once(&entry).and_then(|(_, rest)| rest.split('"').next());
    version.with_context(|| format!("{package} is not in Cargo.lock"))
}

const PLAIN: &[Wire] = &[Wire::Plain];
const TLS: &[Wire] = &[Wire::Plain, Wire::Tls];
const DEFLATE: &[Wire] = &[Wire::Plain, Wire::Deflate];
const TAKEOVER: &[Wire] = &[Wire::Plain, Wire::Deflate, Wire::Takeover];
const BUN: &[Wire] = &[Wire::Plain, Wire::Deflate, Wire::Takeover, Wire::Tls];
const ALL: &[Wire] = &[Wire::Plain, Wire::Deflate, Wire::Takeover, Wire::Http2];
