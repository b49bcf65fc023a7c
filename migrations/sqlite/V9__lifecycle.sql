-- Lifecycle rules. Conventions as in the first schema.

-- Rules of the buckets that have any. Beside `bucket`, because no request but their own reads them. Owner: buckets.
CREATE TABLE bucket_lifecycle (
    -- The bucket.
    bucket INTEGER NOT NULL PRIMARY KEY REFERENCES bucket (id),
    -- The rules as JSON (`lifecycle::Lifecycle`).
    rules TEXT NOT NULL
) STRICT;
