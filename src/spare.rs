//! Freeing the memory of tables that have become small.

use std::collections::HashMap;
use std::hash::Hash;

/// Frees memory that a table no longer needs. Call it after a removal: it takes constant time on average.
pub(crate) fn shrink<K: Eq + Hash, V>(table: &mut HashMap<K, V>) {
    if table.capacity() > SPARE && table.len() < table.capacity() / 8 {
        table.shrink_to_fit();
    }
}

/// Capacity for this many entries is kept.
const SPARE: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_entries_took_is_given_back_while_a_few_stay() {
        let mut table: HashMap<u32, u32> = (0..100_000).map(|key| (key, key)).collect();
        for key in 10..100_000 {
            table.remove(&key);
            shrink(&mut table);
        }
        assert_eq!(table.len(), 10);
        assert!(table.capacity() <= 2 * SPARE, "{}", table.capacity());
    }
}
