-- Checksums that clients chose, with uploads and parts, and how completed uploads were cut. Conventions as in the first
-- schema. An object's own checksum stands in `object.attributes`.
--
-- Codes of algorithms: 0 CRC32, 1 CRC32C, 2 CRC64NVME, 3 SHA1, 4 SHA256.

-- Algorithm of the object's checksum to be. NULL: it will have none.
ALTER TABLE upload ADD COLUMN checksum_algorithm INTEGER CHECK (checksum_algorithm IN (0, 1, 2, 3, 4));
-- What that will be over: 0 all bytes, 1 the parts' checksums. NULL: there will be none.
ALTER TABLE upload ADD COLUMN checksum_type INTEGER CHECK (checksum_type IN (0, 1));
-- Checksum of the part: one byte of the algorithm's code, then the value. NULL: none was computed.
ALTER TABLE part ADD COLUMN checksum BLOB;
-- Checksum of the object that was made, as JSON (`checksum::ObjectChecksum`). NULL: it has none.
ALTER TABLE completed_upload ADD COLUMN checksum TEXT;

-- The parts that completed uploads' bodies were made of; read only when somebody asks for parts. Owner: uploads. A row goes
-- with its body. Bodies that were completed before this table, and copies, have none.
CREATE TABLE part_list (
    -- The extents' `extent.body`.
    body INTEGER NOT NULL PRIMARY KEY,
    -- Runs of parts of one size, in order; each is a u64 size and a u32 count, little-endian.
    sizes BLOB NOT NULL,
    -- Algorithm of the parts' checksums. NULL: not all have one.
    algorithm INTEGER CHECK (algorithm IN (0, 1, 2, 3, 4)),
    -- The parts' checksums in order, one after the other. NULL with `algorithm`.
    checksums BLOB
) STRICT;
