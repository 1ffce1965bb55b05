//! The response of a server that did not open the WebSocket.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Response;
use hyper::body::Body;
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::error::{Error, ErrorKind};

/// A response other than the one that opens the WebSocket, as an error.
#[derive(Clone, Debug)]
pub(super) struct UnexpectedResponse(Response<Bytes>);

impl UnexpectedResponse {
    /// Reads the beginning of the body, which may explain the refusal.
    pub(super) async fn read(response: Response<Incoming>) -> Self {
        let (parts, mut body) = response.into_parts();
        let mut start = BytesMut::new();
        let reading = async {
            while start.len() < MAX_BODY {
                let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
                let Some(Ok(frame)) = frame else { break };
                if let Some(data) = frame.data_ref() {
                    start.extend_from_slice(&data[..data.len().min(MAX_BODY - start.len())]);
                }
            }
        };
        // On a timeout, what has arrived is used.
        let _ = timeout(BODY_TIME, reading).await;
        Self(Response::from_parts(parts, start.freeze()))
    }
}

impl fmt::Display for UnexpectedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered {}", self.0.status())
    }
}

impl std::error::Error for UnexpectedResponse {}

impl From<UnexpectedResponse> for Error {
    fn from(response: UnexpectedResponse) -> Self {
        Self::with_source(ErrorKind::Handshake, response)
    }
}

impl Error {
    /// The response of a server that refused the opening handshake, such as 401, 403, 429 or a redirect: status, headers,
    /// and the first 4 KiB of the body.
    ///
    /// Only errors of the kind [`ErrorKind::Handshake`] can have one. Redirects are not followed.
    ///
    /// ```
    /// use tower_websocket::{Error, Manager};
    ///
    /// # async fn example() -> Result<(), Error> {
    /// match Manager::connect("ws://localhost:3000/ws").await {
    ///     Ok(ws) => ws.close().await?,
    ///     Err(error) => match error.response() {
    ///         Some(response) => println!("{}: {:?}", response.status(), response.body()),
    ///         None => return Err(error),
    ///     },
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "Http")]
    #[doc(alias = "ErrBadHandshake")]
    #[must_use]
    pub fn response(&self) -> Option<&Response<Bytes>> {
        Some(&std::error::Error::source(self)?.downcast_ref::<UnexpectedResponse>()?.0)
    }
}

/// How many bytes of the body are read.
const MAX_BODY: usize = 4 * 1024;
/// How long reading the body may take.
const BODY_TIME: Duration = Duration::from_secs(1);
