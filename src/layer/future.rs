//! The future of a response that has passed the layer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use pin_project_lite::pin_project;

use super::body::ResponseBody;

pin_project! {
    /// The response of the inner service, or the answer to a handshake.
    #[derive(Debug)]
    pub struct ResponseFuture<F, B> {
        #[pin]
        kind: Kind<F, B>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = KindProjection]
    enum Kind<F, B> {
        Inner { #[pin] future: F },
        // Boxed, so that the future of other requests is not larger by this.
        Answer { response: Option<Box<Response<ResponseBody<B>>>> },
    }
}

impl<F, B> ResponseFuture<F, B> {
    pub(crate) fn inner(future: F) -> Self {
        Self { kind: Kind::Inner { future } }
    }

    pub(crate) fn answer(response: Response<ResponseBody<B>>) -> Self {
        Self { kind: Kind::Answer { response: Some(Box::new(response)) } }
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProjection::Inner { future } => future.poll(cx).map_ok(|response| response.map(ResponseBody::inner)),
            KindProjection::Answer { response } => {
                Poll::Ready(Ok(*response.take().expect("a future is not polled after it is ready")))
            }
        }
    }
}
