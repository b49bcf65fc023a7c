//! HTTP: one listener's requests, told apart by dialect. Today the OSS dialect; S3 stands beside it later.

mod body;
pub mod health;
pub mod oss;
pub mod server;
mod socket;

#[cfg(test)]
mod tests;
