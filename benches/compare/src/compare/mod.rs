//! The comparison: which servers there are, how they are started, in which order they are measured, and the table.

mod fleet;
mod ours;
mod report;
mod rounds;
mod running;
mod syscalls;

pub use rounds::{Options, run};
