//! The checker: proves I1, I2 with I5, and I4 on stores that nobody writes to, in bounded memory, and changes nothing.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use md5::{Digest, Md5};

use crate::limits;
use crate::media::MediaTime;
use crate::media::time::rescale;
use crate::store::digest::Crc64;
use crate::store::{
    BlobId, BlobState, BlobStore, BucketId, ChannelName, Extent, MetaStore, ObjectKey, ObjectRecord, PartAudit, Result,
    StoreError, UploadId, VersionId, What, WindowAudit,
};

/// How thorough a check is.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckOptions {
    /// Read every byte and compare the checksums. Else lengths only.
    pub verify_bytes: bool,
}

/// What a check examined and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Objects, those that are not current included.
    pub objects: u64,
    /// Parts of open uploads.
    pub parts: u64,
    /// Extents of both.
    pub extents: u64,
    /// Bytes read and compared.
    pub bytes_verified: u64,
    /// Finished blobs.
    pub blobs: u64,
    /// Of them, garbage that waits to be collected.
    pub garbage: u64,
    /// Playlist windows.
    pub windows: u64,
    /// What is wrong; at most `limits::CHECK_FINDINGS_MAX`.
    pub findings: Vec<Finding>,
    /// Findings beyond these.
    pub findings_left_out: u64,
}

/// Which object, or which part of an open upload, a finding speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    /// Bucket.
    pub bucket: BucketId,
    /// Key.
    pub key: ObjectKey,
    /// The upload and the part's number; `None` for an object.
    pub part: Option<(UploadId, u32)>,
    /// The version, where it has an identity.
    pub version: Option<VersionId>,
}

/// Which playlist window a finding speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowName {
    /// Bucket.
    pub bucket: BucketId,
    /// Channel.
    pub channel: ChannelName,
    /// Playlist.
    pub playlist: String,
}

/// One breach of an invariant.
#[allow(missing_docs, reason = "the sentence above a variant, and its text form, say what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// I1: an object names a blob that is not there.
    MissingBlob { object: ObjectName, blob: BlobId },
    /// I1: an object names bytes past the end of a blob, or of a sealed blob that is not what was written.
    ShortBlob { object: ObjectName, blob: BlobId, cause: String },
    /// The store could not read the bytes.
    Unreadable { object: ObjectName, blob: BlobId, cause: String },
    /// The object's length is not the sum of its extents' lengths.
    WrongSize { object: ObjectName, size: u64, extents: u64 },
    /// An extent is empty, longer than it may be, or overflows.
    BadExtent { object: ObjectName, index: usize },
    /// The bytes do not give the recorded CRC-64.
    WrongCrc64 { object: ObjectName, recorded: u64, computed: u64 },
    /// The bytes do not give the recorded MD5.
    WrongMd5 { object: ObjectName, recorded: [u8; 16], computed: [u8; 16] },
    /// I2, I5: an object names a blob that metadata holds for something else.
    StateOfNamedBlob { object: ObjectName, blob: BlobId, state: BlobState },
    /// I5: a blob that is neither named nor garbage. In a stopped service none is in flight.
    UnnamedBlob { blob: BlobId, length: u64 },
    /// I4: a playlist names fragments whose objects are gone though their index rows are not.
    DanglingFragments { window: WindowName, names_ms: Vec<i64> },
    /// I7: a window's fragment names do not strictly grow.
    WindowOrder { window: WindowName, name_ms: i64 },
    /// I7: the target duration is below a rounded fragment duration.
    TargetDuration { window: WindowName, target: u32, name_ms: i64 },
    /// The backend's own integrity check failed.
    Backend(String),
    /// Some of these could not be looked at: the walk over them ended early.
    Unwalked { what: &'static str, cause: String },
}

impl fmt::Display for CheckReport {
    /// One line a finding, then one line of counts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        if self.findings_left_out > 0 {
            writeln!(f, "and {} more findings", self.findings_left_out)?;
        }
        writeln!(
            f,
            "{}: {} objects, {} parts of open uploads, {} extents, {} blobs ({} garbage), {} playlist windows, \
             {} bytes verified",
            if self.is_clean() { "clean" } else { "NOT CLEAN" },
            self.objects,
            self.parts,
            self.extents,
            self.blobs,
            self.garbage,
            self.windows,
            self.bytes_verified,
        )
    }
}

impl CheckReport {
    /// Nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.findings_left_out == 0
    }

    /// A walk that ended at damage is a finding.
    fn walked(&mut self, what: &'static str, walked: Result<()>) -> Result<()> {
        match walked {
            Err(StoreError::Corrupt(cause)) => self.find(Finding::Unwalked { what, cause }),
            other => other?,
        }
        Ok(())
    }

    fn find(&mut self, finding: Finding) {
        if self.findings.len() < limits::CHECK_FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.findings_left_out += 1;
        }
    }
}

/// Checks the stores. What is damaged is a finding, and does not keep the rest from being checked. Errors only when the
/// metadata or the list of blobs cannot be read now (`Unavailable`): then nothing is proved either way.
pub async fn check(meta: &dyn MetaStore, blobs: &dyn BlobStore, options: CheckOptions) -> Result<CheckReport> {
    let mut report = CheckReport::default();
    let audited = check_backend(meta, &mut report).await;
    report.walked("rows", audited)?;
    let walked = check_objects(meta, blobs, options, &mut report).await;
    report.walked("objects", walked)?;
    let walked = check_versions(meta, blobs, options, &mut report).await;
    report.walked("versions behind the current ones", walked)?;
    let walked = check_parts(meta, blobs, options, &mut report).await;
    report.walked("parts of open uploads", walked)?;
    let walked = check_blobs(meta, blobs, &mut report).await;
    report.walked("blobs", walked)?;
    let walked = check_windows(meta, &mut report).await;
    report.walked("playlist windows", walked)?;
    Ok(report)
}

async fn check_backend(meta: &dyn MetaStore, report: &mut CheckReport) -> Result<()> {
    for line in meta.audit_backend().await? {
        report.find(Finding::Backend(line));
    }
    Ok(())
}

async fn check_windows(meta: &dyn MetaStore, report: &mut CheckReport) -> Result<()> {
    for window in meta.audit_windows().await? {
        report.windows += 1;
        check_window(&window, report);
    }
    Ok(())
}

/// What has bytes: an object, or a part of an open upload.
pub(super) struct Body<'a> {
    name: ObjectName,
    size: u64,
    crc64: u64,
    md5: Option<[u8; 16]>,
    extents: &'a [Extent],
}

impl<'a> From<&'a ObjectRecord> for Body<'a> {
    fn from(object: &'a ObjectRecord) -> Self {
        Body {
            name: ObjectName { bucket: object.bucket, key: object.key.clone(), part: None, version: object.version },
            size: object.size,
            crc64: object.crc64,
            md5: object.content_md5,
            extents: &object.extents,
        }
    }
}

impl<'a> From<&'a PartAudit> for Body<'a> {
    fn from(audit: &'a PartAudit) -> Self {
        let part = audit.part.summary;
        let place = Some((audit.upload, part.number));
        let name = ObjectName { bucket: audit.bucket, key: audit.key.clone(), part: place, version: None };
        Body { name, size: part.size, crc64: part.crc64, md5: Some(part.md5), extents: &audit.part.extents }
    }
}

impl Body<'_> {
    /// The blobs that it names, and the range of each; ranges that overflow are left out.
    fn blob_ranges(&self) -> impl Iterator<Item = (BlobId, std::ops::Range<u64>)> + '_ {
        self.extents.iter().filter_map(|extent| match extent {
            Extent::Blob { id, offset, length } => Some((*id, *offset..offset.checked_add(*length)?)),
            Extent::Inline(_) => None,
        })
    }
}

async fn check_objects(
    meta: &dyn MetaStore,
    blobs: &dyn BlobStore,
    options: CheckOptions,
    report: &mut CheckReport,
) -> Result<()> {
    let mut after = None;
    loop {
        let page = meta.audit_objects(after, limits::CHECK_PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some((last.bucket, last.key.clone()));
        report.objects += page.len() as u64;
        let bodies: Vec<Body<'_>> = page.iter().map(Body::from).collect();
        check_bodies(meta, blobs, options, &bodies, report).await?;
    }
}

async fn check_versions(
    meta: &dyn MetaStore,
    blobs: &dyn BlobStore,
    options: CheckOptions,
    report: &mut CheckReport,
) -> Result<()> {
    let mut after = None;
    loop {
        let page = meta.audit_versions(after, limits::CHECK_PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some((last.bucket, last.key.clone(), last.version));
        report.objects += page.len() as u64;
        let bodies: Vec<Body<'_>> = page.iter().map(Body::from).collect();
        check_bodies(meta, blobs, options, &bodies, report).await?;
    }
}

async fn check_parts(
    meta: &dyn MetaStore,
    blobs: &dyn BlobStore,
    options: CheckOptions,
    report: &mut CheckReport,
) -> Result<()> {
    let mut after = None;
    loop {
        let page = meta.audit_parts(after, limits::CHECK_PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some((last.upload, last.part.summary.number));
        report.parts += page.len() as u64;
        let bodies: Vec<Body<'_>> = page.iter().map(Body::from).collect();
        check_bodies(meta, blobs, options, &bodies, report).await?;
    }
}

async fn check_bodies(
    meta: &dyn MetaStore,
    blobs: &dyn BlobStore,
    options: CheckOptions,
    bodies: &[Body<'_>],
    report: &mut CheckReport,
) -> Result<()> {
    let states = states_of(meta, bodies).await?;
    for body in bodies {
        check_extents(body, &states, report);
        if options.verify_bytes {
            check_bytes(blobs, body, report).await;
        } else {
            check_presence(blobs, body, report).await;
        }
    }
    Ok(())
}

async fn states_of(meta: &dyn MetaStore, bodies: &[Body<'_>]) -> Result<HashMap<BlobId, BlobState>> {
    let named: BTreeMap<BlobId, ()> = bodies.iter().flat_map(Body::blob_ranges).map(|(id, _)| (id, ())).collect();
    let ids: Vec<BlobId> = named.into_keys().collect();
    let mut states = HashMap::with_capacity(ids.len());
    for ids in ids.chunks(limits::SWEEP_PAGE) {
        states.extend(ids.iter().copied().zip(meta.blob_states(ids).await?));
    }
    Ok(states)
}

/// What the record says of itself, and metadata of the blobs.
pub(super) fn check_extents(body: &Body<'_>, states: &HashMap<BlobId, BlobState>, report: &mut CheckReport) {
    let mut sum = 0u64;
    for (index, extent) in body.extents.iter().enumerate() {
        report.extents += 1;
        sum = sum.saturating_add(extent.length());
        let sound = match extent {
            Extent::Inline(bytes) => !bytes.is_empty() && bytes.len() <= limits::INLINE_BYTES_MAX,
            Extent::Blob { offset, length, .. } => *length > 0 && offset.checked_add(*length).is_some(),
        };
        if !sound {
            report.find(Finding::BadExtent { object: body.name.clone(), index });
        }
    }
    if sum != body.size {
        report.find(Finding::WrongSize { object: body.name.clone(), size: body.size, extents: sum });
    }
    for (blob, range) in body.blob_ranges() {
        let state = states.get(&blob).copied().unwrap_or(BlobState::Unknown);
        if !matches!(state, BlobState::Named(end) if end >= range.end) {
            report.find(Finding::StateOfNamedBlob { object: body.name.clone(), blob, state });
        }
    }
}

/// Every blob is there and long enough.
async fn check_presence(blobs: &dyn BlobStore, body: &Body<'_>, report: &mut CheckReport) {
    for (blob, range) in body.blob_ranges() {
        if let Err(error) = blobs.open(blob, range).await {
            report.find(unreadable(body, blob, error));
        }
    }
}

/// The same, and the bytes are the ones that were put.
async fn check_bytes(blobs: &dyn BlobStore, body: &Body<'_>, report: &mut CheckReport) {
    let (mut crc64, mut md5) = (Crc64::new(), body.md5.map(|_| Md5::new()));
    let mut whole = true;
    let mut take = |piece: &[u8]| {
        crc64.update(piece);
        if let Some(md5) = &mut md5 {
            md5.update(piece);
        }
        report.bytes_verified += piece.len() as u64;
    };
    let mut failures = Vec::new();
    for extent in body.extents {
        match extent {
            Extent::Inline(bytes) => take(bytes),
            Extent::Blob { id, offset, length } => {
                let range = *offset..offset.saturating_add(*length);
                if let Err(error) = read(blobs, *id, range, &mut take).await {
                    failures.push(unreadable(body, *id, error));
                    whole = false;
                }
            }
        }
    }
    failures.into_iter().for_each(|finding| report.find(finding));
    if !whole {
        return;
    }
    let computed = crc64.value();
    if computed != body.crc64 {
        report.find(Finding::WrongCrc64 { object: body.name.clone(), recorded: body.crc64, computed });
    }
    if let (Some(recorded), Some(md5)) = (body.md5, md5) {
        let computed: [u8; 16] = md5.finalize().into();
        if computed != recorded {
            report.find(Finding::WrongMd5 { object: body.name.clone(), recorded, computed });
        }
    }
}

async fn read(
    blobs: &dyn BlobStore,
    id: BlobId,
    range: std::ops::Range<u64>,
    take: &mut (impl FnMut(&[u8]) + Send),
) -> Result<()> {
    let mut reader = blobs.open(id, range).await?;
    while let Some(piece) = reader.next().await? {
        take(&piece);
    }
    Ok(())
}

fn unreadable(body: &Body<'_>, blob: BlobId, error: StoreError) -> Finding {
    let object = body.name.clone();
    match error {
        StoreError::NotFound(What::Blob) => Finding::MissingBlob { object, blob },
        StoreError::Corrupt(cause) => Finding::ShortBlob { object, blob, cause },
        other => Finding::Unreadable { object, blob, cause: other.to_string() },
    }
}

/// Every blob is named or garbage.
async fn check_blobs(meta: &dyn MetaStore, blobs: &dyn BlobStore, report: &mut CheckReport) -> Result<()> {
    let mut mark = None;
    loop {
        let page = blobs.list(mark, limits::SWEEP_PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        mark = Some(last.id);
        let ids: Vec<BlobId> = page.iter().map(|entry| entry.id).collect();
        for (entry, state) in page.iter().zip(meta.blob_states(&ids).await?) {
            report.blobs += 1;
            match state {
                BlobState::Named(_) => {}
                BlobState::Garbage => report.garbage += 1,
                BlobState::Unknown => report.find(Finding::UnnamedBlob { blob: entry.id, length: entry.length }),
            }
        }
    }
}

pub(super) fn check_window(audit: &WindowAudit, report: &mut CheckReport) {
    let window =
        || WindowName { bucket: audit.bucket, channel: audit.channel.clone(), playlist: audit.playlist_name.clone() };
    if !audit.dangling.is_empty() {
        report.find(Finding::DanglingFragments { window: window(), names_ms: audit.dangling.clone() });
    }
    for pair in audit.window.entries.windows(2).filter(|pair| pair[0].name_ms >= pair[1].name_ms) {
        report.find(Finding::WindowOrder { window: window(), name_ms: pair[1].name_ms });
    }
    let target = audit.window.target_duration;
    for entry in &audit.window.entries {
        if rescale(entry.duration.0, 1, MediaTime::HZ) > i64::from(target) {
            report.find(Finding::TargetDuration { window: window(), target, name_ms: entry.name_ms });
        }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((upload, number)) = self.part {
            write!(f, "part {number} of upload {upload} to ")?;
        }
        if let Some(version) = self.version {
            write!(f, "version {version} of ")?;
        }
        write!(f, "object \"{}\" of bucket {}", self.key.as_bytes().escape_ascii(), self.bucket.0)
    }
}

impl fmt::Display for WindowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "playlist \"{}\" of channel \"{}\" of bucket {}", self.playlist, self.channel, self.bucket.0)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::MissingBlob { object, blob } => write!(f, "{object} names blob {blob}, which is missing"),
            Finding::ShortBlob { object, blob, cause } => {
                write!(f, "{object} names bytes that blob {blob} has not, or not whole: {cause}")
            }
            Finding::Unreadable { object, blob, cause } => {
                write!(f, "{object} names blob {blob}, which cannot be read: {cause}")
            }
            Finding::WrongSize { object, size, extents } => {
                write!(f, "{object} has {size} bytes, its extents have {extents}")
            }
            Finding::BadExtent { object, index } => write!(f, "{object} has an extent that cannot be, number {index}"),
            Finding::WrongCrc64 { object, recorded, computed } => {
                write!(f, "{object} has CRC-64 {computed}, recorded is {recorded}")
            }
            Finding::WrongMd5 { object, recorded, computed } => {
                write!(f, "{object} has MD5 {}, recorded is {}", hex::encode(computed), hex::encode(recorded))
            }
            Finding::StateOfNamedBlob { object, blob, state } => {
                let state = match state {
                    BlobState::Named(end) => format!("named up to byte {end} only"),
                    BlobState::Garbage => "garbage".into(),
                    BlobState::Unknown => "unknown".into(),
                };
                write!(f, "{object} names blob {blob}, which metadata holds to be {state}")
            }
            Finding::UnnamedBlob { blob, length } => {
                write!(f, "blob {blob} of {length} bytes is neither named nor garbage")
            }
            Finding::DanglingFragments { window, names_ms } => {
                write!(f, "{window} names fragments without objects: {names_ms:?}")
            }
            Finding::WindowOrder { window, name_ms } => {
                write!(f, "{window} names fragment {name_ms} behind one that is not older")
            }
            Finding::TargetDuration { window, target, name_ms } => {
                write!(f, "{window} has target duration {target}, below the rounded duration of fragment {name_ms}")
            }
            Finding::Backend(line) => write!(f, "metadata: {line}"),
            Finding::Unwalked { what, cause } => write!(f, "not all {what} could be looked at: {cause}"),
        }
    }
}
