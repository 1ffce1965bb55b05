//! Connection events go where the program's own subscriber takes them: the feature `debug` is off.

/// With the feature, it prints the events of a connection where the environment asks for it.
pub(crate) fn with_debug_output<F: Future<Output = ()>>(connection: F) -> F {
    connection
}

/// With the feature, it calls `say` where [`with_debug_output`] prints the events.
pub(crate) fn in_view<T>(say: impl FnOnce() -> T) -> T {
    say()
}
