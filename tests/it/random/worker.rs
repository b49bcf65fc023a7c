//! One client: random operations on keys that nobody else touches, each answer compared with the model.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use md5::{Digest, Md5};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::chance::Chance;
use super::model::{Dress, Kind, Model, Object, PART_MIN, Place, S3_PART_MIN, Upload, md5_hex};
use super::wire::{Call, Cut, Dialect, Wire, text};
use crate::support::http::Response;

pub struct Worker {
    pub number: usize,
    pub chance: Chance,
    pub wire: Wire,
    pub model: Model,
    /// What the model becomes if the request that was cut was carried out.
    pub pending: Option<Model>,
    /// The latest requests, for a failure's message.
    history: VecDeque<String>,
}

const ACLS: [&str; 3] = ["private", "public-read", "public-read-write"];
/// Parts of keys; few, so that keys meet again.
const WORDS: [&str; 8] = ["a", "b", "c d", "ü", "e+f", "%20", "~", "&"];

pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn tags_text(tags: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = tags.iter().map(|(k, v)| format!("{}={}", encoded(k), encoded(v))).collect();
    pairs.join("&")
}

fn dressed(mut call: Call, dress: &Dress) -> Call {
    if let Some(content_type) = &dress.content_type {
        call = call.header("content-type", content_type);
    }
    for (name, value) in &dress.meta {
        call = call.own(&format!("meta-{name}"), value);
    }
    if !dress.tags.is_empty() {
        call = call.own("tagging", tags_text(&dress.tags));
    }
    call
}

impl Worker {
    pub fn new(number: usize, addr: SocketAddr, chance: Chance) -> Worker {
        let (model, history) = (Model::default(), VecDeque::new());
        Worker { number, chance, wire: Wire::new(addr), model, pending: None, history }
    }

    /// Every key of this worker begins so.
    pub fn prefix(&self) -> String {
        format!("w{}/", self.number)
    }

    pub fn own_bucket(&self) -> String {
        format!("own-{}", self.number)
    }

    /// One operation.
    pub async fn step(&mut self) -> Result<(), Cut> {
        match self.chance.below(100) {
            0..=19 => self.put().await,
            20..=26 => self.append().await,
            27..=34 => self.copy().await,
            35..=38 => self.begin().await,
            39..=47 => self.part().await,
            48..=51 => self.complete().await,
            52 => self.abort().await,
            53..=58 => self.delete().await,
            59..=61 => self.delete_many().await,
            62..=66 => self.set_tags().await,
            67..=70 => self.set_acl().await,
            71..=83 => self.read_some().await,
            84..=92 => self.list().await,
            93 | 94 => self.list_uploads().await,
            95 | 96 => self.abandon().await,
            _ => self.bucket().await,
        }
    }

    // ---- what happens ------------------------------------------------------------------------------------------

    #[track_caller]
    pub fn fail(&self, what: impl std::fmt::Display) -> ! {
        let history: Vec<&str> = self.history.iter().map(String::as_str).collect();
        panic!("worker {}: {what}\nafter:\n{}", self.number, history.join("\n"));
    }

    pub async fn send(&mut self, call: Call) -> Result<Response, Cut> {
        let (dialect, query, headers) = (call.dialect, &call.query, &call.headers);
        let line = format!("{dialect:?} {} /{}/{} {query:?} {headers:?}", call.method, call.bucket, call.key);
        let answer = self.wire.send(call).await;
        self.history.push_back(format!("{line} -> {:?}", answer.as_ref().map(|answer| answer.status)));
        if self.history.len() > 25 {
            self.history.pop_front();
        }
        answer
    }

    /// A request that changes something: `after` is the model if it succeeds. Its status must be `status`.
    async fn write(&mut self, call: Call, after: Model, status: u16) -> Result<Response, Cut> {
        let answer = match self.send(call).await {
            Ok(answer) => answer,
            Err(cut) => {
                self.pending = Some(after);
                return Err(cut);
            }
        };
        if answer.status != status {
            self.fail(format!("status {} instead of {status}: {}", answer.status, answer.text()));
        }
        if status < 300 {
            self.model = after;
        }
        Ok(answer)
    }

    // ---- what is chosen ----------------------------------------------------------------------------------------

    pub fn dialect(&mut self) -> Dialect {
        if self.chance.percent(50) { Dialect::Oss } else { Dialect::S3 }
    }

    fn bucket_name(&mut self) -> String {
        match self.chance.below(10) {
            0..=5 => "left".into(),
            6 | 7 if self.model.own_bucket => self.own_bucket(),
            _ => "right".into(),
        }
    }

    fn place(&mut self) -> Place {
        let depth = 1 + self.chance.below(3);
        let words: Vec<&str> = (0..depth).map(|_| *self.chance.pick(&WORDS)).collect();
        (self.bucket_name(), format!("{}{}", self.prefix(), words.join("/")))
    }

    /// A key that has an object, most of the time.
    fn likely_place(&mut self) -> Place {
        if self.model.objects.is_empty() || self.chance.percent(15) {
            return self.place();
        }
        let at = self.chance.below(self.model.objects.len());
        self.model.objects.keys().nth(at).cloned().expect("below its length")
    }

    /// Inline, at the border, and in files.
    fn body(&mut self) -> Bytes {
        let length = match self.chance.below(10) {
            0 => 0,
            1..=4 => self.chance.below(2_000),
            5 => 32 * 1024 + self.chance.below(3) - 1,
            6 | 7 => self.chance.below(40_000),
            _ => self.chance.below(300_000),
        };
        self.chance.bytes(length).into()
    }

    fn pairs(&mut self) -> BTreeMap<String, String> {
        let count = self.chance.below(3);
        (0..count).map(|_| (format!("k{}", self.chance.below(5)), format!("v {}", self.chance.below(100)))).collect()
    }

    fn dress(&mut self) -> Dress {
        let content_type = self.chance.percent(50).then(|| format!("Text/T{}", self.chance.below(9)));
        let (meta, tags) = (self.pairs(), if self.chance.percent(30) { self.pairs() } else { BTreeMap::new() });
        Dress { content_type, meta, tags }
    }

    fn after(&self, place: &Place, object: Option<Object>) -> Model {
        let mut after = self.model.clone();
        match object {
            Some(object) => drop(after.objects.insert(place.clone(), object)),
            None => drop(after.objects.remove(place)),
        }
        after
    }

    // ---- objects -----------------------------------------------------------------------------------------------

    async fn put(&mut self) -> Result<(), Cut> {
        let (dialect, place, body, dress) = (self.dialect(), self.place(), self.body(), self.dress());
        let acl = self.chance.percent(20).then(|| *self.chance.pick(&ACLS));
        let present = self.model.objects.get(&place).cloned();
        let mut call = dressed(Call::new(dialect, "PUT", &place.0, &place.1), &dress).body(body.clone());
        if let Some(acl) = acl {
            call = call.own(if dialect == Dialect::Oss { "object-acl" } else { "acl" }, acl);
        }
        let mut status = 200;
        match self.chance.below(10) {
            0 => {
                call = call.header("content-md5", BASE64.encode(Md5::digest(b"something else")));
                status = 400;
            }
            1 => call = call.header("content-md5", BASE64.encode(Md5::digest(&body))),
            2 | 3 if dialect == Dialect::Oss => {
                call = call.header("x-oss-forbid-overwrite", "true");
                status = if present.is_some() { 409 } else { 200 };
            }
            2 if dialect == Dialect::S3 => {
                call = call.header("if-none-match", "*");
                status = if present.is_some() { 412 } else { 200 };
            }
            3 if dialect == Dialect::S3 => {
                let right = present.as_ref().and_then(|object| object.etag_text(dialect));
                let etag = right.clone().filter(|_| self.chance.percent(60));
                status = match (&present, &etag) {
                    (None, _) => 404,
                    (Some(_), Some(_)) => 200,
                    (Some(_), None) => 412,
                };
                call = call.header("if-match", etag.unwrap_or_else(|| format!("\"{}\"", md5_hex(b"other"))));
            }
            _ => {}
        }
        let after = self.after(&place, Some(Object::of(body, dress, acl)));
        self.write(call, after, status).await?;
        Ok(())
    }

    /// An upload that its client gives up leaves what was there before.
    async fn abandon(&mut self) -> Result<(), Cut> {
        let (dialect, place, length) = (self.dialect(), self.likely_place(), 2 + self.chance.below(300_000));
        let body = self.chance.bytes(length);
        self.wire.abandon(Call::new(dialect, "PUT", &place.0, &place.1).body(body)).await
    }

    async fn append(&mut self) -> Result<(), Cut> {
        let appendable = self.model.objects.iter().filter(|(_, object)| object.kind == Kind::Appendable);
        let logs: Vec<Place> = appendable.map(|(place, _)| place.clone()).collect();
        let known = !logs.is_empty() && self.chance.percent(75);
        let place = if known { self.chance.pick(&logs).clone() } else { self.place() };
        let length = if self.chance.percent(70) { self.chance.below(3_000) } else { self.chance.below(150_000) };
        let body: Bytes = self.chance.bytes(length).into();
        let present = self.model.objects.get(&place).cloned();
        let size = present.as_ref().map_or(0, |object| object.body.len());
        let position = if self.chance.percent(90) { size } else { size + 1 + self.chance.below(10) };
        let call = Call::new(Dialect::Oss, "POST", &place.0, &place.1);
        let call = call.query("append", "").query("position", position).body(body.clone());
        let dress = if present.is_none() { self.dress() } else { Dress::default() };
        let call = dressed(call, &dress);
        let (object, status) = match present {
            Some(object) if object.kind != Kind::Appendable => (object, 409),
            Some(object) if position != size => (object, 409),
            None if position != 0 => (Object::of(Bytes::new(), dress, None), 409),
            None => (Object { kind: Kind::Appendable, ..Object::of(body.clone(), dress, None) }, 200),
            Some(object) => {
                let whole = [&object.body[..], &body[..]].concat().into();
                (Object { body: whole, etag: None, ..object }, 200)
            }
        };
        let after = self.after(&place, Some(object));
        let answer = self.write(call, after, status).await?;
        if status == 200 {
            let next: usize = answer.header("x-oss-next-append-position").parse().expect("a position");
            if next != position + body.len() {
                self.fail(format!("the next position is said to be {next}"));
            }
            self.learn_etag(&place, answer.header("etag"));
        }
        Ok(())
    }

    fn learn_etag(&mut self, place: &Place, text: &str) {
        let object = self.model.objects.get_mut(place).expect("it was just written");
        object.etag = Some(text.trim_matches('"').to_lowercase());
    }

    async fn copy(&mut self) -> Result<(), Cut> {
        let (dialect, from, to) = (self.dialect(), self.likely_place(), self.place());
        let replaces = from == to || self.chance.percent(30);
        let mut call = Call::new(dialect, "PUT", &to.0, &to.1);
        call = call.own("copy-source", format!("/{}/{}", from.0, encoded(&from.1)));
        let source = self.model.objects.get(&from).cloned();
        let mut dress = source.as_ref().map(|object| object.dress.clone()).unwrap_or_default();
        if replaces {
            let new = Dress { tags: BTreeMap::new(), ..self.dress() };
            call = dressed(call, &new).own("metadata-directive", "REPLACE");
            dress = Dress { tags: dress.tags, ..new };
        }
        let mut status = if source.is_some() { 200 } else { 404 };
        if source.is_some() && self.chance.percent(10) {
            call = call.own("copy-source-if-match", format!("\"{}\"", md5_hex(b"other")));
            status = 412;
        }
        // Which tag a copy has is the answer's to say.
        let object = source.map(|source| Object { etag: None, ..Object::of(source.body, dress, None) });
        let after = self.after(&to, object);
        let answer = self.write(call, after, status).await?;
        if status == 200 {
            self.learn_etag(&to, &text(&answer.text(), "ETag"));
        }
        Ok(())
    }

    async fn delete(&mut self) -> Result<(), Cut> {
        let (dialect, place) = (self.dialect(), self.likely_place());
        let after = self.after(&place, None);
        self.write(Call::new(dialect, "DELETE", &place.0, &place.1), after, 204).await?;
        Ok(())
    }

    async fn delete_many(&mut self) -> Result<(), Cut> {
        let (dialect, count, first) = (self.dialect(), 1 + self.chance.below(6), self.likely_place());
        let mut keys = vec![first.1];
        for _ in 0..count {
            keys.extend(Some(self.likely_place()).filter(|place| place.0 == first.0).map(|place| place.1));
        }
        keys.sort();
        keys.dedup();
        let quiet = self.chance.percent(50);
        let objects: String = keys.iter().map(|key| format!("<Object><Key>{}</Key></Object>", escaped(key))).collect();
        let document = format!("<Delete><Quiet>{quiet}</Quiet>{objects}</Delete>");
        let call = Call::new(dialect, "POST", &first.0, "").query("delete", "");
        let call = call.header("content-md5", BASE64.encode(Md5::digest(&document))).body(document);
        let mut after = self.model.clone();
        after.objects.retain(|(bucket, key), _| *bucket != first.0 || !keys.contains(key));
        let answer = self.write(call, after, 200).await?.text();
        let told = answer.matches("<Deleted>").count();
        if told != if quiet { 0 } else { keys.len() } || answer.contains("<Error>") {
            self.fail(format!("{keys:?}: {answer}"));
        }
        Ok(())
    }

    async fn set_tags(&mut self) -> Result<(), Cut> {
        let (dialect, place, mut tags) = (self.dialect(), self.likely_place(), self.pairs());
        let call = if self.chance.percent(20) {
            tags.clear();
            Call::new(dialect, "DELETE", &place.0, &place.1)
        } else {
            let set: String =
                tags.iter().map(|(k, v)| format!("<Tag><Key>{k}</Key><Value>{v}</Value></Tag>")).collect();
            let document = format!("<Tagging><TagSet>{set}</TagSet></Tagging>");
            let md5 = BASE64.encode(Md5::digest(&document));
            Call::new(dialect, "PUT", &place.0, &place.1).header("content-md5", md5).body(document)
        };
        let status = match (self.model.objects.contains_key(&place), call.method) {
            (false, _) => 404,
            (true, "DELETE") => 204,
            (true, _) => 200,
        };
        let mut after = self.model.clone();
        if let Some(object) = after.objects.get_mut(&place) {
            object.dress.tags = tags;
        }
        self.write(call.query("tagging", ""), after, status).await?;
        Ok(())
    }

    async fn set_acl(&mut self) -> Result<(), Cut> {
        let (dialect, place, acl) = (self.dialect(), self.likely_place(), *self.chance.pick(&ACLS));
        let mut after = self.model.clone();
        let status = if after.objects.contains_key(&place) { 200 } else { 404 };
        let reset = dialect == Dialect::Oss && self.chance.percent(20);
        if let Some(object) = after.objects.get_mut(&place) {
            object.acl = Some(acl).filter(|_| !reset);
        }
        let name = if dialect == Dialect::Oss { "object-acl" } else { "acl" };
        let call = Call::new(dialect, "PUT", &place.0, &place.1).query("acl", "");
        self.write(call.own(name, if reset { "default" } else { acl }), after, status).await?;
        Ok(())
    }

    // ---- uploads -----------------------------------------------------------------------------------------------

    async fn begin(&mut self) -> Result<(), Cut> {
        if self.model.uploads.len() >= 3 {
            return Ok(());
        }
        let (dialect, (bucket, key), dress) = (self.dialect(), self.place(), self.dress());
        let call = dressed(Call::new(dialect, "POST", &bucket, &key).query("uploads", ""), &dress);
        let mut after = self.model.clone();
        after.uploads.insert("?".into(), Upload { bucket, key, parts: BTreeMap::new(), dress });
        let answer = self.write(call, after, 200).await?;
        self.name_upload(text(&answer.text(), "UploadId"));
        Ok(())
    }

    /// The upload that had no id yet has this one.
    pub fn name_upload(&mut self, id: String) {
        let upload = self.model.uploads.remove("?").expect("it was just begun");
        self.model.uploads.insert(id, upload);
    }

    fn an_upload(&mut self) -> Option<(String, Upload)> {
        let count = self.model.uploads.len();
        let at = if count == 0 { return None } else { self.chance.below(count) };
        self.model.uploads.iter().nth(at).map(|(id, upload)| (id.clone(), upload.clone()))
    }

    async fn part(&mut self) -> Result<(), Cut> {
        let Some((id, upload)) = self.an_upload() else { return self.begin().await };
        let (dialect, number) = (self.dialect(), 1 + self.chance.below(5) as u32);
        let mut call = Call::new(dialect, "PUT", &upload.bucket, &upload.key);
        call = call.query("partNumber", number).query("uploadId", &id);
        let long = self.model.objects.iter().filter(|(_, object)| object.body.len() > 10);
        let sources: Vec<(Place, Bytes)> = long.map(|(place, object)| (place.clone(), object.body.clone())).collect();
        let body: Bytes = if !sources.is_empty() && self.chance.percent(40) {
            let (place, body) = self.chance.pick(&sources).clone();
            let first = if body.len() > PART_MIN { self.chance.below(body.len() - PART_MIN) } else { 0 };
            let last = first + self.chance.below(body.len() - first);
            call = call.own("copy-source", format!("/{}/{}", place.0, encoded(&place.1)));
            call = call.own("copy-source-range", format!("bytes={first}-{last}"));
            body.slice(first..=last)
        } else {
            let length =
                if self.chance.percent(85) { PART_MIN + self.chance.below(20_000) } else { self.chance.below(900) };
            let body: Bytes = self.chance.bytes(length).into();
            call = call.body(body.clone());
            body
        };
        let mut after = self.model.clone();
        let md5 = md5_hex(&body);
        after.uploads.get_mut(&id).expect("it is open").parts.insert(number, body);
        let answer = self.write(call, after, 200).await?;
        let told = match answer.header("etag") {
            "" => text(&answer.text(), "ETag"),
            header => header.to_owned(),
        };
        if told.trim_matches('"').to_lowercase() != md5 {
            self.fail(format!("the part's tag is said to be {told}"));
        }
        Ok(())
    }

    async fn complete(&mut self) -> Result<(), Cut> {
        let ready = self.an_upload().filter(|(_, upload)| !upload.parts.is_empty());
        let Some((id, upload)) = ready else { return Ok(()) };
        let mut numbers: Vec<u32> = upload.parts.keys().copied().collect();
        let (dialect, all) = (self.dialect(), self.chance.percent(30));
        let mut call = Call::new(dialect, "POST", &upload.bucket, &upload.key).query("uploadId", &id);
        if all && dialect == Dialect::Oss {
            call = call.header("x-oss-complete-all", "yes");
        } else {
            if numbers.len() > 1 && self.chance.percent(20) {
                numbers.remove(self.chance.below(numbers.len()));
            }
            let parts = numbers.iter().map(|number| {
                let etag = md5_hex(&upload.parts[number]);
                format!("<Part><PartNumber>{number}</PartNumber><ETag>\"{etag}\"</ETag></Part>")
            });
            let parts: String = parts.collect();
            call = call.body(format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>"));
        }
        let part_min = if dialect == Dialect::Oss { PART_MIN } else { S3_PART_MIN };
        let status = if upload.is_too_short(&numbers, part_min) { 400 } else { 200 };
        let object = upload.object(&numbers);
        let wanted = object.etag_text(dialect);
        let mut after = self.after(&(upload.bucket, upload.key), Some(object));
        after.uploads.remove(&id);
        let again = call.clone();
        let answer = self.write(call, after, status).await?;
        if status != 200 {
            return Ok(());
        }
        if Some(text(&answer.text(), "ETag")) != wanted {
            self.fail(format!("{wanted:?}: {}", answer.text()));
        }
        // A client that lost the answer asks again.
        if self.chance.percent(30) {
            let second = self.send(again).await?;
            if second.status != 200 || Some(text(&second.text(), "ETag")) != wanted {
                self.fail(format!("completed again: {} {}", second.status, second.text()));
            }
        }
        Ok(())
    }

    async fn abort(&mut self) -> Result<(), Cut> {
        let Some((id, upload)) = self.an_upload() else { return Ok(()) };
        let mut after = self.model.clone();
        after.uploads.remove(&id);
        let dialect = self.dialect();
        let call = Call::new(dialect, "DELETE", &upload.bucket, &upload.key).query("uploadId", id);
        self.write(call, after, 204).await?;
        Ok(())
    }

    // ---- buckets -----------------------------------------------------------------------------------------------

    /// Makes the worker's own bucket, or deletes it, which works only while it is empty.
    async fn bucket(&mut self) -> Result<(), Cut> {
        let (dialect, name) = (self.dialect(), self.own_bucket());
        let mut after = self.model.clone();
        after.own_bucket = !self.model.own_bucket;
        let holds = self.model.objects.keys().any(|(bucket, _)| *bucket == name)
            || self.model.uploads.values().any(|upload| upload.bucket == name);
        let (method, status) = match self.model.own_bucket {
            false => ("PUT", 200),
            true if holds => ("DELETE", 409),
            true => ("DELETE", 204),
        };
        self.write(Call::new(dialect, method, &name, ""), after, status).await?;
        Ok(())
    }
}

fn escaped(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}
