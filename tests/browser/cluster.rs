//! `cluster`: a page at each of two servers, and a server that goes away.

use crate::PATIENCE;
use crate::driver::{Browser, Page};
use crate::port::Port;
use crate::process::{Example, command};
use crate::program::Program;

async fn says(page: &mut Page, text: &str) {
    let script = format!("void (document.forms[0].text.value = '{text}', document.forms[0].requestSubmit())");
    page.evaluate(&script).await;
}

async fn shows(page: &mut Page, text: &str) {
    page.wait_for(&format!("document.body.innerText.includes('{text}')"), PATIENCE).await;
}

#[tokio::test]
async fn pages_of_two_servers_talk_and_go_on_when_one_server_goes() {
    let Some(browser) = Browser::launch().await else { return };
    let arguments = ["--bind", "127.0.0.1", "--save", "", "--port", "PORT"];
    let Some(redis) = Program::start("redis-server", &arguments, &[]).await else { return };
    let reserved = [Port::reserve(), Port::reserve()];
    let ports = reserved.each_ref().map(|port| port.number);
    let mut servers = Vec::new();
    let mut pages = Vec::new();
    for (port, other, name) in [(ports[0], ports[1], "anna"), (ports[1], ports[0], "bert")] {
        let mut command = command("cluster", &format!("127.0.0.1:{port}"));
        command.env("BROKER", format!("redis://127.0.0.1:{}/", redis.port));
        servers.push(Example::run("cluster", command).await);
        let mut page = browser.page(&format!("http://127.0.0.1:{port}/?name={name}&other={other}")).await;
        shows(&mut page, &format!("connected to 127.0.0.1:{port}")).await;
        pages.push(page);
    }
    for page in &mut pages {
        shows(page, "here: anna, bert").await;
    }
    says(&mut pages[0], "hello from one").await;
    for page in &mut pages {
        shows(page, "anna: hello from one").await;
    }

    // One server ends. Its page goes to the other one, and has missed nothing.
    drop(servers.remove(0));
    says(&mut pages[1], "are you there?").await;
    shows(&mut pages[0], &format!("connected to 127.0.0.1:{}", ports[1])).await;
    shows(&mut pages[0], "bert: are you there?").await;
    says(&mut pages[0], "I am").await;
    for page in &mut pages {
        shows(page, "anna: I am").await;
    }
    // Each line once, and no gap.
    for page in &mut pages {
        let lines = page
            .evaluate("document.getElementById('log').textContent.split('\\n').filter((line) => line.includes(': '))")
            .await;
        let lines: Vec<_> = lines.as_array().unwrap().iter().filter_map(|line| line.as_str()).collect();
        let said: Vec<_> = lines.into_iter().filter(|line| !line.starts_with("closed")).collect();
        assert_eq!(said, ["anna: hello from one", "bert: are you there?", "anna: I am"]);
        let text = page.evaluate("document.body.innerText").await.to_string();
        assert!(!text.contains("lost"), "{text}");
    }
}
