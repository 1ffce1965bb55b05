//! What the connections do in numbers: `GET /metrics`, as Prometheus reads it.

use std::error::Error as StdError;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};

/// Records from here on, and serves what was recorded. Without the feature `metrics` that is nothing.
pub(crate) fn metrics() -> Result<Router, Box<dyn StdError>> {
    let recorder = PrometheusBuilder::new()
        .with_recommended_naming(true)
        .set_buckets_for_metric(Matcher::Full("websocket.round_trip.duration".to_owned()), ROUND_TRIPS)?
        .set_buckets_for_metric(Matcher::Full("websocket.handler.duration".to_owned()), HANDLERS)?
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)?;
    let upkeep = handle.clone();
    tokio::spawn(async move {
        // What nobody asks for would pile up.
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    });
    let text = move || async move { ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], handle.render()) };
    Ok(Router::new().route("/metrics", get(text)))
}

/// In seconds.
const ROUND_TRIPS: &[f64] =
    &[0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
const HANDLERS: &[f64] = &[0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 6.0 * 3600.0, 24.0 * 3600.0];
const UPKEEP: Duration = Duration::from_secs(5);
