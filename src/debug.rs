//! Connection events on standard error, for programs without a subscriber of their own.

use std::env;
use std::future::Future;
use std::io;
use std::sync::OnceLock;

use tokio_util::either::Either;
use tracing::Dispatch;
use tracing::dispatcher::{get_default, with_default};
use tracing::instrument::{WithDispatch, WithSubscriber};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;

/// Prints the events of a connection where the environment asks for it and the program has no subscriber.
pub(crate) fn with_debug_output<F: Future<Output = ()>>(connection: F) -> Either<WithDispatch<F>, F> {
    match debug_subscriber() {
        Some(dispatch) => Either::Left(connection.with_subscriber(dispatch.clone())),
        None => Either::Right(connection),
    }
}

/// Makes a span or an event with the subscriber of [`with_debug_output`], where that is in use.
pub(crate) fn in_view<T>(say: impl FnOnce() -> T) -> T {
    match debug_subscriber() {
        Some(dispatch) => with_default(dispatch, say),
        None => say(),
    }
}

/// What prints the events, where the program has no subscriber.
fn debug_subscriber() -> Option<&'static Dispatch> {
    // `has_been_set` would be true from our own first connection on.
    dispatch().filter(|_| get_default(|current| current.is::<NoSubscriber>()))
}

/// What prints the events, if `WEBSOCKET_DEBUG` (or `DEBUG`, when that is not set) is turned on.
fn dispatch() -> Option<&'static Dispatch> {
    static DISPATCH: OnceLock<Option<Dispatch>> = OnceLock::new();
    DISPATCH
        .get_or_init(|| {
            let value = env::var_os("WEBSOCKET_DEBUG").or_else(|| env::var_os("DEBUG"))?;
            is_on(&value.to_string_lossy()).then(|| {
                let events = Targets::new().with_target("tower_websocket", LevelFilter::DEBUG);
                let printer = fmt::layer().with_writer(io::stderr).with_ansi(false);
                Dispatch::new(tracing_subscriber::registry().with(printer).with(events))
            })
        })
        .as_ref()
}

/// As in the Go package: on unless it is empty or says no.
fn is_on(value: &str) -> bool {
    !matches!(value.trim().to_ascii_lowercase().as_str(), "" | "0" | "f" | "false" | "n" | "no" | "off")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_on_unless_it_says_no() {
        for (value, on) in [("1", true), ("true", true), ("0", false), ("", false), ("FALSE", false), ("off", false)] {
            assert_eq!(is_on(value), on, "{value}");
        }
    }
}
