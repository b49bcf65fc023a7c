//! Policies that were read already: a bucket's policy is judged with every request, and reading costs more than judging.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Policy;

/// Policies by their text. A text always means the same, so nothing here can be stale.
#[derive(Debug)]
pub struct PolicyCache {
    read: Mutex<HashMap<Box<str>, Arc<Policy>>>,
    entries_max: usize,
}

impl PolicyCache {
    /// Holds at most `entries_max` policies.
    pub fn new(entries_max: usize) -> Self {
        PolicyCache { read: Mutex::default(), entries_max }
    }

    /// See [`Policy::of_bucket`].
    pub fn bucket(&self, text: &str) -> Arc<Policy> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(policy) = read.get(text) {
            return Arc::clone(policy);
        }
        let policy = Arc::new(Policy::of_bucket(text));
        if read.len() >= self.entries_max {
            // Whatever is in use is back with its next request.
            read.clear();
        }
        read.insert(text.into(), Arc::clone(&policy));
        policy
    }
}
