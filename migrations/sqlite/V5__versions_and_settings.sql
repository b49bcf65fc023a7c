-- Versions of objects, storage classes, and settings of buckets. Conventions as in the first schema.

-- The table is made anew: its enumeration grows, and what a listing shows still stands before what may be long.
CREATE TABLE object_next (
    -- The bucket.
    bucket INTEGER NOT NULL REFERENCES bucket (id),
    -- The key, 1 to 1024 bytes of any value.
    key BLOB NOT NULL,
    -- 0 normal, 1 multipart, 2 appendable, 3 symlink.
    kind INTEGER NOT NULL CHECK (kind IN (0, 1, 2, 3)),
    -- Bytes of the body; the sum of its extents' lengths.
    size INTEGER NOT NULL CHECK (size >= 0),
    -- When this body was committed.
    modified_ms INTEGER NOT NULL,
    -- 16 bytes of the entity tag.
    etag BLOB NOT NULL,
    -- Part count of the tag's multipart form. NULL: the tag is a plain digest.
    etag_parts INTEGER,
    -- 0 Standard, 1 infrequent access, 2 archive, 3 cold archive, 4 deep cold archive.
    storage_class INTEGER NOT NULL CHECK (storage_class IN (0, 1, 2, 3, 4)),
    -- Identity of this version, 16 bytes. NULL: the null version.
    version BLOB,
    -- The extents' `extent.body`. NULL: the body is empty.
    body INTEGER,
    -- CRC-64/XZ of the body: 64 bits, the highest as the sign.
    crc64 INTEGER NOT NULL,
    -- MD5 of the body, 16 bytes. NULL: not known.
    content_md5 BLOB,
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
    -- User metadata in order of name; each entry is a u16 length and the name without its prefix, then a u32 length and
    -- the value, little-endian. NULL: none.
    user_metadata BLOB,
    -- The object's tags as JSON (a list of `records::Tag`). NULL: none.
    tags TEXT,
    -- What few objects have, as JSON (`records::ObjectAttributes`). NULL: none of it.
    attributes TEXT,
    PRIMARY KEY (bucket, key)
) STRICT, WITHOUT ROWID;
INSERT INTO object_next (bucket, key, kind, size, modified_ms, etag, etag_parts, storage_class, body, crc64, content_md5,
    acl, content_type, cache_control, content_disposition, content_encoding, content_language, expires, user_metadata, tags)
SELECT bucket, key, kind, size, modified_ms, etag, etag_parts, 0, body, crc64, content_md5,
    acl, content_type, cache_control, content_disposition, content_encoding, content_language, expires, user_metadata, tags
FROM object;
DROP TABLE object;
ALTER TABLE object_next RENAME TO object;

-- Storage class of the object to make, coded as `object.storage_class`.
ALTER TABLE upload ADD COLUMN storage_class INTEGER NOT NULL DEFAULT 0 CHECK (storage_class IN (0, 1, 2, 3, 4));
-- What else the object to make will have, as `object.attributes`. NULL: none of it.
ALTER TABLE upload ADD COLUMN attributes TEXT;

-- Versions that are not the current object of their key: older ones, and delete markers. Where `object` has a row, that
-- is the newest version; else the newest row here is a delete marker. Owner: objects.
CREATE TABLE version (
    -- The bucket.
    bucket INTEGER NOT NULL REFERENCES bucket (id),
    -- The key.
    key BLOB NOT NULL,
    -- Order within the key: the greater is the newer.
    rank INTEGER NOT NULL,
    -- Identity, 16 bytes. NULL: the null version, of which a key has at most one, here or in `object`.
    version BLOB,
    -- 1: a delete marker, which has no body; its other columns are empty.
    marker INTEGER NOT NULL CHECK (marker IN (0, 1)),
    -- This and all below as in `object`.
    kind INTEGER NOT NULL CHECK (kind IN (0, 1, 2, 3)),
    -- Bytes of the body.
    size INTEGER NOT NULL CHECK (size >= 0),
    -- When this version was committed.
    modified_ms INTEGER NOT NULL,
    -- 16 bytes of the entity tag.
    etag BLOB NOT NULL,
    -- Part count of the tag's multipart form.
    etag_parts INTEGER,
    -- Storage class.
    storage_class INTEGER NOT NULL CHECK (storage_class IN (0, 1, 2, 3, 4)),
    -- The extents' `extent.body`.
    body INTEGER,
    -- CRC-64/XZ of the body.
    crc64 INTEGER NOT NULL,
    -- MD5 of the body.
    content_md5 BLOB,
    -- The version's own ACL.
    acl INTEGER CHECK (acl IN (0, 1, 2)),
    -- `Content-Type`.
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
    -- User metadata.
    user_metadata BLOB,
    -- Tags.
    tags TEXT,
    -- What few objects have.
    attributes TEXT,
    PRIMARY KEY (bucket, key, rank DESC)
) STRICT, WITHOUT ROWID;
-- A version by its identity; a key has at most one null version.
CREATE UNIQUE INDEX version_by_id ON version (bucket, key, ifnull(version, x''));

-- From here on `extent.body` is exactly one `object.body`, `version.body` or `part.body`.

-- Identity of the version that the completion made. NULL: the null version.
ALTER TABLE completed_upload ADD COLUMN version BLOB;

-- 0: versions were never kept, 1: each write makes a version, 2: writes replace the null version.
ALTER TABLE bucket ADD COLUMN versioning INTEGER NOT NULL DEFAULT 0 CHECK (versioning IN (0, 1, 2));
-- Settings that few buckets have, as JSON (`settings::BucketSettings`). NULL: none is set.
ALTER TABLE bucket ADD COLUMN settings TEXT;
-- Delete markers, which are rows of `version`. `objects` and `bytes` count that table's other rows with those of `object`.
ALTER TABLE bucket_usage ADD COLUMN markers INTEGER NOT NULL DEFAULT 0 CHECK (markers >= 0);
