//! A server's no.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Response;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::error::{Error, ErrorKind};

/// The response of a server that refused the opening handshake, such as 401, 403, 429 or a redirect.
///
/// It is the source of the error that [`Manager::connect`](crate::Manager::connect) returns. Redirects are not followed.
///
/// ```
/// use tower_websocket::{Error, Manager};
///
/// # async fn example() -> Result<(), Error> {
/// match Manager::connect("ws://localhost:3000/ws").await {
///     Ok(ws) => ws.close().await?,
///     Err(error) => match error.refusal() {
///         Some(refusal) => println!("{}: {:?}", refusal.response().status(), refusal.response().body()),
///         None => return Err(error),
///     },
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Refusal(Response<Bytes>);

impl Refusal {
    /// Status, headers, and the first 4 KiB of the body.
    #[must_use]
    pub fn response(&self) -> &Response<Bytes> {
        &self.0
    }

    /// Reads as much of the body as explains the refusal.
    pub(super) async fn read(response: Response<Incoming>) -> Self {
        let (parts, mut body) = response.into_parts();
        let mut start = BytesMut::new();
        let reading = async {
            while start.len() < MAX_BODY {
                let Some(Ok(frame)) = body.frame().await else { break };
                if let Some(data) = frame.data_ref() {
                    start.extend_from_slice(&data[..data.len().min(MAX_BODY - start.len())]);
                }
            }
        };
        // What has arrived by then must do.
        let _ = timeout(BODY_TIME, reading).await;
        Self(Response::from_parts(parts, start.freeze()))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered {}", self.0.status())
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::with_source(ErrorKind::Handshake, refusal)
    }
}

impl Error {
    /// The response of the server that refused the handshake, behind an error of the kind [`ErrorKind::Handshake`].
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        std::error::Error::source(self)?.downcast_ref()
    }
}

const MAX_BODY: usize = 4 * 1024;
const BODY_TIME: Duration = Duration::from_secs(1);
