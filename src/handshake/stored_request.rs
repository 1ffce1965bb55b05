//! The request that a connection stores.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Request;
use http::request::Parts;

use super::compact::compact;

/// A request's head, for later calls of `Manager::request`. It is made compact before it is returned, but not at once: many
/// handlers drop it before, and making it compact is a tenth of the crate's part of a handshake (`benches/handshake.rs`).
#[derive(Debug)]
pub(crate) struct StoredRequest(Place);

/// Where it is stored: most requests have one owner, and need no allocation.
#[derive(Debug)]
enum Place {
    Here(Mutex<Option<Kept>>),
    Shared(Arc<Mutex<Option<Kept>>>),
}

#[derive(Debug)]
struct Kept {
    request: Arc<Parts>,
    is_compact: bool,
}

impl StoredRequest {
    pub(crate) fn new(request: Parts) -> Self {
        Self(Place::Here(Mutex::new(Some(Kept { request: Arc::new(request), is_compact: false }))))
    }

    /// Returns another owner of the same request. A change by one owner is visible to the other.
    pub(crate) fn share(&mut self) -> Self {
        let shared = match &mut self.0 {
            Place::Here(kept) => Arc::new(Mutex::new(kept.get_mut().unwrap_or_else(PoisonError::into_inner).take())),
            Place::Shared(kept) => kept.clone(),
        };
        self.0 = Place::Shared(shared.clone());
        Self(Place::Shared(shared))
    }

    /// The request, or an empty one once it was dropped.
    pub(crate) fn get(&self) -> Arc<Parts> {
        self.lock().as_mut().map_or_else(|| Arc::new(Request::new(()).into_parts().0), |kept| kept.compact().clone())
    }

    /// Calls `read` with the request as it is, unless it was cleared.
    pub(crate) fn peek<R>(&self, read: impl FnOnce(&Parts) -> R) -> Option<R> {
        self.lock().as_ref().map(|kept| read(&kept.request))
    }

    /// Copies it into memory of its own, so that hyper's read buffer can be freed.
    pub(crate) fn compact(&self) {
        self.lock().as_mut().map(Kept::compact);
    }

    /// Frees it.
    pub(crate) fn clear(&self) {
        // Dropped after the lock is released: the drop of an extension may call `Manager::request`.
        let kept = self.lock().take();
        drop(kept);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Kept>> {
        let kept = match &self.0 {
            Place::Here(kept) => kept,
            Place::Shared(kept) => kept,
        };
        kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn compact(&mut self) -> &Arc<Parts> {
        // `get_mut` succeeds: the `Arc` is cloned only after this.
        if !self.is_compact
            && let Some(request) = Arc::get_mut(&mut self.request)
        {
            compact(request);
            self.is_compact = true;
        }
        &self.request
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{OnceLock, mpsc};
    use std::thread;
    use std::time::Duration;

    use http::Version;

    use super::*;

    /// Asks for the request that holds it.
    #[derive(Clone)]
    struct Nosy(Arc<OnceLock<Arc<StoredRequest>>>);

    impl Drop for Nosy {
        fn drop(&mut self) {
            if let Some(kept) = self.0.get() {
                kept.get();
            }
        }
    }

    #[test]
    fn what_it_holds_may_ask_for_it_while_it_is_dropped() {
        let holder = Arc::default();
        let (parts, ()) = Request::builder().extension(Nosy(Arc::clone(&holder))).body(()).unwrap().into_parts();
        let kept = Arc::new(StoredRequest::new(parts));
        assert!(holder.set(kept.clone()).is_ok());
        let (done, is_done) = mpsc::channel();
        thread::spawn(move || {
            kept.clear();
            done.send(()).unwrap();
        });
        is_done.recv_timeout(Duration::from_secs(10)).expect("it waits for itself");
    }

    #[test]
    fn a_read_buffer_is_kept_no_longer_than_until_it_is_compact() {
        for share in [false, true] {
            let buffer = bytes::Bytes::from(b"value and the rest of a read buffer".to_vec());
            let value = http::HeaderValue::from_maybe_shared(buffer.slice(..5)).unwrap();
            let request = Request::get("/").header("x-value", value).body(()).unwrap();
            let mut kept = StoredRequest::new(request.into_parts().0);
            let shared = share.then(|| kept.share());
            assert!(!buffer.is_unique());
            shared.as_ref().unwrap_or(&kept).compact();
            assert!(buffer.is_unique());
            assert_eq!(kept.get().headers["x-value"], "value");
        }
    }

    #[test]
    fn dropping_the_request_frees_what_its_headers_and_extensions_keep() {
        let (buffer, extension) = (bytes::Bytes::from(b"value".to_vec()), Arc::new(()));
        let value = http::HeaderValue::from_maybe_shared(buffer.clone()).unwrap();
        let request = Request::get("/").header("x-value", value).extension(extension.clone()).body(()).unwrap();
        let kept = StoredRequest::new(request.into_parts().0);
        assert!(!buffer.is_unique() && Arc::strong_count(&extension) == 2);
        kept.clear();
        assert!(buffer.is_unique() && Arc::strong_count(&extension) == 1);
    }

    #[test]
    fn owners_of_the_same_request_see_what_each_of_them_does_to_it() {
        let mut kept = StoredRequest::new(Request::get("/ws").body(()).unwrap().into_parts().0);
        let (first, second) = (kept.share(), kept.share());
        first.compact();
        assert!(Arc::ptr_eq(&first.get(), &second.get()) && kept.get().uri.path() == "/ws");
        kept.clear();
        assert!([first, second].iter().all(|kept| kept.get().uri.path() == "/" && kept.peek(|_| ()).is_none()));
    }

    #[test]
    fn the_headers_are_those_of_http1_whether_or_not_it_was_compact_before() {
        for before in [false, true] {
            let request = Request::connect("https://a.example/").version(Version::HTTP_2);
            let request = request.header("cookie", "a=1").header("cookie", "b=2").body(()).unwrap();
            let kept = StoredRequest::new(request.into_parts().0);
            if before {
                kept.compact();
            }
            let first = kept.get();
            assert_eq!(
                (&first.headers["host"], &first.headers["cookie"]),
                (&"a.example".parse().unwrap(), &"a=1; b=2".parse().unwrap())
            );
            // A request that is shared is left alone.
            kept.compact();
            assert!(Arc::ptr_eq(&first, &kept.get()));
            kept.clear();
            assert!(kept.get().headers.is_empty() && first.headers.len() == 2);
            assert!(kept.peek(|_| ()).is_none());
        }
    }
}
