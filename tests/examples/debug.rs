//! What the environment makes visible of handshakes that are refused.

use std::io::{self, Read};

use http::StatusCode;

use crate::client::handshake_from;
use crate::process::{Example, command};

#[tokio::test]
async fn the_environment_makes_refused_handshakes_visible() {
    for (value, visible) in [("1", true), ("0", false)] {
        let (mut said, stderr) = io::pipe().expect("a pipe");
        let mut command = command("hyper", "127.0.0.1:0");
        command.env_remove("DEBUG").env("WEBSOCKET_DEBUG", value).stderr(stderr);
        let example = Example::run("hyper", command).await;
        let host = example.address().to_owned();
        let response = handshake_from("https://evil.example", &host, "/ws").await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        drop(example);
        let mut lines = String::new();
        said.read_to_string(&mut lines).expect("what it said is readable");
        let refused: Vec<_> = lines.lines().filter(|line| line.contains("handshake refused")).collect();
        assert_eq!(refused.len(), usize::from(visible), "{lines}");
        for line in refused {
            let host = format!("host=\"{host}\"");
            for part in
                ["WARN", "status=403", "origin=\"https://evil.example\"", &host, "policy=same_host", "peer=127.0.0.1:"]
            {
                assert!(line.contains(part), "{part}: {line}");
            }
        }
    }
}
