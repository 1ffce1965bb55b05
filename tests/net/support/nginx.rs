//! nginx as a proxy, where it is installed.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::shared::skipped;

/// A running nginx. It ends with this.
pub(crate) struct Nginx {
    process: Child,
    directory: PathBuf,
    pub(crate) address: SocketAddr,
}

impl Nginx {
    /// Starts a proxy before this server, or says that there is no nginx.
    pub(crate) fn start(server: SocketAddr) -> Option<Self> {
        let directory = std::env::temp_dir().join(format!("tower-websocket-nginx-{:016x}", rand::random::<u64>()));
        std::fs::create_dir(&directory).unwrap();
        // nginx gets the socket itself, as its standard input: the port is never free for anybody else.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {kind};\n"))
            .concat();
        let configuration = format!(
            "user root; worker_processes 1; daemon off; pid nginx.pid; error_log stderr;
             events {{}}
             http {{
                 access_log off;
                 {temporary}
                 server {{
                     listen {address};
                     location / {{
                         proxy_pass http://{server};
                         proxy_http_version 1.1;
                         proxy_set_header Host $host;
                         proxy_set_header Upgrade $http_upgrade;
                         proxy_set_header Connection upgrade;
                     }}
                 }}
             }}"
        );
        std::fs::write(directory.join("nginx.conf"), configuration).unwrap();
        let started = Command::new("nginx")
            .args(["-c", "nginx.conf", "-e", "stderr", "-p"])
            .arg(format!("{}/", directory.display()))
            .env("NGINX", "0;")
            .stdin(OwnedFd::from(listener))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(process) = started else {
            skipped("nginx", "it is not installed");
            let _ = std::fs::remove_dir_all(directory);
            return None;
        };
        Some(Self { process, directory, address })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master ends its worker too, which it cannot when it is killed.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
