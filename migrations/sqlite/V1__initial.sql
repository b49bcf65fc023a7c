-- The first schema.
--
-- Conventions: `*_ms` is milliseconds since the Unix epoch, UTC. Names that may hold any byte are BLOB, and their byte
-- order is the listing order. Enumerations are small integers whose meaning stands beside the column. "Owner" of a
-- table is the part of the port `MetaStore` that alone writes it.

-- Who owns buckets and access keys. Owner: accounts. Rows are never removed.
CREATE TABLE account (
    -- The account's id; its decimal form is the owner id on the wire. Never reused.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Display name, unique.
    name TEXT NOT NULL UNIQUE
) STRICT;

-- Keys that sign requests. Owner: accounts. Rows are never removed, a key is disabled instead.
CREATE TABLE access_key (
    -- The public id.
    id TEXT NOT NULL PRIMARY KEY,
    -- The secret as it is; signatures are HMACs, so it must be recoverable. The file is readable by its owner only.
    secret TEXT NOT NULL,
    -- The account it speaks for.
    account INTEGER NOT NULL REFERENCES account (id),
    -- 1 authenticates, 0 is disabled.
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    -- When it was first put.
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Buckets. Owner: buckets.
CREATE TABLE bucket (
    -- Identity; never reused, so a bucket made again under its old name is another one.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Name, unique in the service; only a-z 0-9 - and dot.
    name TEXT NOT NULL UNIQUE,
    -- The owning account.
    owner INTEGER NOT NULL REFERENCES account (id),
    -- 0 private, 1 public-read, 2 public-read-write.
    acl INTEGER NOT NULL CHECK (acl IN (0, 1, 2)),
    -- When it was made.
    created_ms INTEGER NOT NULL,
    -- CORS rules as JSON (`records::CorsConfig`). NULL: none are set.
    cors TEXT
) STRICT;
-- An account's buckets in order of name.
CREATE INDEX bucket_by_owner ON bucket (owner, name);

-- Objects without their bodies. Clustered by key, so that a listing reads neighbouring pages; what a listing shows stands
-- before what may be long. Owner: objects.
CREATE TABLE object (
    -- The bucket.
    bucket INTEGER NOT NULL REFERENCES bucket (id),
    -- The key, 1 to 1024 bytes of any value.
    key BLOB NOT NULL,
    -- 0 normal, 1 multipart, 2 appendable.
    kind INTEGER NOT NULL CHECK (kind IN (0, 1, 2)),
    -- Bytes of the body; the sum of its extents' lengths.
    size INTEGER NOT NULL CHECK (size >= 0),
    -- When this body was committed.
    modified_ms INTEGER NOT NULL,
    -- 16 bytes of the entity tag.
    etag BLOB NOT NULL,
    -- Part count of the tag's multipart form. NULL: the tag is a plain digest.
    etag_parts INTEGER,
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
    PRIMARY KEY (bucket, key)
) STRICT, WITHOUT ROWID;

-- The pieces of bodies. A rowid table, because rows with inline bytes are long. Owner: objects.
CREATE TABLE extent (
    -- Only gives rows a place; not referred to.
    id INTEGER PRIMARY KEY,
    -- The body it belongs to: exactly one `object.body`.
    body INTEGER NOT NULL,
    -- Place in the body, from 0 without gaps.
    ordinal INTEGER NOT NULL,
    -- Bytes of this piece.
    length INTEGER NOT NULL CHECK (length >= 0),
    -- The blob that holds the bytes: 16 bytes, big-endian. NULL: they are inline.
    blob BLOB CHECK ((blob IS NULL) <> (bytes IS NULL)),
    -- First byte within the blob. NULL: inline.
    start INTEGER CHECK ((blob IS NULL) = (start IS NULL)),
    -- The bytes themselves, at most 32 KiB. NULL: they are in the blob.
    bytes BLOB
) STRICT;
-- A body's pieces in order; also gives the next free body number.
CREATE UNIQUE INDEX extent_by_body ON extent (body, ordinal);
-- Who names a blob: decides whether it became garbage.
CREATE INDEX extent_by_blob ON extent (blob) WHERE blob IS NOT NULL;

-- Blobs that lost their last name. A blob is never here and in `extent` at once. Owner: blobs.
CREATE TABLE garbage (
    -- The blob: 16 bytes, big-endian.
    blob BLOB NOT NULL PRIMARY KEY,
    -- When the last name went.
    since_ms INTEGER NOT NULL,
    -- 1: handed to the collector, its bytes may be gone, never name it again. 0: may be named again.
    taken INTEGER NOT NULL CHECK (taken IN (0, 1))
) STRICT, WITHOUT ROWID;
-- Oldest first.
CREATE INDEX garbage_by_since ON garbage (since_ms, blob);

-- Live channels as they are configured. Owner: channels.
CREATE TABLE channel (
    -- The bucket.
    bucket INTEGER NOT NULL REFERENCES bucket (id),
    -- Name, 1 to 63 bytes of UTF-8; BLOB because it may hold NUL.
    name BLOB NOT NULL,
    -- Free text.
    description TEXT NOT NULL,
    -- A display name. NULL: never set.
    display_name TEXT,
    -- 1 takes publishers, 0 refuses them.
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    -- Seconds that a fragment should last at least.
    frag_duration INTEGER NOT NULL,
    -- Fragments in the live window.
    frag_count INTEGER NOT NULL,
    -- Name of the playlist within the channel.
    playlist_name TEXT NOT NULL,
    -- Snapshot settings as JSON (`records::SnapshotConfig`). NULL: none.
    snapshot TEXT,
    -- When the name was first put.
    created_ms INTEGER NOT NULL,
    -- Last change of the settings.
    modified_ms INTEGER NOT NULL,
    PRIMARY KEY (bucket, name)
) STRICT, WITHOUT ROWID;
-- Publish URLs without a bucket.
CREATE INDEX channel_by_name ON channel (name, bucket);

-- What a channel name remembers for ever: outlives the channel, goes with the bucket. Owner: live.
CREATE TABLE channel_live (
    -- The bucket.
    bucket INTEGER NOT NULL REFERENCES bucket (id),
    -- The channel's name.
    channel BLOB NOT NULL,
    -- Epoch of the newest claim; a commit with an older one is refused.
    epoch INTEGER NOT NULL,
    -- The newest fragment name ever given. NULL: none yet.
    last_name_ms INTEGER,
    -- Sequence number of the next fragment.
    next_sequence INTEGER NOT NULL,
    PRIMARY KEY (bucket, channel)
) STRICT, WITHOUT ROWID;

-- Publishers' stays on channels, open and finished; goes with the channel. Owner: live.
CREATE TABLE connection (
    -- The bucket.
    bucket INTEGER NOT NULL,
    -- The channel.
    channel BLOB NOT NULL,
    -- The claim that opened it; orders a channel's history.
    epoch INTEGER NOT NULL,
    -- Identity: 16 bytes, big-endian.
    id BLOB NOT NULL,
    -- `ip:port` of the publisher.
    remote_addr TEXT NOT NULL,
    -- When publishing began.
    started_ms INTEGER NOT NULL,
    -- End of its newest stored fragment. NULL: none stored.
    stored_until_ms INTEGER,
    -- When it ended. NULL: it is open.
    ended_ms INTEGER,
    -- Why it ended (`records::TerminationCause`). NULL: it is open.
    cause TEXT CHECK ((cause IS NULL) = (ended_ms IS NULL)),
    PRIMARY KEY (bucket, channel, epoch),
    FOREIGN KEY (bucket, channel) REFERENCES channel (bucket, name)
) STRICT, WITHOUT ROWID;
-- At most one open connection a channel.
CREATE UNIQUE INDEX connection_open ON connection (bucket, channel) WHERE ended_ms IS NULL;

-- Stored fragments: a row stands exactly as long as the object `{channel}/{name_ms}.ts`. Owner: live; objects removes.
CREATE TABLE fragment (
    -- The bucket.
    bucket INTEGER NOT NULL REFERENCES bucket (id),
    -- The channel's name; the channel itself may be gone.
    channel BLOB NOT NULL,
    -- The fragment's name: milliseconds since the epoch; strictly grows in a channel.
    name_ms INTEGER NOT NULL,
    -- Counts a channel's fragments from 0 over all connections.
    sequence INTEGER NOT NULL,
    -- Duration in ticks of 90 kHz.
    duration_ticks INTEGER NOT NULL,
    -- 1: its timeline does not continue the fragment before it.
    discontinuity INTEGER NOT NULL CHECK (discontinuity IN (0, 1)),
    PRIMARY KEY (bucket, channel, name_ms)
) STRICT, WITHOUT ROWID;

-- The sliding window of each live playlist ever written; outlives the channel, goes with the bucket. Owner: live.
CREATE TABLE playlist_window (
    -- The bucket.
    bucket INTEGER NOT NULL REFERENCES bucket (id),
    -- The channel's name.
    channel BLOB NOT NULL,
    -- Name of the playlist within the channel.
    playlist_name TEXT NOT NULL,
    -- EXT-X-MEDIA-SEQUENCE of the first entry.
    media_sequence INTEGER NOT NULL,
    -- EXT-X-DISCONTINUITY-SEQUENCE of the first entry.
    discontinuity_sequence INTEGER NOT NULL,
    -- EXT-X-TARGETDURATION, seconds.
    target_duration INTEGER NOT NULL,
    -- Entries, oldest first; each is i64 name in milliseconds, i64 duration in ticks of 90 kHz, u8 discontinuity,
    -- little-endian.
    entries BLOB NOT NULL,
    PRIMARY KEY (bucket, channel, playlist_name)
) STRICT, WITHOUT ROWID;
