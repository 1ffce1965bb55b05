//! What is sent to `/pub` goes to everybody at `/sub`: one topic, for load tools.
//!
//! | variable | default | meaning |
//! | --- | --- | --- |
//! | `ADDR` | `127.0.0.1:9001` | where to listen |
//! | `HOSTS` | `localhost,127.0.0.1,[::1]` | the hosts that a request may name, or `*` for all; other names may be those of pages (DNS rebinding) |
//! | `COMPRESSION` | `1` | `0`: without permessage-deflate |
//! | `HTTP2` | `1` | `0`: HTTP/1.1 only |
//! | `OVERFLOW` | `close` | a member that is slow: `close`, `drop` the oldest, or keep the `latest` |

#[path = "server/mod.rs"]
mod server;

use std::env;
use std::error::Error as StdError;

use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_websocket::{Error, Hub, Manager, OriginPolicy, Overflow, Upgrader, WebSocketLayer};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn StdError + Send + Sync>> {
    let listener = TcpListener::bind(env::var("ADDR").as_deref().unwrap_or("127.0.0.1:9001")).await?;
    println!("listening on ws://{}/sub", listener.local_addr()?);

    let hub = Hub::new();
    let overflow = match env::var("OVERFLOW").as_deref() {
        Ok("drop") => Overflow::DropOldest,
        Ok("latest") => Overflow::KeepLatest,
        _ => Overflow::Close,
    };
    let topic = hub.topic("all");
    let subscribe = WebSocketLayer::new(move |ws: Manager| {
        let topic = topic.clone();
        async move {
            // Thousands of members are lighter without their requests.
            ws.drop_request();
            let _seat = topic.join(&ws, overflow)?;
            ws.ignore_incoming().await.map(drop)
        }
    });
    let topic = hub.topic("all");
    let publish = WebSocketLayer::new(move |ws: Manager| {
        let topic = topic.clone();
        async move {
            while let Some(message) = ws.recv().await? {
                topic.publish(message)?;
            }
            Ok::<_, Error>(())
        }
    });
    let service = ServiceBuilder::new()
        .layer(subscribe.path("/sub").upgrader(settings()?))
        .service(publish.path("/pub").upgrader(settings()?).into_service());
    if is("HTTP2", "0") {
        server::serve_http1(listener, service).await;
    } else {
        server::serve(listener, server::http(), service).await;
    }
    Ok(())
}

fn settings() -> Result<Upgrader, Error> {
    // Load tools send whatever `Origin` they like. A server with pages keeps the default.
    let mut origin = OriginPolicy::insecure_any();
    let hosts = env::var("HOSTS").unwrap_or_else(|_| "localhost,127.0.0.1,[::1]".to_owned());
    if hosts != "*" {
        origin = origin.allowed_hosts(hosts.split(','))?;
    }
    let upgrader = Upgrader::new().origin(origin);
    Ok(if is("COMPRESSION", "0") { upgrader.without_compression() } else { upgrader })
}

fn is(name: &str, expected: &str) -> bool {
    env::var(name).is_ok_and(|value| value == expected)
}
