-- What each bucket holds, counted as it changes. Conventions as in the first schema.

-- Counters of a bucket, so that asking for them reads one row whatever the bucket holds. A row stands exactly as long as its
-- bucket. Owner: objects; uploads and buckets count here too.
CREATE TABLE bucket_usage (
    -- The bucket.
    bucket INTEGER NOT NULL PRIMARY KEY REFERENCES bucket (id),
    -- Rows of `object`.
    objects INTEGER NOT NULL DEFAULT 0 CHECK (objects >= 0),
    -- The sum of their sizes.
    bytes INTEGER NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    -- Rows of `upload`.
    uploads INTEGER NOT NULL DEFAULT 0 CHECK (uploads >= 0),
    -- Rows of `part` of these uploads.
    parts INTEGER NOT NULL DEFAULT 0 CHECK (parts >= 0)
) STRICT;

INSERT INTO bucket_usage (bucket, objects, bytes, uploads, parts)
SELECT id,
       (SELECT count(*) FROM object o WHERE o.bucket = b.id),
       (SELECT coalesce(sum(size), 0) FROM object o WHERE o.bucket = b.id),
       (SELECT count(*) FROM upload u WHERE u.bucket = b.id),
       (SELECT count(*) FROM upload u JOIN part p ON p.upload = u.id WHERE u.bucket = b.id)
FROM bucket b;
