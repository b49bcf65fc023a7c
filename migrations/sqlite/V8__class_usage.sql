-- Counters by storage class and of parts' bytes, and which bodies are finely cut. Conventions as in the first schema.

-- How many of `bucket_usage.objects`, and of its `bytes`, are of each class but Standard, which is the rest. A row stands from
-- the first object of the class on, as long as its bucket. Owner: objects.
CREATE TABLE class_usage (
    -- The bucket.
    bucket INTEGER NOT NULL REFERENCES bucket (id),
    -- Coded as `object.storage_class`; never Standard.
    storage_class INTEGER NOT NULL CHECK (storage_class IN (1, 2, 3, 4)),
    -- Rows of `object`, and of `version` but for delete markers.
    objects INTEGER NOT NULL CHECK (objects >= 0),
    -- The sum of their sizes.
    bytes INTEGER NOT NULL CHECK (bytes >= 0),
    PRIMARY KEY (bucket, storage_class)
) STRICT, WITHOUT ROWID;
INSERT INTO class_usage (bucket, storage_class, objects, bytes)
SELECT bucket, storage_class, count(*), sum(size)
FROM (
    SELECT bucket, storage_class, size FROM object
    UNION ALL SELECT bucket, storage_class, size FROM version WHERE marker = 0
)
WHERE storage_class <> 0
GROUP BY bucket, storage_class;

-- The sum of the sizes of the parts that `parts` counts.
ALTER TABLE bucket_usage ADD COLUMN part_bytes INTEGER NOT NULL DEFAULT 0 CHECK (part_bytes >= 0);
UPDATE bucket_usage SET part_bytes =
    (SELECT coalesce(sum(p.size), 0) FROM upload u JOIN part p ON p.upload = u.id WHERE u.bucket = bucket_usage.bucket);

-- 1: the body is cut so finely that it is worth writing anew (`meta::rules::is_finely_cut`). A hint for the job that does.
ALTER TABLE object ADD COLUMN finely_cut INTEGER NOT NULL DEFAULT 0 CHECK (finely_cut IN (0, 1));
UPDATE object SET finely_cut = 1
WHERE size <= 5368709120 AND body IN (
    SELECT a.body FROM extent a JOIN extent b ON b.body = a.body AND b.ordinal = a.ordinal + 1
    WHERE a.length < 1048576 AND b.length < 1048576
    GROUP BY a.body HAVING count(*) >= 32
);
-- The few that are.
CREATE INDEX object_finely_cut ON object (bucket, key) WHERE finely_cut = 1;
