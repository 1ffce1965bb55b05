//! What is counted for the whole process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tower_websocket::testing::{TestClient, pair};
use tower_websocket::{Budget, CloseCode, Hub, Keepalive, Limits, Manager, Overflow, Upgrader, WebSocketLayer};

use crate::support::{binary, echo, millis, open, quiet, secs};

/// The recorder of this thread, which is the test's.
fn recorder() -> (&'static PrometheusRecorder, PrometheusHandle) {
    let recorder: &'static _ =
        Box::leak(Box::new(PrometheusBuilder::new().with_recommended_naming(true).build_recorder()));
    (recorder, recorder.handle())
}

/// The value of the series with this name and all of these labels.
#[track_caller]
fn value(handle: &PrometheusHandle, name: &str, labels: &[&str]) -> f64 {
    let text = handle.render();
    let is_it = |line: &&str| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
            && labels.iter().all(|label| line.contains(label))
    };
    let line = text.lines().find(is_it).unwrap_or_else(|| panic!("no {name} with {labels:?}: {text}"));
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

const SERVER: &str = "websocket_role=\"server\"";
const CLIENT: &str = "websocket_role=\"client\"";
const RECEIVE: &str = "network_io_direction=\"receive\"";
const TRANSMIT: &str = "network_io_direction=\"transmit\"";

#[tokio::test(start_paused = true)]
async fn connections_are_counted_from_their_opening_to_their_end() {
    let (recorder, handle) = recorder();
    let _guard = metrics::set_default_local_recorder(recorder);
    let client = TestClient::new(WebSocketLayer::new(echo).upgrader(quiet()).into_service());
    let first = client.connect("/").await.unwrap();
    let second = client.connect("/").await.unwrap();
    tokio::time::sleep(millis(1)).await;
    for role in [SERVER, CLIENT] {
        assert_eq!(value(&handle, "websocket_active_connections", &[role]), 2.0);
        assert_eq!(value(&handle, "websocket_opened_connections_total", &[role]), 2.0);
    }
    first.close_with(CloseCode::new(4321).unwrap(), "").await.unwrap();
    second.close_with(CloseCode::GOING_AWAY, "").await.unwrap();
    drop((first, second));
    tokio::time::sleep(secs(1)).await;
    for role in [SERVER, CLIENT] {
        assert_eq!(value(&handle, "websocket_active_connections", &[role]), 0.0);
        for code in ["4xxx", "1001"] {
            let label = format!("websocket_close_code=\"{code}\"");
            assert_eq!(value(&handle, "websocket_closed_connections_total", &[role, &label]), 1.0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_fails_is_counted_by_its_error() {
    let (recorder, handle) = recorder();
    let _guard = metrics::set_default_local_recorder(recorder);
    let (ws, peer) = open(Upgrader::new()).await;
    ws.done().await.unwrap_err();
    drop((ws, peer));
    tokio::time::sleep(secs(60)).await;
    let label = "error_type=\"keepalive_timeout\"";
    assert_eq!(value(&handle, "websocket_closed_connections_total", &[SERVER, label]), 1.0);
    assert_eq!(value(&handle, "websocket_active_connections", &[SERVER]), 0.0);
}

#[tokio::test(start_paused = true)]
async fn refused_handshakes_are_counted_by_their_reason() {
    let (recorder, handle) = recorder();
    let _guard = metrics::set_default_local_recorder(recorder);
    let layer = WebSocketLayer::new(|_: Manager| async {}).upgrader(quiet().max_connections_per_key(0, |_| Some(())));
    let client = TestClient::new(layer.into_service());
    for refused in 1..4 {
        client.connect("/").await.unwrap_err();
        let label = "error_type=\"too_many_connections_per_key\"";
        assert_eq!(value(&handle, "websocket_rejected_connections_total", &[label]), f64::from(refused));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_connection_carries_is_counted_while_it_lives() {
    let (recorder, handle) = recorder();
    let _guard = metrics::set_default_local_recorder(recorder);
    let keepalive = Keepalive::default();
    let client =
        TestClient::new(WebSocketLayer::new(echo).upgrader(Upgrader::new().keepalive(keepalive)).into_service());
    let ws = client.connect("/").await.unwrap();
    for _ in 0..10 {
        ws.send("x".repeat(1000)).await.unwrap();
        ws.recv().await.unwrap();
    }
    // Past the next ping.
    tokio::time::sleep(secs(4)).await;
    for direction in [RECEIVE, TRANSMIT] {
        assert_eq!(value(&handle, "websocket_messages_total", &[SERVER, direction]), 10.0);
        assert_eq!(value(&handle, "websocket_payload_io_bytes_total", &[SERVER, direction]), 10_000.0);
        let wire = value(&handle, "websocket_network_io_bytes_total", &[SERVER, direction]);
        assert!(wire > 50.0 && wire < 5000.0, "compressed: {wire}");
        assert_eq!(value(&handle, "websocket_queue_size_bytes", &[SERVER, direction]), 0.0);
    }
    ws.send("last").await.unwrap();
    ws.recv().await.unwrap();
    ws.close().await.unwrap();
    tokio::time::sleep(millis(100)).await;
    assert_eq!(value(&handle, "websocket_messages_total", &[SERVER, RECEIVE]), 11.0);
    assert!(value(&handle, "websocket_round_trip_duration_seconds_count", &[SERVER]) >= 1.0);
    assert_eq!(value(&handle, "websocket_handler_duration_seconds_count", &[]), 1.0);
    assert!(value(&handle, "websocket_handler_duration_seconds_sum", &[]) >= 4.0);
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_counted_and_no_more_once_the_connection_has_ended() {
    let (recorder, handle) = recorder();
    let _guard = metrics::set_default_local_recorder(recorder);
    let (ws, mut peer) = open(quiet()).await;
    for _ in 0..3 {
        peer.send(binary(vec![0; 10_000])).await;
    }
    // The peer reads nothing, and its transport holds less.
    ws.send(vec![0; 200_000]).await.unwrap();
    tokio::time::sleep(secs(2)).await;
    peer.send(binary(vec![0; 10_000])).await;
    tokio::time::sleep(millis(10)).await;
    assert_eq!(value(&handle, "websocket_queue_size_bytes", &[SERVER, RECEIVE]), 40_000.0);
    let unwritten = value(&handle, "websocket_queue_size_bytes", &[SERVER, TRANSMIT]);
    assert!(unwritten > 50_000.0 && unwritten < 200_100.0, "{unwritten}");
    drop(peer);
    tokio::time::sleep(secs(1)).await;
    for direction in [RECEIVE, TRANSMIT] {
        assert_eq!(value(&handle, "websocket_queue_size_bytes", &[SERVER, direction]), 0.0);
    }
    drop(ws);
}

#[tokio::test(start_paused = true)]
async fn topics_are_counted_with_what_waits_for_slow_members() {
    let (recorder, handle) = recorder();
    let _guard = metrics::set_default_local_recorder(recorder);
    let topic = Hub::new().topic("counted").capacity(3);
    let (quick, quick_member) = pair(quiet());
    let (slow, mut peer) = open(quiet()).await;
    let seats =
        [topic.join(&quick_member, Overflow::Close), topic.join(&slow, Overflow::DropOldest)].map(Result::unwrap);
    assert_eq!(value(&handle, "websocket_hub_members", &[]), 2.0);
    // The peer reads nothing of what is larger than all buffers.
    for _ in 0..10 {
        topic.publish(vec![0; 200_000]).unwrap();
        quick.recv().await.unwrap();
    }
    // At the next message it is counted.
    tokio::time::sleep(secs(2)).await;
    peer.send(binary(vec![0])).await;
    tokio::time::sleep(millis(10)).await;
    assert_eq!(value(&handle, "websocket_hub_publications_total", &[]), 10.0);
    assert_eq!(value(&handle, "websocket_hub_deliveries_total", &[]), 20.0);
    let drops = value(&handle, "websocket_hub_drops_total", &[]);
    assert!((1.0..7.0).contains(&drops), "{drops}");
    assert_eq!(drops, topic.stats().dropped as f64);
    assert_eq!(value(&handle, "websocket_hub_queue_length", &[]), 3.0);
    drop(peer);
    tokio::time::sleep(secs(1)).await;
    assert_eq!(value(&handle, "websocket_hub_queue_length", &[]), 0.0);
    assert_eq!(value(&handle, "websocket_hub_members", &[]), 1.0);
    drop(seats);
    assert_eq!(value(&handle, "websocket_hub_members", &[]), 0.0);
}

#[tokio::test(start_paused = true)]
async fn the_budget_of_the_process_is_counted_and_no_other() {
    let (recorder, handle) = recorder();
    let _guard = metrics::set_default_local_recorder(recorder);
    let limits = Limits::default().budget(Budget::new(1_000_000));
    for (upgrader, used) in [(quiet(), 300_000.0), (quiet().limits(limits), 0.0)] {
        let (client, server) = pair(upgrader.without_compression());
        client.send(vec![0; 300_000]).await.unwrap();
        tokio::time::sleep(secs(1)).await;
        // Unread.
        assert_eq!(value(&handle, "websocket_budget_usage_bytes", &[]), used);
        assert_eq!(server.recv().await.unwrap().unwrap().len(), 300_000);
        assert_eq!(value(&handle, "websocket_budget_usage_bytes", &[]), 0.0);
    }
}

/// One metric: what it is, its unit, and its labels.
type Metrics = BTreeMap<String, (&'static str, Unit, BTreeSet<String>)>;

/// A recorder that writes down which metrics there are.
#[derive(Default)]
struct Registry {
    described: Mutex<BTreeMap<String, (&'static str, Unit)>>,
    registered: Mutex<BTreeMap<String, (&'static str, BTreeSet<String>)>>,
}

impl Registry {
    fn describe(&self, key: &KeyName, kind: &'static str, unit: Option<Unit>) {
        let described = (kind, unit.expect("each has a unit"));
        let before = self.described.lock().unwrap().insert(key.as_str().to_owned(), described);
        assert!(before.is_none_or(|before| before == described), "{key:?} is two things");
    }

    fn register(&self, key: &Key, kind: &'static str) {
        let mut registered = self.registered.lock().unwrap();
        let (known, labels) = registered.entry(key.name().to_owned()).or_insert((kind, BTreeSet::new()));
        assert_eq!(*known, kind, "{key}");
        labels.extend(key.labels().map(|label| label.key().to_owned()));
    }

    fn metrics(&self) -> Metrics {
        let described = self.described.lock().unwrap();
        let metric = |(name, (kind, labels)): (&String, &(&'static str, BTreeSet<String>))| {
            let (described, unit) = described[name];
            assert_eq!(described, *kind, "{name}");
            (name.clone(), (*kind, unit, labels.clone()))
        };
        let metrics: Metrics = self.registered.lock().unwrap().iter().map(metric).collect();
        assert!(metrics.keys().eq(described.keys()), "all that are described are registered");
        metrics
    }
}

impl Recorder for Registry {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&key, "counter", unit);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&key, "gauge", unit);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&key, "histogram", unit);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.register(key, "counter");
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.register(key, "gauge");
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.register(key, "histogram");
        Histogram::noop()
    }
}

/// The table in the documentation: each metric, and its name in Prometheus.
fn documented() -> (Metrics, BTreeSet<String>) {
    let code = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let (mut metrics, mut prometheus) = (Metrics::new(), BTreeSet::new());
    for line in include_str!("../../src/metrics/mod.rs").lines().filter(|line| line.starts_with("//! | `websocket.")) {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        // The other table is of labels.
        let [_, name, other_name, kind, labels, _, _] = cells[..] else { continue };
        let (kind, unit) = kind.split_once(", ").unwrap_or((kind, ""));
        let kind = ["counter", "gauge", "histogram"].into_iter().find(|known| *known == kind).unwrap();
        let unit = match unit {
            "bytes" => Unit::Bytes,
            "seconds" => Unit::Seconds,
            _ => Unit::Count,
        };
        let name = code(name).remove(0);
        assert!(metrics.insert(name, (kind, unit, code(labels).into_iter().collect())).is_none(), "{line}");
        prometheus.extend(code(other_name));
    }
    (metrics, prometheus)
}

/// Does something of each metric.
async fn everything() {
    let upgrader = Upgrader::new().max_connections_per_key(2, |_| Some(()));
    let client = TestClient::new(WebSocketLayer::new(echo).upgrader(upgrader).into_service());
    let first = client.connect("/").await.unwrap();
    let _second = client.connect("/").await.unwrap();
    client.connect("/").await.unwrap_err();
    first.send("text").await.unwrap();
    first.recv().await.unwrap();
    let (ws, peer) = open(Upgrader::new()).await;
    ws.done().await.unwrap_err();
    first.close().await.unwrap();
    drop((ws, peer));
    let topic = Hub::new().topic("news");
    let (_near, far) = pair(quiet());
    let _seat = topic.join(&far, Overflow::Close).unwrap();
    topic.publish("one").unwrap();
    tokio::time::sleep(secs(60)).await;
}

#[tokio::test(start_paused = true)]
async fn all_metrics_are_documented_with_their_units_and_labels() {
    let registry = Registry::default();
    let guard = metrics::set_default_local_recorder(&registry);
    everything().await;
    drop(guard);
    assert_eq!(registry.metrics(), documented().0);
}

#[tokio::test(start_paused = true)]
async fn all_metrics_are_called_as_documented_in_prometheus() {
    let (recorder, handle) = recorder();
    let _guard = metrics::set_default_local_recorder(recorder);
    everything().await;
    let text = handle.render();
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    assert_eq!(names.map(str::to_owned).collect::<BTreeSet<_>>(), documented().1);
}
