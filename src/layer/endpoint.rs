//! One endpoint, where the stages are joined: which handshakes it takes, and how it answers them.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, Uri};
use tokio::sync::Semaphore;

use super::body::ResponseBody;
use crate::handler::HandlerOutput;
use crate::handshake::{Head, Protocol, Rejection, RejectionKind};
use crate::manager::Manager;
use crate::shutdown::Shutdown;
use crate::upgrade::PendingTransport;
use crate::upgrade::Upgrader;

/// What a layer and its services share.
pub(crate) struct Endpoint<H> {
    pub(crate) handler: Arc<H>,
    pub(crate) matcher: Matcher,
    pub(crate) upgrader: Upgrader,
    pub(crate) connections: Option<Arc<Semaphore>>,
    pub(crate) shutdown: Option<Shutdown>,
    pub(crate) on_rejection: Option<Arc<OnRejection>>,
}

/// What may replace the response to a refused handshake.
pub(crate) type OnRejection = dyn Fn(&Rejection, Response<Bytes>) -> Response<Bytes> + Send + Sync;

/// Which handshakes a layer takes.
#[derive(Clone)]
pub(crate) enum Matcher {
    All,
    Path(Arc<str>),
    Predicate(Arc<dyn Fn(&Uri) -> bool + Send + Sync>),
}

impl Matcher {
    pub(crate) fn matches(&self, uri: &Uri) -> bool {
        match self {
            Self::All => true,
            Self::Path(path) => uri.path() == &**path,
            Self::Predicate(predicate) => predicate(uri),
        }
    }
}

impl<H, F> Endpoint<H>
where
    H: Fn(Manager) -> F + Send + Sync + 'static,
    F: Future<Output: HandlerOutput> + Send + 'static,
{
    /// Answers a handshake. Where it is accepted, the connection then runs by itself.
    pub(crate) fn answer<RequestBody, B>(
        &self,
        request: Request<RequestBody>,
        protocol: Protocol,
    ) -> Response<ResponseBody<B>> {
        let version = request.version();
        self.accept(request, protocol).unwrap_or_else(|rejection| {
            let replace = self.on_rejection.as_deref();
            let response = rejection.clone().into_response(version);
            let response = replace.map_or_else(|| response.clone(), |replace| replace(&rejection, response.clone()));
            response.map(ResponseBody::text)
        })
    }

    fn accept<RequestBody, B>(
        &self,
        request: Request<RequestBody>,
        protocol: Protocol,
    ) -> Result<Response<ResponseBody<B>>, Rejection> {
        let upgrader = request.extensions().get::<Upgrader>().unwrap_or(&self.upgrader).clone();
        let accepted = upgrader.check(Head::from(&request), protocol)?;
        let refuse = |kind| upgrader.refuse(Head::from(&request), kind);
        let ticket = match &self.shutdown {
            Some(shutdown) => Some(shutdown.admit().ok_or_else(|| refuse(RejectionKind::ShuttingDown))?),
            None => None,
        };
        let permit = match &self.connections {
            Some(connections) => {
                let permit = connections.clone().try_acquire_owned();
                Some(permit.map_err(|_| refuse(RejectionKind::TooManyConnections))?)
            }
            None => None,
        };
        let (mut parts, _) = request.into_parts();
        let transport = PendingTransport::take(&mut parts.extensions)
            .ok_or_else(|| upgrader.refuse(Head::from(&parts), RejectionKind::NotUpgradable))?;
        let (response, upgrade) = upgrader.accept(accepted, parts, transport);
        let handler = self.handler.clone();
        upgrade.counted(ticket, permit).spawn(move |ws| handler(ws));
        Ok(response)
    }
}

impl<H> Clone for Endpoint<H> {
    fn clone(&self) -> Self {
        Self {
            handler: self.handler.clone(),
            matcher: self.matcher.clone(),
            upgrader: self.upgrader.clone(),
            connections: self.connections.clone(),
            shutdown: self.shutdown.clone(),
            on_rejection: self.on_rejection.clone(),
        }
    }
}

impl<H> fmt::Debug for Endpoint<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("matcher", &self.matcher)
            .field("upgrader", &self.upgrader)
            .field("shutdown", &self.shutdown)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("All"),
            Self::Path(path) => f.debug_tuple("Path").field(path).finish(),
            Self::Predicate(_) => f.write_str("Predicate"),
        }
    }
}
