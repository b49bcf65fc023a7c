//! Finely cut bodies: those in which many short extents follow one another, as many small appends make them.

use crate::limits;
use crate::store::Extent;

/// Whether an extent is short enough to be written together with its neighbours.
fn is_short(extent: &Extent) -> bool {
    extent.length() < limits::SHORT_EXTENT_BYTES
}

/// How many short extents follow a short one: as many rows as a rewrite would save.
pub(in crate::store) fn short_pairs(extents: &[Extent]) -> usize {
    extents.windows(2).filter(|pair| pair.iter().all(is_short)).count()
}
