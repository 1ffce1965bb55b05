//! Replaces `debug` if the feature `debug` is off: events go to the program's subscriber only.

/// With the feature, prints the events of a connection if the environment asks for it.
pub(crate) fn with_debug_output<F: Future<Output = ()>>(connection: F) -> F {
    connection
}

/// With the feature, calls `emit` with the subscriber of [`with_debug_output`].
pub(crate) fn in_view<T>(emit: impl FnOnce() -> T) -> T {
    emit()
}
