//! A server that does with each connection what the test says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower_websocket::{CloseFrame, Error, Manager, Upgrader};

/// What happens to one connection.
#[derive(Clone)]
pub(crate) enum Act {
    /// It is accepted and closed at once.
    Close(CloseFrame),
    /// It is accepted and echoes.
    Echo,
    /// It is accepted, and its transport is dropped at the next [`Server::kill`].
    Kill,
    /// It is refused with this status, and perhaps a `Retry-After`.
    Refuse(u16, Option<&'static str>),
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// When each connection was asked for.
    pub(crate) arrivals: Arc<Mutex<Vec<Instant>>>,
    kill: watch::Sender<()>,
}

impl Server {
    /// A server for `act`, which gets the number of the connection.
    pub(crate) async fn start(act: impl Fn(usize) -> Act + Send + Sync + 'static) -> Self {
        Self::start_with(None, act).await
    }

    pub(crate) async fn start_with(
        tls: Option<TlsAcceptor>,
        act: impl Fn(usize) -> Act + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let arrivals = Arc::new(Mutex::new(Vec::new()));
        let (kill, killed) = watch::channel(());
        let (asked, act) = (arrivals.clone(), Arc::new(act));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let (tls, asked, act, killed) = (tls.clone(), asked.clone(), act.clone(), killed.clone());
                let answer = move |request| {
                    let number = {
                        let mut asked = asked.lock().unwrap();
                        asked.push(Instant::now());
                        asked.len() - 1
                    };
                    answer(act(number), request, killed.clone())
                };
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, answer).await;
                            }
                        }
                        None => serve(stream, answer).await,
                    }
                });
            }
        });
        Self { address, arrivals, kill }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }

    /// Drops the transports of all that wait for it.
    pub(crate) fn kill(&self) {
        self.kill.send_replace(());
    }

    pub(crate) fn arrivals(&self) -> Vec<Instant> {
        self.arrivals.lock().unwrap().clone()
    }
}

async fn serve<Io>(stream: Io, answer: impl Fn(Request<hyper::body::Incoming>) -> Response<Full<Bytes>>)
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request| {
        let response = answer(request);
        async { Ok::<_, std::convert::Infallible>(response) }
    });
    // A client that goes away is the business of the test.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}

fn answer(
    act: Act,
    mut request: Request<hyper::body::Incoming>,
    mut killed: watch::Receiver<()>,
) -> Response<Full<Bytes>> {
    if let Act::Refuse(status, retry_after) = act {
        let response = Response::builder().status(status);
        let response = retry_after.into_iter().fold(response, |response, after| response.header("retry-after", after));
        return response.body(Full::default()).unwrap();
    }
    let (response, upgrade) = Upgrader::new().upgrade(&mut request).unwrap();
    let run = upgrade.run(move |ws: Manager| async move {
        if let Act::Close(frame) = act {
            return Ok(frame);
        }
        while let Some(message) = ws.recv().await? {
            ws.send(message).await?;
        }
        Err::<CloseFrame, _>(Error::from(CloseFrame::without_code()))
    });
    killed.mark_unchanged();
    tokio::spawn(async move {
        tokio::select! {
            () = run => {}
            _ = killed.changed() => {}
        }
    });
    response
}
