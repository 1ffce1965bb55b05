//! One run of a conversation, and what must hold after it.

mod checks;
mod peer;
mod run;
mod sides;
mod transport;

pub(crate) use peer::Script;
pub(crate) use run::{Case, User, run};
pub(crate) use sides::Setup;
pub(crate) use transport::{Fault, Manner, Observer, faults, faulty};
