//! Appends, and the bound on what they leave in metadata.
//!
//! A short append is joined to the inline end of the body, so that it costs one commit and no file. Inline bytes travel with
//! the object's row, so there must not be many: the append that makes them more than [`limits::APPENDED_INLINE_BYTES_MAX`]
//! moves them into one blob before it is answered. What it cannot move (a disk that refuses) the next one tries to.

use bytes::Bytes;

use super::{Digests, ObjectService, PutRequest, StoredBody, fresh_version, record, verify};
use crate::limits;
use crate::store::{AppendCommit, Extent, ExtentSwap, ObjectKind, ObjectRecord, Result, StoreError};

impl ObjectService {
    /// Appends to an `Appendable` object, or makes it when `position` is 0 and there is none. `PositionNotLength`,
    /// `NotAppendable`, `TooLarge`, `DigestMismatch`, `NotFound(Bucket)`. The request's `condition` does not apply.
    pub async fn append(&self, request: PutRequest, position: u64, body: StoredBody) -> Result<ObjectRecord> {
        let fits = position.checked_add(body.size).is_some_and(|size| size <= self.object_bytes_max);
        let now = self.clock.wall();
        let outcome = match verify(&request, &body).and_then(|()| fresh_version(now)) {
            Ok(_) if !fits => Err(StoreError::TooLarge),
            Ok(version) => {
                let mut first = ObjectRecord { version: Some(version), ..record(request, &body) };
                (first.kind, first.content_md5) = (ObjectKind::Appendable, None);
                self.meta.commit_append(AppendCommit { first, position }, now).await
            }
            Err(refused) => Err(refused),
        };
        let object = self.conclude(outcome, body).await?;
        // The append is committed, so a failure here is not its own.
        if let Err(error) = self.move_inline_end(&object).await {
            tracing::warn!(bucket = object.bucket.0, key = %object.key, %error, "appended bytes stay in metadata for now");
        }
        Ok(object)
    }

    /// Writes the inline extents at the end of the body into one blob where they are too many bytes.
    async fn move_inline_end(&self, object: &ObjectRecord) -> Result<()> {
        let end = object.extents.iter().rev().map_while(inline);
        let (count, bytes) = end.fold((0, 0), |(count, bytes), end| (count + 1, bytes + end.len()));
        if bytes <= limits::APPENDED_INLINE_BYTES_MAX {
            return Ok(());
        }
        let (kept, moved) = object.extents.split_at(object.extents.len() - count);
        let mut writer = self.writer(Digests::Crc64);
        for piece in moved.iter().filter_map(inline) {
            writer.write(piece.clone()).await?;
        }
        let body = writer.finish().await?;
        let after = [kept, &body.extents].concat();
        let swap = ExtentSwap { bucket: object.bucket, key: object.key.clone(), before: object.extents.clone(), after };
        match self.meta.swap_extents(swap, self.clock.wall()).await {
            // Replaced, or its last extent has grown: whoever made it grow has found the same, and moves it.
            Ok(false) => {
                self.discard(body).await;
                Ok(())
            }
            swapped => self.conclude(swapped, body).await.map(|_| ()),
        }
    }
}

fn inline(extent: &Extent) -> Option<&Bytes> {
    match extent {
        Extent::Inline(bytes) => Some(bytes),
        Extent::Blob { .. } => None,
    }
}
