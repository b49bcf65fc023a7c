-- Temporary credentials. Conventions as in the first schema.

-- Credentials that sign for an access key until they expire. Owner: accounts. Removed some time after they expired, and
-- with the disabling of the key they were made of.
CREATE TABLE session_key (
    -- The public id.
    id TEXT NOT NULL PRIMARY KEY,
    -- The secret, sealed as those of access keys are.
    secret TEXT NOT NULL,
    -- SHA-256 of the token that comes with every use, 32 bytes: enough to compare, and nothing to steal.
    token_sha256 BLOB NOT NULL CHECK (length(token_sha256) = 32),
    -- The access key that it signs for.
    parent TEXT NOT NULL REFERENCES access_key (id),
    -- When it was made.
    created_ms INTEGER NOT NULL,
    -- From then on it signs nothing.
    expires_ms INTEGER NOT NULL,
    -- The policy that narrows it, JSON as it was given. NULL: none, it may what the key may.
    policy TEXT
) STRICT, WITHOUT ROWID;
-- What a key's disabling ends.
CREATE INDEX session_key_by_parent ON session_key (parent);
-- What can be forgotten.
CREATE INDEX session_key_by_expiry ON session_key (expires_ms);
