//! Digests of a body on its way in: small ones on the spot, the MD5 of large ones beside the task that receives them.
//!
//! MD5 takes a nanosecond a byte and more, by far the longest step of an upload, and cannot be split. So what has come of a
//! large body is hashed in bursts on a blocking thread, while its task receives and another thread writes what follows: an
//! upload is as fast as MD5, and the reactor hashes no more than the first [`limits::HASHED_HERE_BYTES`] of it. A thread is
//! held for a burst only, never while a client is waited for.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use crate::limits;
use crate::store::digest::{Crc64, Md5};
use crate::store::{Result, StoreError};

/// The threads that hash, shared by all bodies.
#[derive(Clone, Debug)]
pub(super) struct Hashers(Arc<Semaphore>);

impl Hashers {
    /// As many bursts at once as there are cores: more would only wait for each other.
    pub(super) fn new() -> Self {
        Hashers(Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from))))
    }
}

/// A body's running digests.
#[derive(Debug)]
pub(super) struct Hashing {
    crc64: Crc64,
    /// `None`: no MD5 is wanted.
    md5: Option<Chain>,
}

/// A running MD5 and what is still to be added to it, in order.
#[derive(Debug)]
struct Chain {
    hashers: Hashers,
    md5: Place,
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
    /// Bytes of the whole body.
    taken: u64,
}

#[derive(Debug)]
enum Place {
    Here(Md5),
    /// A thread adds a burst to it.
    Away(JoinHandle<Md5>),
    /// That thread ended without giving it back.
    Lost,
}

impl Hashing {
    pub(super) fn new(hashers: Hashers, with_md5: bool) -> Self {
        let chain = || Chain { hashers, md5: Place::Here(Md5::new()), waiting: Vec::new(), waiting_bytes: 0, taken: 0 };
        Hashing { crc64: Crc64::new(), md5: with_md5.then(chain) }
    }

    /// Adds bytes. Waits while too many are still to be hashed.
    pub(super) async fn update(&mut self, bytes: &Bytes) -> Result<()> {
        self.crc64.update(bytes);
        match &mut self.md5 {
            Some(chain) => chain.update(bytes).await,
            None => Ok(()),
        }
    }

    /// Sends what is left to be hashed on its way, so that the caller can do something else meanwhile.
    pub(super) async fn hurry(&mut self) -> Result<()> {
        match &mut self.md5 {
            Some(chain) if chain.waiting_bytes > limits::HASH_BURST_BYTES => chain.send(true).await,
            _ => Ok(()),
        }
    }

    /// MD5, where it was wanted, and CRC-64.
    pub(super) async fn finish(self) -> Result<(Option<[u8; 16]>, u64)> {
        let md5 = match self.md5 {
            Some(chain) => Some(chain.finish().await?),
            None => None,
        };
        Ok((md5, self.crc64.value()))
    }
}

impl Chain {
    async fn update(&mut self, bytes: &Bytes) -> Result<()> {
        self.taken += bytes.len() as u64;
        if let Place::Here(md5) = &mut self.md5
            && self.waiting.is_empty()
            && self.taken <= limits::HASHED_HERE_BYTES
        {
            md5.update(bytes);
            return Ok(());
        }
        self.waiting.push(bytes.clone());
        self.waiting_bytes += bytes.len();
        if self.waiting_bytes < limits::HASH_BURST_BYTES {
            return Ok(());
        }
        self.send(self.waiting_bytes >= limits::HASH_WAITING_BYTES).await
    }

    /// Has what waits hashed, when the burst before is done and a thread is free, or with `must` as soon as they are.
    async fn send(&mut self, must: bool) -> Result<()> {
        if matches!(&self.md5, Place::Away(burst) if !must && !burst.is_finished()) {
            return Ok(());
        }
        self.come_back().await?;
        let Some(permit) = self.permit(must).await else { return Ok(()) };
        let Place::Here(mut md5) = std::mem::replace(&mut self.md5, Place::Lost) else { return Err(lost()) };
        let pieces = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        self.md5 = Place::Away(tokio::task::spawn_blocking(move || {
            pieces.into_iter().for_each(|piece| md5.update(&piece));
            drop(permit);
            md5
        }));
        Ok(())
    }

    async fn permit(&self, must: bool) -> Option<OwnedSemaphorePermit> {
        let threads = self.hashers.0.clone();
        match must {
            true => Some(threads.acquire_owned().await.expect("this semaphore is never closed")),
            false => threads.try_acquire_owned().ok(),
        }
    }

    /// Waits for the burst that is under way, if any.
    async fn come_back(&mut self) -> Result<()> {
        if let Place::Away(burst) = &mut self.md5 {
            self.md5 = burst.await.map_or(Place::Lost, Place::Here);
        }
        if matches!(self.md5, Place::Lost) { Err(lost()) } else { Ok(()) }
    }

    async fn finish(mut self) -> Result<[u8; 16]> {
        if self.waiting_bytes > limits::HASH_BURST_BYTES {
            self.send(true).await?;
        }
        self.come_back().await?;
        let Place::Here(mut md5) = self.md5 else { return Err(lost()) };
        self.waiting.iter().for_each(|piece| md5.update(piece));
        Ok(md5.finish())
    }
}

fn lost() -> StoreError {
    StoreError::Unavailable("the digest of a body was lost".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bodies at once over fewer threads, in pieces of odd sizes, on both sides of every bound.
    #[tokio::test]
    async fn digests_do_not_depend_on_where_and_in_what_pieces_they_are_computed() {
        let hashers = Hashers(Arc::new(Semaphore::new(1)));
        let whole: Bytes = (0..3_000_000u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
        let digest = |length: usize, piece: usize| {
            let (hashers, body) = (hashers.clone(), whole.slice(..length));
            async move {
                let mut hashing = Hashing::new(hashers, true);
                for piece in body.chunks(piece) {
                    hashing.update(&body.slice_ref(piece)).await.expect("taken");
                    tokio::task::yield_now().await;
                }
                hashing.hurry().await.expect("sent");
                let (md5, crc64) = hashing.finish().await.expect("digests");
                let mut crc = Crc64::new();
                crc.update(&body);
                let independent: [u8; 16] = <md5::Md5 as md5::Digest>::digest(&body).into();
                assert_eq!((md5, crc64), (Some(independent), crc.value()), "{length} in pieces");
            }
        };
        let sizes =
            [(0, 1), (70_000, 7_001), (262_144, 131_072), (262_145, 131_072), (900_001, 65_537), (3_000_000, 131_072)];
        futures_util::future::join_all(sizes.map(|(length, piece)| digest(length, piece))).await;
    }

    #[tokio::test]
    async fn without_md5_there_is_only_the_checksum() {
        let mut hashing = Hashing::new(Hashers::new(), false);
        hashing.update(&Bytes::from_static(b"123456789")).await.expect("taken");
        assert_eq!(hashing.finish().await.expect("digests"), (None, 0x995d_c9bb_df19_39fa));
    }
}
