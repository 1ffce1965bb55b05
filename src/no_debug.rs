//! Connection events go where the program's own subscriber takes them: the feature `debug` is off.

/// With the feature, it makes the events of a connection visible where the environment asks for it.
pub(crate) fn visible<F: Future<Output = ()>>(connection: F) -> F {
    connection
}

/// With the feature, it says something where [`visible`] makes it visible.
pub(crate) fn in_view<T>(say: impl FnOnce() -> T) -> T {
    say()
}
