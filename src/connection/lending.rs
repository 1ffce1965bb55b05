//! The wire in the hands of the handler, which takes the messages of a burst from it one after the other: without a lock, and
//! without going back to the task for each (`benches/echo.rs`, 16 in flight).

use std::cell::RefCell;

use super::wire::Wire;

/// Runs `poll`, in which the handler of this connection may [`borrow`] the wire, and gives the wire back.
#[inline]
pub(super) fn lend(connection: usize, wire: Box<Wire>, poll: impl FnOnce()) -> Option<Box<Wire>> {
    if LENT.try_with(|_| ()).is_err() {
        // The thread ends: the handler has to do without.
        poll();
        return Some(wire);
    }
    // A handler may poll another connection as a part of itself: each has its own while it is polled.
    let outer = replace(Some((connection, wire)));
    poll();
    replace(outer).map(|(_, wire)| wire)
}

/// Looks at the wire of this connection, where it is lent.
#[inline]
pub(super) fn borrow<R>(connection: usize, look: impl FnOnce(&mut Wire) -> Option<R>) -> Option<R> {
    let look = |lent: &RefCell<Option<Loan>>| match &mut *lent.borrow_mut() {
        Some((of, wire)) if *of == connection => look(wire),
        _ => None,
    };
    LENT.try_with(look).ok().flatten()
}

#[inline]
fn replace(loan: Option<Loan>) -> Option<Loan> {
    LENT.with(|lent| lent.replace(loan))
}

/// The wire, and whose it is.
type Loan = (usize, Box<Wire>);

thread_local! {
    static LENT: RefCell<Option<Loan>> = const { RefCell::new(None) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::assembler::Assembler;
    use crate::limits::Limits;
    use crate::role::Role;

    fn wire() -> Box<Wire> {
        Box::new(Wire::new(Role::Server, Assembler::new(&Limits::default(), None)))
    }

    fn is_lent(connection: usize) -> bool {
        borrow(connection, |_| Some(())).is_some()
    }

    #[test]
    fn the_wire_is_lent_to_its_own_connection_while_that_is_polled() {
        assert!(!is_lent(1));
        let back = lend(1, wire(), || assert!(is_lent(1) && !is_lent(2)));
        assert!(back.is_some() && !is_lent(1));
    }

    #[test]
    fn a_connection_that_is_polled_within_another_has_its_own() {
        let back = lend(1, wire(), || {
            let back = lend(2, wire(), || assert!(is_lent(2) && !is_lent(1)));
            assert!(back.is_some() && is_lent(1) && !is_lent(2));
        });
        assert!(back.is_some());
    }
}
