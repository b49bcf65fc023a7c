//! The parts that completed uploads' bodies were made of: see `part_list` in the schema.

use rusqlite::{Connection, params};

use super::error::{Sql, corrupt};
use super::query::{one, run};
use super::rows;
use crate::store::*;

/// Bytes of one packed run: a size and a count.
const RUN_BYTES: usize = 12;

/// Keeps the parts of an object that has just been placed. An empty body has no number that they could be kept under.
pub(super) fn remember(conn: &Connection, object: &ObjectRecord, parts: &[ObjectPart]) -> Sql<()> {
    let algorithm = parts.first().and_then(|part| part.checksum).map(|checksum| checksum.algorithm());
    let checksums: Vec<u8> =
        parts.iter().filter_map(|part| part.checksum).flat_map(|checksum| checksum.bytes().to_vec()).collect();
    run(
        conn,
        "INSERT OR REPLACE INTO part_list (body, sizes, algorithm, checksums) \
         SELECT body, ?3, ?4, ?5 FROM object WHERE bucket = ?1 AND key = ?2 AND body IS NOT NULL",
        params![
            object.bucket.0,
            object.key.as_bytes(),
            pack_sizes(parts),
            algorithm.map(rows::algorithm_code),
            algorithm.map(|_| checksums),
        ],
    )?;
    Ok(())
}

/// The list goes with its body.
pub(super) fn forget(conn: &Connection, body: i64) -> Sql<()> {
    run(conn, "DELETE FROM part_list WHERE body = ?1", [body])?;
    Ok(())
}

/// The parts of an object, current or not, as long as it is what it was when it was read.
pub(super) fn of_object(conn: &Connection, object: &ObjectRecord) -> Sql<Option<Vec<ObjectPart>>> {
    const THE_ONE: &str = "WHERE bucket = ?1 AND key = ?2 AND ifnull(version, x'') = ifnull(?3, x'') \
                           AND modified_ms = ?4 AND etag = ?5";
    let sql = format!(
        "SELECT sizes, algorithm, checksums FROM part_list WHERE body = \
         (SELECT body FROM object {THE_ONE} UNION ALL SELECT body FROM version {THE_ONE} LIMIT 1)"
    );
    let version = rows::version_bytes(object.version);
    let (key, etag) = (object.key.as_bytes(), object.etag.digest);
    one(conn, &sql, params![object.bucket.0, key, version, object.last_modified.0, etag], |row| {
        let sizes: Vec<u8> = row.get(0)?;
        let algorithm = row.get::<_, Option<u8>>(1)?.map(rows::algorithm).transpose()?;
        let checksums: Option<Vec<u8>> = row.get(2)?;
        unpack(&sizes, algorithm, &checksums.unwrap_or_default()).ok_or_else(|| corrupt("a list of parts"))
    })
}

fn pack_sizes(parts: &[ObjectPart]) -> Vec<u8> {
    let mut packed = Vec::new();
    for run in parts.chunk_by(|one, next| one.size == next.size) {
        packed.extend_from_slice(&run[0].size.to_le_bytes());
        // An object has ten thousand parts at most.
        packed.extend_from_slice(&u32::try_from(run.len()).unwrap_or(u32::MAX).to_le_bytes());
    }
    packed
}

fn unpack(sizes: &[u8], algorithm: Option<ChecksumAlgorithm>, checksums: &[u8]) -> Option<Vec<ObjectPart>> {
    let (runs, rest) = sizes.as_chunks::<RUN_BYTES>();
    let mut parts = Vec::new();
    for run in runs {
        let size = u64::from_le_bytes(run[..8].try_into().ok()?);
        let count = u32::from_le_bytes(run[8..].try_into().ok()?);
        // Damage must not cost more than a whole list does.
        let fits = parts.len() + count as usize <= crate::limits::PART_NUMBER_MAX as usize;
        parts.resize(fits.then_some(parts.len() + count as usize)?, ObjectPart { size, checksum: None });
    }
    if let Some(algorithm) = algorithm {
        let values = checksums.chunks_exact(algorithm.length());
        if values.len() != parts.len() || !values.remainder().is_empty() {
            return None;
        }
        for (part, value) in parts.iter_mut().zip(values) {
            part.checksum = Checksum::new(algorithm, value);
        }
    }
    rest.is_empty().then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_parts_take_one_run_and_every_list_reads_back() {
        let part = |size| ObjectPart { size, checksum: None };
        let mut parts = vec![part(8 << 20); 9_999];
        parts.push(part(5));
        assert_eq!(pack_sizes(&parts).len(), 2 * RUN_BYTES);
        assert_eq!(unpack(&pack_sizes(&parts), None, &[]), Some(parts));
        let sums = [&b"a"[..], b"b"].map(|bytes| Checksum::of(ChecksumAlgorithm::Crc64Nvme, bytes));
        let parts = sums.map(|checksum| ObjectPart { size: 1, checksum: Some(checksum) });
        let packed = [sums[0].bytes(), sums[1].bytes()].concat();
        let read = |packed: &[u8]| unpack(&pack_sizes(&parts), Some(ChecksumAlgorithm::Crc64Nvme), packed);
        assert_eq!(read(&packed), Some(parts.to_vec()));
        assert_eq!(read(&packed[..15]), None);
        assert_eq!(read(&packed[..8]), None);
        assert_eq!(unpack(&[0; 11], None, &[]), None);
        assert_eq!(unpack(&[0xff; 12], None, &[]), None);
    }
}
