//! The suites that every backend must pass. A new backend is done when they are green (test builds only).

pub mod blob;
pub mod meta;
