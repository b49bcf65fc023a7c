//! A bounded map for what can be had again: what was used since it was last looked at stays, the rest makes room (second
//! chance). Who uses it sees to it that nothing in it is out of date.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Values under keys, within bounds of number and weight.
#[derive(Debug)]
pub(in crate::store) struct Shelf<K, V> {
    entries: HashMap<K, Entry<V>>,
    /// The keys in the order in which they are looked at when room is needed.
    order: VecDeque<K>,
    weight: usize,
    entries_max: usize,
    weight_max: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    weight: usize,
    used: bool,
}

impl<K: Copy + Eq + Hash, V> Shelf<K, V> {
    /// An empty one.
    pub(in crate::store) fn new(entries_max: usize, weight_max: usize) -> Self {
        Shelf { entries: HashMap::new(), order: VecDeque::new(), weight: 0, entries_max, weight_max }
    }

    /// What is there, which counts as use.
    pub(in crate::store) fn get(&mut self, key: &K) -> Option<&V> {
        let entry = self.entries.get_mut(key)?;
        entry.used = true;
        Some(&entry.value)
    }

    /// Puts a value in place of the one under its key. One that is too heavy is not kept.
    pub(in crate::store) fn put(&mut self, key: K, value: V, weight: usize) {
        self.remove(&key);
        // It must not push out everything else.
        if weight > self.weight_max / 8 {
            return;
        }
        self.entries.insert(key, Entry { value, weight, used: false });
        self.order.push_back(key);
        self.weight += weight;
        while self.weight > self.weight_max || self.entries.len() > self.entries_max {
            let oldest = self.order.pop_front().expect("every entry stands in the order");
            // One that is not there was removed.
            let Some(entry) = self.entries.get_mut(&oldest) else { continue };
            if std::mem::take(&mut entry.used) {
                self.order.push_back(oldest);
            } else {
                self.remove(&oldest);
            }
        }
        if self.order.len() > 2 * self.entries.len() + 16 {
            let mut seen = std::collections::HashSet::new();
            let entries = &self.entries;
            self.order.retain(|key| entries.contains_key(key) && seen.insert(*key));
        }
    }

    /// Takes a value away. Its place in the order is passed over later.
    pub(in crate::store) fn remove(&mut self, key: &K) {
        if let Some(entry) = self.entries.remove(key) {
            self.weight -= entry.weight;
        }
    }

    /// Takes everything away.
    pub(in crate::store) fn clear(&mut self) {
        *self = Shelf::new(self.entries_max, self.weight_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_within_its_bounds_and_keeps_what_is_used() {
        let mut shelf = Shelf::new(8, 1_000);
        for key in 0..1_000 {
            shelf.put(key, key, 10);
            assert_eq!(shelf.get(&0), Some(&0), "used between any two");
            assert!(shelf.entries.len() <= 8 && shelf.weight == 10 * shelf.entries.len());
        }
        let mut narrow = Shelf::new(1_000, 100);
        for key in 0..1_000 {
            narrow.put(key % 50, key, 10);
            assert!(narrow.order.len() <= 2 * narrow.entries.len() + 16, "places of what is gone do not pile up");
        }
        assert_eq!((narrow.entries.len(), narrow.weight), (10, 100));
        narrow.put(7_777, 0, 13);
        assert_eq!(narrow.get(&7_777), None, "it would take the place of all the others");
    }

    #[test]
    fn what_is_replaced_or_removed_is_gone() {
        let mut shelf = Shelf::new(8, 1_000);
        shelf.put(1, "a", 10);
        shelf.put(1, "b", 20);
        assert_eq!((shelf.get(&1).copied(), shelf.weight), (Some("b"), 20));
        shelf.put(1, "too heavy", 999);
        assert_eq!((shelf.get(&1).copied(), shelf.weight), (None, 0), "nor does the old value stay");
        shelf.put(2, "c", 10);
        shelf.remove(&2);
        shelf.remove(&2);
        assert_eq!((shelf.get(&2).copied(), shelf.weight), (None, 0));
        shelf.put(3, "d", 10);
        shelf.clear();
        assert_eq!((shelf.get(&3).copied(), shelf.weight), (None, 0));
    }
}
