//! An endpoint of the layer: which handshakes it accepts, and how it answers them.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use http::{Request, Response, Uri};

use super::body::ResponseBody;
use crate::handler::HandlerOutput;
use crate::handshake::{Head, Protocol, Rejection, RejectionKind};
use crate::manager::Manager;
use crate::upgrade::{PendingTransport, Upgrader};

/// What a layer and its services share.
pub(crate) struct Endpoint<H> {
    pub(crate) handler: Arc<H>,
    pub(crate) matcher: Matcher,
    pub(crate) upgrader: Upgrader,
}

/// Which handshakes a layer answers.
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
    /// Answers a handshake. If it is accepted, spawns the connection's task.
    pub(crate) fn answer<RequestBody, B>(
        &self,
        request: Request<RequestBody>,
        protocol: Protocol,
    ) -> Response<ResponseBody<B>> {
        match request.extensions().get::<Upgrader>().cloned() {
            Some(own) => self.answer_with(&own.or(&self.upgrader), request, protocol),
            None => self.answer_with(&self.upgrader, request, protocol),
        }
    }

    fn answer_with<RequestBody, B>(
        &self,
        upgrader: &Upgrader,
        request: Request<RequestBody>,
        protocol: Protocol,
    ) -> Response<ResponseBody<B>> {
        let version = request.version();
        self.accept(upgrader, request, protocol)
            .unwrap_or_else(|rejection| upgrader.rejection_response(rejection, version).map(ResponseBody::text))
    }

    fn accept<RequestBody, B>(
        &self,
        upgrader: &Upgrader,
        request: Request<RequestBody>,
        protocol: Protocol,
    ) -> Result<Response<ResponseBody<B>>, Rejection> {
        let admission = upgrader.admit_handshake(Head::from(&request), protocol)?;
        let (mut parts, _) = request.into_parts();
        let transport = PendingTransport::take(&mut parts.extensions)
            .ok_or_else(|| upgrader.refuse(Head::from(&parts), RejectionKind::NotUpgradable))?;
        let (response, upgrade) = upgrader.accept(admission, parts, transport);
        let handler = self.handler.clone();
        upgrade.spawn(move |ws| handler(ws));
        Ok(response)
    }
}

impl<H> Clone for Endpoint<H> {
    fn clone(&self) -> Self {
        Self { handler: self.handler.clone(), matcher: self.matcher.clone(), upgrader: self.upgrader.clone() }
    }
}

impl<H> fmt::Debug for Endpoint<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("matcher", &self.matcher)
            .field("upgrader", &self.upgrader)
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
