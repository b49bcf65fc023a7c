//! Whole service on port 0, one module per area; and the walls of the tree.
#![allow(clippy::disallowed_methods, reason = "a test is the far end: it dials, waits and reads the clock itself")]

mod busy;
mod cli;
mod damage;
mod doors;
mod faults;
mod kinds;
mod layers;
mod lifecycle;
mod limits;
mod live;
mod lock;
mod memory;
mod objects;
mod paths;
mod queries;
mod quota;
mod random;
mod readme;
mod restart;
mod retention;
mod s3;
mod s3_access;
mod s3_answers;
mod s3_checksums;
mod s3_signatures;
mod s3_uploads;
mod sealed;
mod secrets;
mod settings;
mod stories;
mod streams;
mod support;
mod versions;
