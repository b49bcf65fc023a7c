//! Blob backends. Named by nobody but `app` and tests; everybody else holds a `dyn BlobStore`.

pub mod faulty;
pub mod fs;
pub mod ids;
pub mod memory;
pub mod sealed;
