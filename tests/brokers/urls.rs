//! Where brokers are.

use tower_websocket::{Broker, Error, ErrorKind, Hub, Nats, Redis};

use crate::broker::{Broker as Running, Kind};
use crate::member::{Member, topic};
use crate::port::refusing;

fn kind<B: Broker>(connected: Result<B, Error>) -> Option<ErrorKind> {
    connected.err().map(|error| error.kind())
}

#[tokio::test]
async fn what_is_no_url_is_an_invalid_setting() {
    for url in ["", "http://127.0.0.1/", "127.0.0.1:x", "redis://127.0.0.1:99999/"] {
        assert_eq!(kind(Redis::connect(url).await), Some(ErrorKind::InvalidSetting), "{url}");
    }
    for url in ["", "http://127.0.0.1/", "nats://127.0.0.1:x", "nats://127.0.0.1,", "nats://127.0.0.1,http://h"] {
        assert_eq!(kind(Nats::connect(url).await), Some(ErrorKind::InvalidSetting), "{url}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_another_error() {
    let (_socket, address) = refusing();
    assert_eq!(kind(Redis::connect(format!("redis://{address}/")).await), Some(ErrorKind::Connect));
    assert_eq!(kind(Nats::connect(format!("nats://{address}")).await), Some(ErrorKind::Connect));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_servers_of_nats_one_is_enough() {
    let Some(broker) = Running::start(Kind::Nats).await else { return };
    // It listens, but may not have its streams yet.
    drop(broker.hub().await);
    for away_first in [true, false] {
        let (_socket, away) = refusing();
        let (away, here) = (format!("nats://{away}"), format!("nats://127.0.0.1:{}", broker.port()));
        let urls = if away_first { format!("{away}, {here}") } else { format!("{here},{away}") };
        let nats = Nats::connect(urls).await.unwrap().prefix("several");
        assert_eq!(nats.get_prefix(), "several");
        let topic = topic(&Hub::with(nats));
        let mut member = Member::join(&topic).await;
        topic.publish("hello").unwrap();
        assert_eq!(member.recv().await.1, "hello");
    }
}
