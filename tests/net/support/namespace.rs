//! Networks of a test's own.

use std::env;
use std::process::{Command, Stdio};

use crate::shared::skipped;

/// Runs the test of this name once more for each case, each in a process and a network namespace of its own, at once, and
/// fails where one fails. Inside of such a process, it returns the case.
///
/// Where namespaces cannot be made, it says so.
pub(crate) fn in_namespaces(test: &str, cases: &[&str]) -> Option<String> {
    if let Ok(case) = env::var(VARIABLE) {
        run("ip", "link set lo mtu 1500 up");
        return Some(case);
    }
    let tools = [("ip", "-V"), ("tc", "-V"), ("iptables", "-V")];
    if let Some((missing, _)) = tools.iter().find(|(tool, argument)| !works(Command::new(tool).arg(argument))) {
        skipped(missing, "it is not installed");
        return None;
    }
    if !works(Command::new("unshare").args(["--net", "true"])) {
        skipped("namespaces", "network namespaces cannot be made here");
        return None;
    }
    let start = |case: &&str| {
        let process = Command::new("unshare")
            .arg("--net")
            .arg(env::current_exe().unwrap())
            .args(["--exact", test, "--include-ignored", "--nocapture"])
            .env(VARIABLE, case)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        (case.to_string(), process)
    };
    let mut failed = Vec::new();
    for (case, process) in cases.iter().map(start).collect::<Vec<_>>() {
        let output = process.wait_with_output().unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(text.contains("running 1 test"), "there is no test {test}: {text}");
        if !output.status.success() {
            failed.push(format!("{case}: {text}"));
        }
    }
    assert!(failed.is_empty(), "failed:\n{}", failed.join("\n"));
    None
}

/// Lets this many bits per second through, such as `800kbit`.
pub(crate) fn shape(rate: &str) {
    run("tc", &format!("qdisc add dev lo root tbf rate {rate} burst 4kb latency 400ms"));
}

/// From here on no packet arrives.
pub(crate) fn drop_packets() {
    run("iptables", "-I INPUT -j DROP");
}

/// From here on every packet of TCP is answered by a reset, which arrives.
pub(crate) fn reset_connections() {
    run("iptables", "-I INPUT -p tcp ! --tcp-flags RST RST -j REJECT --reject-with tcp-reset");
}

/// From here on one packet in twenty is lost.
pub(crate) fn lose_packets() {
    run("iptables", "-I INPUT -m statistic --mode random --probability 0.05 -j DROP");
}

/// From here on all packets arrive.
pub(crate) fn heal() {
    run("iptables", "-F INPUT");
}

fn run(tool: &str, arguments: &str) {
    assert!(env::var(VARIABLE).is_ok(), "the network is not the test's own");
    let status = Command::new(tool).args(arguments.split(' ')).status().unwrap();
    assert!(status.success(), "{tool} {arguments}");
}

fn works(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Set inside of a namespace.
const VARIABLE: &str = "TOWER_WEBSOCKET_NAMESPACE";
