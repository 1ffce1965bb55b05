//! The extractor of the feature `axum`, and that an `Upgrader` does the same in all its fronts.

#![allow(clippy::duplicate_mod, reason = "each ported example brings the way that examples serve")]
#![expect(clippy::unwrap_used, reason = "helpers are part of their tests, and clippy allows it only in test functions")]

#[path = "../support/echo.rs"]
mod echo;
mod extractor;
mod fronts;
mod over_tcp;
mod ported;
mod token;
