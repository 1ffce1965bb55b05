//! Byte streams over messages.
