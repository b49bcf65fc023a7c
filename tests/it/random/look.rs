//! Reading, and comparing what is read with the model.

use std::collections::BTreeMap;

use super::model::{Entry, Kind, Model, Object, Place, Upload, md5_hex};
use super::wire::{Call, Cut, Dialect, text, texts, url_decoded};
use super::worker::Worker;
use crate::support::http::Response;

/// Why what was read is not what was expected.
type Fault = String;

impl Worker {
    // ---- single objects ----------------------------------------------------------------------------------------

    pub(super) async fn read_some(&mut self) -> Result<(), Cut> {
        let place = self.some_place();
        match (self.chance.below(4), self.model.objects.get(&place).cloned()) {
            (0, Some(object)) if !object.body.is_empty() => self.read_range(&place, &object).await,
            (1, Some(object)) => self.read_conditionally(&place, &object).await,
            _ => self.must_agree(&place).await,
        }
    }

    fn some_place(&mut self) -> Place {
        if self.model.objects.is_empty() || self.chance.percent(10) {
            return ("left".into(), format!("{}none/{}", self.prefix(), self.chance.below(100)));
        }
        let at = self.chance.below(self.model.objects.len());
        self.model.objects.keys().nth(at).cloned().expect("below its length")
    }

    /// The server shows what the model has under this key.
    pub async fn must_agree(&mut self, place: &Place) -> Result<(), Cut> {
        let expected = self.model.objects.get(place).cloned();
        if let Err(fault) = self.compare(place, expected.as_ref()).await? {
            self.fail(format!("{place:?}: {fault}"));
        }
        Ok(())
    }

    /// Reads an object whole, with its tags and its ACL.
    pub async fn compare(&mut self, place: &Place, expected: Option<&Object>) -> Result<Result<(), Fault>, Cut> {
        let dialect = self.dialect();
        let got = self.send(Call::new(dialect, "GET", &place.0, &place.1)).await?;
        let Some(object) = expected else {
            return Ok(if got.status == 404 { Ok(()) } else { Err(format!("status {} instead of 404", got.status)) });
        };
        if let Err(fault) = compare_body(&got, object, dialect) {
            return Ok(Err(fault));
        }
        let head = self.send(Call::new(dialect, "HEAD", &place.0, &place.1)).await?;
        if head.header("content-length") != object.body.len().to_string() || head.header("etag") != got.header("etag") {
            return Ok(Err(format!("HEAD differs from GET: {:?}", head.headers)));
        }
        let tags = self.send(Call::new(dialect, "GET", &place.0, &place.1).query("tagging", "")).await?.text();
        let found: BTreeMap<String, String> = texts(&tags, "Key").into_iter().zip(texts(&tags, "Value")).collect();
        if found != object.dress.tags {
            return Ok(Err(format!("tags {found:?} instead of {:?}", object.dress.tags)));
        }
        let acl = self.send(Call::new(Dialect::Oss, "GET", &place.0, &place.1).query("acl", "")).await?;
        let found = text(&acl.text(), "Grant");
        if found != object.acl.unwrap_or("default") {
            return Ok(Err(format!("ACL {found} instead of {:?}", object.acl)));
        }
        Ok(Ok(()))
    }

    async fn read_range(&mut self, place: &Place, object: &Object) -> Result<(), Cut> {
        let (dialect, size) = (self.dialect(), object.body.len());
        let first = self.chance.below(size);
        let (range, part) = match self.chance.below(4) {
            0 => (format!("bytes={first}-"), Some(first..size)),
            1 => (format!("bytes=-{}", first + 1), Some(size - first - 1..size)),
            2 => (format!("bytes={size}-"), None),
            _ => {
                let last = first + self.chance.below(size - first);
                (format!("bytes={first}-{last}"), Some(first..last + 1))
            }
        };
        let call = Call::new(dialect, "GET", &place.0, &place.1).header("range", &range);
        let got = self.send(call.own("range-behavior", "standard")).await?;
        let agrees = match &part {
            Some(part) => got.status == 206 && got.body == object.body[part.clone()],
            None => got.status == 416,
        };
        if !agrees {
            self.fail(format!("{place:?} of {size} bytes, {range}: {} with {} bytes", got.status, got.body.len()));
        }
        Ok(())
    }

    async fn read_conditionally(&mut self, place: &Place, object: &Object) -> Result<(), Cut> {
        let dialect = self.dialect();
        let Some(etag) = object.etag_text(dialect) else { return self.must_agree(place).await };
        let other = format!("\"{}\"", md5_hex(b"other"));
        let (name, value, status) = match self.chance.below(4) {
            0 => ("if-match", etag, 200),
            1 => ("if-match", other, 412),
            2 => ("if-none-match", etag, 304),
            _ => ("if-none-match", other, 200),
        };
        let call = Call::new(dialect, "GET", &place.0, &place.1).header(name, &value);
        let got = self.send(call).await?;
        if got.status != status || (status == 200 && got.body != object.body) {
            self.fail(format!("{place:?} {name}: {value}: {}", got.status));
        }
        Ok(())
    }

    // ---- listings ----------------------------------------------------------------------------------------------

    pub(super) async fn list(&mut self) -> Result<(), Cut> {
        let own = self.own_bucket();
        let bucket = match self.chance.below(3) {
            0 if self.model.own_bucket => own,
            1 => "right".to_owned(),
            _ => "left".to_owned(),
        };
        let at = self.prefix();
        let inside: Vec<&String> = self.model.objects.keys().map(|(_, key)| key).collect();
        let prefix = match self.chance.below(3) {
            0 if !inside.is_empty() => {
                let key = inside[self.chance.clone().below(inside.len())];
                let end = (at.len()..=key.len()).filter(|end| key.is_char_boundary(*end)).nth(self.chance.below(3));
                key[..end.unwrap_or(at.len())].to_owned()
            }
            _ => at,
        };
        let delimiter = self.chance.percent(60).then_some("/");
        let limit = if self.chance.percent(50) { 1 + self.chance.below(5) } else { 1_000 };
        self.list_whole(&bucket, &prefix, delimiter, limit).await
    }

    /// Every page of a listing, against the model's.
    pub async fn list_whole(
        &mut self,
        bucket: &str,
        prefix: &str,
        delimiter: Option<&str>,
        limit: usize,
    ) -> Result<(), Cut> {
        let (dialect, second) = (self.dialect(), self.chance.percent(50));
        let mut expected = self.model.listing(bucket, prefix, delimiter, "");
        let mut call = Call::new(dialect, "GET", bucket, "").query("prefix", prefix).query("max-keys", limit);
        if let Some(delimiter) = delimiter {
            call = call.query("delimiter", delimiter);
        }
        if second {
            call = call.query("list-type", 2);
        }
        if self.chance.percent(50) {
            call = call.query("encoding-type", "url");
        }
        let mut marker: Option<(&str, String)> = None;
        loop {
            let page = match &marker {
                Some((name, value)) => call.clone().query(name, value),
                None => call.clone(),
            };
            let got = self.send(page).await?;
            let document = got.text();
            let found = self.entries(&document, bucket, dialect);
            let wanted: Vec<Entry> = expected.drain(..limit.min(expected.len())).collect();
            let truncated = text(&document, "IsTruncated") == "true";
            if found != wanted || truncated == expected.is_empty() {
                self.fail(format!("{found:?} instead of {wanted:?}, {} to come: {document}", expected.len()));
            }
            if !truncated {
                return Ok(());
            }
            let Some(Entry::Object(last) | Entry::Prefix(last)) = wanted.last() else { unreachable!("a page of none") };
            marker = Some(match second {
                true => ("continuation-token", text(&document, "NextContinuationToken")),
                false => ("marker", last.clone()),
            });
        }
    }

    /// A page's entries in order; those of objects are compared with the model.
    fn entries(&self, document: &str, bucket: &str, dialect: Dialect) -> Vec<Entry> {
        let plain = |name: String| if document.contains("<EncodingType>url<") { url_decoded(&name) } else { name };
        let mut entries: Vec<Entry> = Vec::new();
        for block in document.split("<Contents>").skip(1) {
            let block = block.split("</Contents>").next().unwrap_or_default();
            let key = plain(text(block, "Key"));
            let object = self.model.objects.get(&(bucket.to_owned(), key.clone()));
            let Some(object) = object else { self.fail(format!("{key:?} is listed: {document}")) };
            let size = text(block, "Size");
            let etag = object.etag_text(dialect).unwrap_or_else(|| text(block, "ETag"));
            if size != object.body.len().to_string() || text(block, "ETag") != etag {
                self.fail(format!("{key:?}, {} bytes with the tag {etag}: {block}", object.body.len()));
            }
            entries.push(Entry::Object(key));
        }
        for block in document.split("<CommonPrefixes>").skip(1) {
            // One element may hold several prefixes.
            let block = block.split("</CommonPrefixes>").next().unwrap_or_default();
            entries.extend(texts(block, "Prefix").into_iter().map(|prefix| Entry::Prefix(plain(prefix))));
        }
        entries.sort_by(|a, b| name_of(a).cmp(name_of(b)));
        entries
    }

    pub(super) async fn list_uploads(&mut self) -> Result<(), Cut> {
        for bucket in self.buckets() {
            let (dialect, prefix) = (self.dialect(), self.prefix());
            let found = self.uploads_of(dialect, &bucket, &prefix).await?;
            let mut wanted: Vec<String> =
                self.model.uploads.iter().filter(|(_, u)| u.bucket == bucket).map(|(id, _)| id.clone()).collect();
            wanted.sort();
            if found != wanted {
                self.fail(format!("uploads in {bucket}: {found:?} instead of {wanted:?}"));
            }
        }
        let uploads = self.model.uploads.clone();
        for (id, upload) in uploads {
            let dialect = self.dialect();
            let call = Call::new(dialect, "GET", &upload.bucket, &upload.key).query("uploadId", &id);
            let document = self.send(call).await?.text();
            let found: Vec<String> = texts(&document, "PartNumber")
                .into_iter()
                .zip(texts(&document, "Size"))
                .map(|(number, size)| format!("{number}:{size}"))
                .collect();
            let wanted: Vec<String> = upload.parts.iter().map(|(n, body)| format!("{n}:{}", body.len())).collect();
            if found != wanted {
                self.fail(format!("parts of {id}: {found:?} instead of {wanted:?}: {document}"));
            }
        }
        Ok(())
    }

    async fn uploads_of(&mut self, dialect: Dialect, bucket: &str, prefix: &str) -> Result<Vec<String>, Cut> {
        let call = Call::new(dialect, "GET", bucket, "").query("uploads", "").query("prefix", prefix);
        let document = self.send(call).await?.text();
        let mut ids = texts(&document, "UploadId");
        ids.sort();
        Ok(ids)
    }

    /// Buckets that are there.
    fn buckets(&self) -> Vec<String> {
        let own = self.model.own_bucket.then(|| self.own_bucket());
        ["left".to_owned(), "right".to_owned()].into_iter().chain(own).collect()
    }

    // ---- after a kill, and at the end --------------------------------------------------------------------------

    /// Finds out whether the request that was cut was carried out: it was wholly, or not at all.
    pub async fn resolve(&mut self) -> Result<(), Cut> {
        let Some(mut after) = self.pending.take() else { return Ok(()) };
        let before = self.model.clone();
        let is_there = self.own_bucket_is_there().await?;
        let mut faults: [Vec<Fault>; 2] = [Vec::new(), Vec::new()];
        for (side, model) in [&before, &after].into_iter().enumerate() {
            if model.own_bucket != is_there {
                faults[side].push(format!("its own bucket is there: {is_there}"));
            }
        }
        if after.uploads.contains_key("?") {
            // Begun, and the id was never heard: what is listed and not known is it.
            match self.unknown_upload(&before).await? {
                Some(id) => {
                    let upload = after.uploads.remove("?").expect("it is there");
                    after.uploads.insert(id, upload);
                    faults[0].push("an upload was begun".into());
                }
                None => faults[1].push("no upload was begun".into()),
            }
        }
        for place in before.places_that_differ(&after) {
            for (side, model) in [&before, &after].into_iter().enumerate() {
                let object = model.objects.get(&place).cloned();
                faults[side].extend(self.compare(&place, object.as_ref()).await?.err());
            }
        }
        for (side, model) in [&before, &after].into_iter().enumerate() {
            let other = [&after, &before][side];
            let gone = other.uploads.keys().filter(|id| *id != "?" && !model.uploads.contains_key(*id));
            let gone: Vec<(String, Upload)> = gone.map(|id| (id.clone(), other.uploads[id].clone())).collect();
            faults[side].extend(self.uploads_differ(model, &gone).await?);
        }
        match faults.each_ref().map(Vec::is_empty) {
            [_, true] => self.model = after,
            [true, false] => {}
            [false, false] => self.fail(format!("neither before nor after the request that was cut: {faults:?}")),
        }
        Ok(())
    }

    async fn own_bucket_is_there(&mut self) -> Result<bool, Cut> {
        let call = Call::new(Dialect::S3, "HEAD", &self.own_bucket(), "");
        Ok(self.send(call).await?.status == 200)
    }

    async fn unknown_upload(&mut self, known: &Model) -> Result<Option<String>, Cut> {
        let prefix = self.prefix();
        for bucket in self.buckets() {
            let ids = self.uploads_of(Dialect::Oss, &bucket, &prefix).await?;
            let unknown = ids.into_iter().find(|id| !known.uploads.contains_key(id));
            if unknown.is_some() {
                return Ok(unknown);
            }
        }
        Ok(None)
    }

    /// Why the server's uploads are not the model's, or not without those that are `gone`.
    async fn uploads_differ(&mut self, model: &Model, gone: &[(String, Upload)]) -> Result<Option<Fault>, Cut> {
        let parts_of = |id: &str, upload: &Upload| {
            Call::new(Dialect::Oss, "GET", &upload.bucket, &upload.key).query("uploadId", id)
        };
        for (id, upload) in gone {
            let status = self.send(parts_of(id, upload)).await?.status;
            if status != 404 {
                return Ok(Some(format!("upload {id} is still there: {status}")));
            }
        }
        for (id, upload) in model.uploads.iter().filter(|(id, _)| *id != "?") {
            let got = self.send(parts_of(id, upload)).await?;
            let tags = texts(&got.text(), "ETag");
            let wanted: Vec<String> =
                upload.parts.values().map(|part| format!("\"{}\"", md5_hex(part).to_uppercase())).collect();
            if got.status != 200 || tags != wanted {
                return Ok(Some(format!("upload {id}: {} {tags:?} instead of {wanted:?}", got.status)));
            }
        }
        Ok(None)
    }

    /// Everything that the model knows.
    pub async fn verify_all(&mut self) -> Result<(), Cut> {
        let places: Vec<Place> = self.model.objects.keys().cloned().collect();
        for place in places {
            self.must_agree(&place).await?;
        }
        let prefix = self.prefix();
        for bucket in self.buckets() {
            self.list_whole(&bucket, &prefix, None, 1_000).await?;
            self.list_whole(&bucket, &prefix, Some("/"), 3).await?;
        }
        self.list_uploads().await
    }

    /// A few keys, so that a fault shows itself near its cause.
    pub async fn verify_some(&mut self, count: usize) -> Result<(), Cut> {
        for _ in 0..count {
            let place = self.some_place();
            self.must_agree(&place).await?;
        }
        Ok(())
    }
}

fn name_of(entry: &Entry) -> &str {
    let (Entry::Object(name) | Entry::Prefix(name)) = entry;
    name
}

fn compare_body(got: &Response, object: &Object, dialect: Dialect) -> Result<(), Fault> {
    let told = |name: &str| got.header(&dialect.header(name)).to_owned();
    if got.status != 200 || got.body != object.body {
        let (is, should) = (md5_hex(&got.body), md5_hex(&object.body));
        let (is_long, should_long) = (got.body.len(), object.body.len());
        return Err(format!("{} {is_long} bytes ({is}) instead of {should_long} ({should})", got.status));
    }
    if object.etag_text(dialect).is_some_and(|etag| etag != got.header("etag")) {
        return Err(format!("tag {} instead of {:?}", got.header("etag"), object.etag));
    }
    if object.dress.content_type.as_deref().is_some_and(|wanted| wanted != got.header("content-type")) {
        return Err(format!("type {} instead of {:?}", got.header("content-type"), object.dress.content_type));
    }
    let prefix = dialect.header("meta-");
    let found = got.headers.iter().filter_map(|(name, value)| {
        Some((name.as_str().strip_prefix(&prefix)?.to_owned(), value.to_str().ok()?.to_owned()))
    });
    let found: BTreeMap<String, String> = found.collect();
    if found != object.dress.meta {
        return Err(format!("metadata {found:?} instead of {:?}", object.dress.meta));
    }
    let count = told("tagging-count");
    if count != if object.dress.tags.is_empty() { String::new() } else { object.dress.tags.len().to_string() } {
        return Err(format!("{count} tags instead of {}", object.dress.tags.len()));
    }
    if dialect == Dialect::Oss {
        let kind = match object.kind {
            Kind::Normal => "Normal",
            Kind::Multipart => "Multipart",
            Kind::Appendable => "Appendable",
        };
        let crc64 = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Xz, &object.body).to_string();
        if told("object-type") != kind || told("hash-crc64ecma") != crc64 {
            return Err(format!(
                "{} with CRC {}, not {kind} with {crc64}",
                told("object-type"),
                told("hash-crc64ecma")
            ));
        }
    }
    Ok(())
}
