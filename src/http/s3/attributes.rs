//! GetObjectAttributes: what an object is, without its bytes and its headers.

use http::header;
use s3s::dto::{GetObjectAttributesInput, ObjectAttributes};

use super::NAMESPACE;
use super::checksum::element_name;
use super::class::class_text;
use super::error::S3Fault;
use super::exchange::Ask;
use super::listing::page_size;
use super::selection::parts_of;
use super::versions;
use crate::http::server::{Answer, http_date};
use crate::http::xml::Writer;
use crate::store::{ObjectPart, ObjectRecord};

/// What may be asked for.
const NAMES: [&str; 5] = [
    ObjectAttributes::ETAG,
    ObjectAttributes::CHECKSUM,
    ObjectAttributes::OBJECT_PARTS,
    ObjectAttributes::STORAGE_CLASS,
    ObjectAttributes::OBJECT_SIZE,
];

pub(super) async fn read(ask: &Ask, input: GetObjectAttributesInput) -> Result<Answer, S3Fault> {
    let bucket = ask.bucket(&input.bucket).await?;
    let key = ask.key(&input.key)?;
    let object = versions::readable(ask, &bucket, &key, ask.version()?).await?;
    // The library takes a list in one header for one name.
    let lists = ask.headers.get_all("x-amz-object-attributes").iter().filter_map(|value| value.to_str().ok());
    let wanted: Vec<&str> = lists.flat_map(|list| list.split(',')).map(str::trim).collect();
    if let Some(unknown) = wanted.iter().find(|name| !NAMES.contains(name)) {
        return Err(S3Fault::invalid_argument("Invalid attribute name specified.", "x-amz-object-attributes", unknown));
    }
    let page = match wanted.contains(&ObjectAttributes::OBJECT_PARTS) {
        true => PartsPage::read(ask, &object, input.part_number_marker, input.max_parts).await?,
        false => None,
    };
    let mut answer = Answer::xml(document(&object, &wanted, page.as_ref()));
    versions::show(&bucket, object.version, &mut answer.headers);
    answer.headers.insert(header::LAST_MODIFIED, http_date(object.last_modified));
    Ok(answer)
}

fn document(object: &ObjectRecord, wanted: &[&str], page: Option<&PartsPage>) -> bytes::Bytes {
    let asks_for = |name: &str| wanted.contains(&name);
    Writer::document_in(NAMESPACE, "GetObjectAttributesResponse", |w| {
        if asks_for(ObjectAttributes::ETAG) {
            // Without its quotes, in this document alone.
            w.text("ETag", object.etag.to_lower_hex());
        }
        if let Some(checksum) = object.attributes.checksum.filter(|_| asks_for(ObjectAttributes::CHECKSUM)) {
            let form = checksum.form();
            w.element("Checksum", |w| {
                w.text(element_name(form.algorithm), checksum.text());
                w.text("ChecksumType", form.kind.name());
            });
        }
        if let Some(page) = page {
            w.element("ObjectParts", |w| page.write(w));
        }
        if asks_for(ObjectAttributes::STORAGE_CLASS) {
            w.text("StorageClass", class_text(object.storage_class));
        }
        if asks_for(ObjectAttributes::OBJECT_SIZE) {
            w.text("ObjectSize", object.size);
        }
    })
}

/// A page of the parts of an object that was uploaded in parts. One whose parts are not known, because it was completed
/// before they were remembered, shows their count alone.
struct PartsPage {
    parts: Vec<ObjectPart>,
    known: bool,
    total: usize,
    marker: usize,
    limit: usize,
}

impl PartsPage {
    async fn read(
        ask: &Ask,
        object: &ObjectRecord,
        marker: Option<i32>,
        limit: Option<i32>,
    ) -> Result<Option<Self>, S3Fault> {
        let limit = page_size(limit, "x-amz-max-parts")?;
        let marker = usize::try_from(marker.unwrap_or(0)).map_err(|_| {
            let text = marker.unwrap_or(0).to_string();
            S3Fault::invalid_argument("The part number marker must not be negative", "x-amz-part-number-marker", &text)
        })?;
        if object.kind != crate::store::ObjectKind::Multipart {
            return Ok(None);
        }
        let parts = parts_of(ask, object).await?;
        let count = object.etag.parts.map_or(1, |parts| parts as usize);
        let (known, total) = parts.as_ref().map_or((false, count), |parts| (true, parts.len()));
        let parts = parts.unwrap_or_default().into_iter().skip(marker).take(limit).collect();
        Ok(Some(PartsPage { parts, known, total, marker, limit }))
    }

    fn write(&self, w: &mut Writer) {
        w.text("PartsCount", self.total);
        if !self.known {
            return;
        }
        let next = self.marker.saturating_add(self.parts.len());
        w.text("PartNumberMarker", self.marker);
        w.text("NextPartNumberMarker", next);
        w.text("MaxParts", self.limit);
        w.text("IsTruncated", self.limit > 0 && next < self.total);
        for (number, part) in (self.marker + 1..).zip(&self.parts) {
            w.element("Part", |w| {
                if let Some(checksum) = part.checksum {
                    w.text(element_name(checksum.algorithm()), checksum.to_base64());
                }
                w.text("PartNumber", number);
                w.text("Size", part.size);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Checksum, ChecksumAlgorithm, ObjectChecksum};

    #[test]
    fn the_document_says_what_was_asked_for() {
        let mut object = super::super::object::tests::object();
        let sum = Checksum::of(ChecksumAlgorithm::Crc32, b"123456789");
        object.attributes.checksum = Some(ObjectChecksum { value: sum, parts: Some(3) });
        let part = |size| ObjectPart { size, checksum: Some(sum) };
        let page = PartsPage { parts: vec![part(5), part(2)], known: true, total: 4, marker: 1, limit: 2 };
        let text = |wanted: &[&str], page| {
            let text = String::from_utf8(document(&object, wanted, page).to_vec()).expect("UTF-8");
            let (_, inside) = text.split_once("2006-03-01/\">").expect("the root");
            inside.trim_end_matches("</GetObjectAttributesResponse>").to_owned()
        };
        assert_eq!(
            text(&["ETag", "ObjectSize"], None),
            format!("<ETag>{}</ETag><ObjectSize>0</ObjectSize>", "ab".repeat(16))
        );
        assert_eq!(
            text(&["Checksum"], None),
            "<Checksum><ChecksumCRC32>y/Q5Jg==-3</ChecksumCRC32><ChecksumType>COMPOSITE</ChecksumType></Checksum>"
        );
        assert_eq!(
            text(&["ObjectParts"], Some(&page)),
            "<ObjectParts><PartsCount>4</PartsCount><PartNumberMarker>1</PartNumberMarker>\
             <NextPartNumberMarker>3</NextPartNumberMarker><MaxParts>2</MaxParts><IsTruncated>true</IsTruncated>\
             <Part><ChecksumCRC32>y/Q5Jg==</ChecksumCRC32><PartNumber>2</PartNumber><Size>5</Size></Part>\
             <Part><ChecksumCRC32>y/Q5Jg==</ChecksumCRC32><PartNumber>3</PartNumber><Size>2</Size></Part></ObjectParts>"
        );
        let unknown = PartsPage { parts: vec![], known: false, total: 4, marker: 0, limit: 9 };
        assert_eq!(text(&["ObjectParts"], Some(&unknown)), "<ObjectParts><PartsCount>4</PartsCount></ObjectParts>");
    }
}
