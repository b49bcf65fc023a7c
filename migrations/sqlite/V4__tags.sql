-- Tags. Conventions as in the first schema.

-- The bucket's tags as JSON (a list of `records::Tag`). NULL: none.
ALTER TABLE bucket ADD COLUMN tags TEXT;
-- The object's tags, in the same form. NULL: none.
ALTER TABLE object ADD COLUMN tags TEXT;
-- Tags of the object to make, in the same form. NULL: none.
ALTER TABLE upload ADD COLUMN tags TEXT;
