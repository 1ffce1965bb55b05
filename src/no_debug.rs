//! Connection events go where the program's own subscriber takes them: the feature `debug` is off.

use tracing::Span;

/// With the feature, it makes the events of a connection visible where the environment asks for it.
pub(crate) fn visible<F: Future<Output = ()>>(connection: F) -> F {
    connection
}

/// With the feature, it makes a span where [`visible`] will look for it.
pub(crate) fn visible_span(make: impl FnOnce() -> Span) -> Span {
    make()
}
