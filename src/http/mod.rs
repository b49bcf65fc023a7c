//! HTTP: one listener's requests, told apart by dialect: OSS and S3 over the same buckets.

mod access;
mod body;
mod cors;
pub mod dialect;
pub mod form;
mod headers;
pub mod health;
pub mod oss;
mod pace;
pub mod query;
mod s3;
pub mod server;
mod socket;
mod tally;
mod xml;

#[cfg(test)]
mod tests;
