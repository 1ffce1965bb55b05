//! Plain requests: what the layer costs those that are none of its business.

mod support;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput};
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_websocket::WebSocketLayer;

use support::Client;

fn main() {
    let mut criterion = support::criterion();
    call(&mut criterion);
    serve(&mut criterion);
    criterion.final_summary();
}

fn page<B>(_: Request<B>) -> Ready<Result<Response<Full<Bytes>>, Infallible>> {
    ready(Ok(Response::new(Full::from("hello"))))
}

fn call(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a plain request, the service alone");
    group.throughput(Throughput::Elements(1));
    let mut layered = WebSocketLayer::new(support::echo).path("/ws").layer(service_fn(page::<()>));
    group.bench_function("with the layer", |bencher| {
        bencher.iter_batched(request, |request| black_box(layered.call(request).now_or_never()), BatchSize::SmallInput);
    });
    let mut bare = service_fn(page::<()>);
    group.bench_function("without it", |bencher| {
        bencher.iter_batched(request, |request| black_box(bare.call(request).now_or_never()), BatchSize::SmallInput);
    });
    group.finish();
}

fn serve(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a plain request through hyper");
    group.throughput(Throughput::Elements(1));
    let layered = WebSocketLayer::new(support::echo).path("/ws").layer(service_fn(page));
    for (name, is_layered) in [("with the layer", true), ("without it", false)] {
        let runtime = support::runtime();
        let mut client = runtime.block_on(async {
            let (near, far) = support::memory();
            if is_layered {
                support::serve(far, layered.clone())
            } else {
                support::serve(far, service_fn(page))
            }
            Client::new(near)
        });
        support::measure(&mut group, name, &runtime, async || client.ask(REQUEST, "hello".len()).await);
    }
    group.finish();
}

fn request() -> Request<()> {
    Request::get("/index.html")
        .header("host", "localhost")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0")
        .header("accept", "text/html,application/xhtml+xml")
        .header("connection", "keep-alive")
        .body(())
        .expect("the request is valid")
}

const REQUEST: &[u8] = b"GET /index.html HTTP/1.1\r\nHost: localhost\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0\r\n\
    Accept: text/html,application/xhtml+xml\r\nConnection: keep-alive\r\n\r\n";
