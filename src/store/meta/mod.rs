//! Metadata backends. Named by nobody but `app` and tests; everybody else holds a `dyn MetaStore`.
//!
//! # Blobs and the collector
//!
//! To metadata a blob is exactly one of: unknown, named, garbage, taken.
//!
//! 1. A commit names an unknown blob (a fresh one) or a named one (a copy).
//! 2. The commit that removes a blob's last name makes it garbage, since that commit's `now`.
//! 3. A commit may name garbage (a copy whose source was deleted meanwhile): it is garbage no longer.
//! 4. `garbage` hands out ids and marks them *taken* in the same transaction; from then on the collector may delete the
//!    bytes at any time. A commit that names a taken blob fails with `NotFound(Blob)`, so a blob whose removal may have
//!    begun is never named. The caller reads its source again and finds it gone.
//! 5. `forget_garbage` makes taken ids unknown. A collector that died before it is handed the same ids again.
//!
//! What remains to the caller: between reading an object's extents and committing a copy of them less time must pass
//! than the collector's grace, for a forgotten id cannot be told from a fresh one.
//!
//! # Lost acknowledgements
//!
//! A call that failed with `Unavailable` may have taken effect. A repeated `claim` with the same connection id, a repeated
//! newest `commit_fragment` (same fragment, same extents) and a repeated `end_connection` are answered as done.

pub mod faulty;
pub mod memory;
mod rules;
pub mod sqlite;
