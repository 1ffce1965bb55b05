use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use super::running::Running;

/// `strace` on a server, until the server ends.
#[derive(Debug)]
pub struct Trace {
    strace: Child,
    report: PathBuf,
}

/// System calls by purpose.
#[derive(Debug, Default)]
pub struct Calls {
    pub reads: u64,
    pub writes: u64,
    pub waits: u64,
    pub others: u64,
}

impl Trace {
    pub fn attach(server: &Running) -> Result<Self> {
        let report = super::ours::target().join(format!("strace-{}", server.pid()));
        let strace = Command::new("strace")
            .args(["-c", "-f", "-p", &server.pid().to_string(), "-o"])
            .arg(&report)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("strace is not installed")?;
        let mut trace = Self { strace, report };
        while !is_traced(server.pid())? {
            if let Some(status) = trace.strace.try_wait()? {
                bail!("strace could not attach to the server: {status}");
            }
            sleep(Duration::from_millis(10));
        }
        Ok(trace)
    }

    /// Counts the calls of the server, which has ended.
    pub fn finish(mut self) -> Result<Calls> {
        self.strace.wait()?;
        let report = fs::read_to_string(&self.report)?;
        fs::remove_file(&self.report)?;
        let mut calls = Calls::default();
        for line in report.lines() {
            let fields: Vec<_> = line.split_whitespace().collect();
            // "% time, seconds, usecs/call, calls, [errors], syscall": the rules between and the total are no calls.
            let (Some(Ok(count)), Some(&name)) = (fields.get(3).map(|calls| calls.parse::<u64>()), fields.last())
            else {
                continue;
            };
            match name {
                "total" => {}
                "read" | "readv" | "recvfrom" | "recvmsg" => calls.reads += count,
                "write" | "writev" | "sendto" | "sendmsg" => calls.writes += count,
                "epoll_wait" | "epoll_pwait" | "epoll_pwait2" => calls.waits += count,
                _ => calls.others += count,
            }
        }
        Ok(calls)
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // After `finish` it has ended already.
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}

fn is_traced(pid: u32) -> Result<bool> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    Ok(status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0")))
}
