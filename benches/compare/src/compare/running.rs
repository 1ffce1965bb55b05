use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::fleet::{Rank, Server, output_of};
use crate::{
    measurement::Measurement,
    tls,
    workload::{Wire, Workload},
};

/// A started server; dropping it ends it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    address: SocketAddr,
    is_raw: bool,
}

impl Running {
    /// Starts a server on its core and waits until it accepts connections.
    pub fn start(server: &Server, workload: &Workload) -> Result<Self> {
        let program = server.program_for(workload.work).context("it has no such server")?;
        let wire = workload.wire;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = pinned(SERVER_CORE);
        command.arg(program).args(&server.arguments).env("ADDR", address.to_string());
        if matches!(wire, Wire::Deflate | Wire::Takeover) {
            command.env("COMPRESSION", "1");
        }
        if wire == Wire::Takeover {
            command.env("TAKEOVER", "1");
        }
        if wire != Wire::Http2 {
            // For ours: the other servers that leave HTTP to hyper have HTTP/1.1 only too.
            command.env("HTTP2", "0");
        }
        if workload.name == "idle-request" {
            // For ours too: the others drop the request once it is answered.
            command.env("KEEP_REQUEST", "1");
        }
        if wire == Wire::Tls {
            command.env(tls::FOLDER, tls::certificate()?);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().context("setpriv cannot be run")?;
        let mut running = Self { child, address, is_raw: server.rank == Rank::Floor };
        running.wait_until_ready()?;
        Ok(running)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Puts a load on the server from another core.
    pub fn measure(&self, workload: &Workload, seconds: f64) -> Result<Measurement> {
        let mut load = pinned(CLIENT_CORE);
        load.arg(std::env::current_exe()?).args(["load", "--workload", workload.name]).env("RUST_BACKTRACE", "0");
        load.args(["--address", &self.address.to_string(), "--pid", &self.pid().to_string()]);
        load.args(["--seconds", &seconds.to_string()]);
        if workload.wire == Wire::Tls {
            load.env(tls::FOLDER, std::env::current_exe()?.with_file_name("tls"));
        }
        if self.is_raw {
            load.arg("--raw");
        }
        Ok(serde_json::from_str(&output_of(&mut load)?)?)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended at once: {status}");
            }
            if Instant::now() > deadline {
                bail!("the server does not accept connections");
            }
            sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only where the server has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that runs on one core only, and that the kernel ends with us, however we end.
fn pinned(core: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "taskset", "--cpu-list", core]);
    command
}

const SERVER_CORE: &str = "0";
const CLIENT_CORE: &str = "1";
