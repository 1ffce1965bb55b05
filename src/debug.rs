//! Connection events on standard error, for programs without a `tracing` subscriber.

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

/// Prints the events of a connection if the environment asks for it and the program has no subscriber.
pub(crate) fn with_debug_output<F: Future<Output = ()>>(connection: F) -> Either<WithDispatch<F>, F> {
    match debug_subscriber() {
        Some(dispatch) => Either::Left(connection.with_subscriber(dispatch.clone())),
        None => Either::Right(connection),
    }
}

/// Calls `emit`, which makes a span or an event, with the subscriber of [`with_debug_output`] if that is in use.
pub(crate) fn in_view<T>(emit: impl FnOnce() -> T) -> T {
    match debug_subscriber() {
        Some(dispatch) => with_default(dispatch, emit),
        None => emit(),
    }
}

/// The subscriber that prints the events, if it is turned on and the program has none.
fn debug_subscriber() -> Option<&'static Dispatch> {
    // Not `has_been_set`: that is true after our own first use of a subscriber.
    dispatch().filter(|_| get_default(|current| current.is::<NoSubscriber>()))
}

/// The subscriber that prints the events, if it is turned on by `WEBSOCKET_DEBUG`, or, if that is not set, by `DEBUG`.
fn dispatch() -> Option<&'static Dispatch> {
    static DISPATCH: OnceLock<Option<Dispatch>> = OnceLock::new();
    DISPATCH
        .get_or_init(|| {
            let is_asked = match env::var_os("WEBSOCKET_DEBUG") {
                Some(value) => is_on(&value.to_string_lossy()),
                None => is_meant(&env::var_os("DEBUG")?.to_string_lossy()),
            };
            is_asked.then(|| {
                let events = Targets::new().with_target("tower_websocket", LevelFilter::DEBUG);
                let printer = fmt::layer().with_writer(io::stderr).with_ansi(false);
                Dispatch::new(tracing_subscriber::registry().with(printer).with(events))
            })
        })
        .as_ref()
}

/// Whether the value of `WEBSOCKET_DEBUG` turns the output on, as in the Go package: any value except an empty one and those for
/// "no".
fn is_on(value: &str) -> bool {
    !matches!(value.trim().to_ascii_lowercase().as_str(), "" | "0" | "f" | "false" | "n" | "no" | "off")
}

/// Whether the value of `DEBUG`, which other programs use too, turns the output on: a value for "yes", or a list with this crate
/// or `*`.
fn is_meant(value: &str) -> bool {
    let value = value.trim().to_ascii_lowercase();
    let is_ours = |name: &str| matches!(name, "*" | "tower-websocket" | "tower_websocket");
    matches!(value.as_str(), "1" | "t" | "true" | "y" | "yes" | "on")
        || value.split([',', ' ']).map(str::trim).any(is_ours)
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

    #[test]
    fn the_variable_of_many_programs_must_mean_this_one() {
        for (value, meant) in [
            ("1", true),
            (" TRUE ", true),
            ("on", true),
            ("yes", true),
            ("t", true),
            ("y", true),
            ("*", true),
            ("tower_websocket", true),
            ("express:*, Tower-WebSocket", true),
            ("express:* tower_websocket", true),
            ("", false),
            ("0", false),
            ("false", false),
            ("no", false),
            ("2", false),
            ("express:*", false),
            ("express", false),
            ("websocket", false),
            ("tower_websocket_proxy", false),
            ("release", false),
        ] {
            assert_eq!(is_meant(value), meant, "{value}");
        }
    }
}
