-- Multipart uploads. Conventions as in the first schema.
--
-- A part's bytes are `extent` rows like an object's: from here on `extent.body` is exactly one `object.body` or one
-- `part.body`, and a blob that only a part names is named.

-- Open uploads: what the object will be, but for its body. Clustered by key and id, which is the listing order. Owner:
-- uploads. A row goes when its upload is completed or aborted.
CREATE TABLE upload (
    -- The bucket.
    bucket INTEGER NOT NULL REFERENCES bucket (id),
    -- The key of the object to make, 1 to 1024 bytes of any value.
    key BLOB NOT NULL,
    -- Identity: 16 bytes, big-endian, ordered by time.
    id BLOB NOT NULL,
    -- When it was begun.
    initiated_ms INTEGER NOT NULL,
    -- The object's own ACL, coded as `bucket.acl`. NULL: it follows the bucket.
    acl INTEGER CHECK (acl IN (0, 1, 2)),
    -- `Content-Type` as it was sent, byte for byte. NULL: not sent. The same holds of the five below.
    content_type BLOB,
    -- `Cache-Control`.
    cache_control BLOB,
    -- `Content-Disposition`.
    content_disposition BLOB,
    -- `Content-Encoding`.
    content_encoding BLOB,
    -- `Content-Language`.
    content_language BLOB,
    -- `Expires`.
    expires BLOB,
    -- User metadata, packed as `object.user_metadata`. NULL: none.
    user_metadata BLOB,
    PRIMARY KEY (bucket, key, id)
) STRICT, WITHOUT ROWID;
-- An id is one upload's, whatever its key.
CREATE UNIQUE INDEX upload_by_id ON upload (id);

-- Parts of open uploads. Owner: uploads. A row goes with its upload, or when its number is uploaded again.
CREATE TABLE part (
    -- The upload.
    upload BLOB NOT NULL REFERENCES upload (id),
    -- Place among the parts, from 1; gaps are allowed.
    number INTEGER NOT NULL,
    -- Bytes; the sum of its extents' lengths.
    size INTEGER NOT NULL CHECK (size >= 0),
    -- When it was committed.
    modified_ms INTEGER NOT NULL,
    -- MD5 of the bytes, 16 bytes: the part's entity tag.
    md5 BLOB NOT NULL,
    -- CRC-64/XZ of the bytes: 64 bits, the highest as the sign.
    crc64 INTEGER NOT NULL,
    -- The extents' `extent.body`. NULL: the part is empty.
    body INTEGER,
    PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;

-- What completed uploads came to, so that a completion that is repeated after a lost answer gets the same one. Owner:
-- uploads. Rows go some time after the completion, and with the bucket.
CREATE TABLE completed_upload (
    -- The upload's id.
    id BLOB NOT NULL PRIMARY KEY,
    -- The bucket.
    bucket INTEGER NOT NULL REFERENCES bucket (id),
    -- The key of the object that was made.
    key BLOB NOT NULL,
    -- The object's bytes.
    size INTEGER NOT NULL,
    -- 16 bytes of the object's entity tag.
    etag BLOB NOT NULL,
    -- Its part count.
    etag_parts INTEGER NOT NULL,
    -- CRC-64/XZ of the object: 64 bits, the highest as the sign.
    crc64 INTEGER NOT NULL,
    -- When it was completed.
    completed_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Oldest first, to be forgotten.
CREATE INDEX completed_upload_by_time ON completed_upload (completed_ms);
-- Goes with the bucket.
CREATE INDEX completed_upload_by_bucket ON completed_upload (bucket);
