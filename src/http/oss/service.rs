//! From a request to an answer: who asks for what, is it allowed, which handler, and how an error looks.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::header::{self, AsHeaderName, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode};
use md5::{Digest, Md5};

use super::accept::{self, Accepted, Caller};
use super::error::{OssError, Subject};
use super::operation::{ListPartsQuery, OssOperation};
use super::urls::Known;
use super::xml;
use super::{
    bucket, callback, cors, form, hls_sign, lifecycle, live, multipart, object, policy, referer, restore, settings,
    symlink, tagging, versions, website,
};
use crate::auth::access::{Action, Requester};
use crate::auth::permission::Permission;
use crate::clock::Wall;
use crate::http::access::{self, Circumstances, Wanted};
use crate::http::body::{BodyError, Content, RequestBody};
use crate::http::cors::decorate;
use crate::http::pace::TrafficLimit;
use crate::http::query::Query;
use crate::http::server::{Answer, Door, HttpDeps, Trail};
use crate::limits;
use crate::net::host::without_port;
use crate::store::{AccountId, Acl, BucketRecord, ObjectKey, StoreError};

/// One accepted request, as handlers see it.
pub(super) struct Ask<'a> {
    pub(super) deps: &'a HttpDeps,
    pub(super) head: &'a Parts,
    pub(super) accepted: &'a Accepted,
    pub(super) request_id: &'a str,
    pub(super) now: Wall,
    /// The client.
    pub(super) peer: SocketAddr,
    local: Option<SocketAddr>,
    circumstances: Circumstances,
}

/// Answers one request. Never fails: an error is an answer.
pub(crate) async fn answer(
    deps: &HttpDeps,
    head: &Parts,
    query: Query,
    body: &mut RequestBody,
    door: Door,
    request_id: &str,
    trail: &mut Trail,
) -> Answer {
    if head.method == Method::OPTIONS {
        trail.operation = Some("Preflight");
        let outcome = Box::pin(cors::preflight(deps, head, trail)).await;
        return outcome.unwrap_or_else(|error| error_answer(&error, head, request_id, trail));
    }
    let now = deps.clock.wall();
    let accepted = match accept::accept(head, query, &deps.hosts, deps.meta.as_ref(), &deps.signing_keys, now).await {
        Ok(accepted) => accepted,
        Err(error) => {
            let mut answer = error_answer(&error, head, request_id, trail);
            // A page on another origin may read why it was refused, if the bucket lets it read at all.
            if head.headers.contains_key(header::ORIGIN)
                && let Some(bucket) =
                    Box::pin(accept::bucket_for_preflight(head, &deps.hosts, deps.meta.as_ref())).await
            {
                decorate(&bucket.cors, head, &mut answer.headers);
            }
            return answer;
        }
    };
    leave_trail(&accepted, trail);
    let circumstances = Circumstances::new(&head.headers, &accepted.query, door, now);
    let (peer, local) = (door.peer, door.local);
    let ask = Ask { deps, head, accepted: &accepted, request_id, now, peer, local, circumstances };
    // Not a future around another: each is moved once more.
    let mut outcome = match hold_back(&ask, body) {
        Ok(limit) => dispatch(&ask, body, trail).await.map(|answer| at_pace(&ask, answer, limit)),
        Err(error) => Err(error),
    };
    if let (Ok(answer), true) = (&mut outcome, is_live(&accepted.operation)) {
        answer.headers.insert("x-oss-bucket-storage-type", HeaderValue::from_static("standard"));
    }
    let mut answer = outcome.unwrap_or_else(|error| error_answer(&error, head, request_id, trail));
    if let Some(bucket) = &accepted.bucket {
        decorate(&bucket.cors, head, &mut answer.headers);
    }
    answer
}

/// The answer to one request too many.
pub(crate) fn too_busy(head: &Parts, request_id: &str, trail: &mut Trail) -> Answer {
    error_answer(&OssError::service_unavailable(), head, request_id, trail)
}

/// With `x-oss-traffic-limit` bodies move no faster than it says: the request's.
fn hold_back(ask: &Ask<'_>, body: &mut RequestBody) -> Result<Option<TrafficLimit>, OssError> {
    let limit = ask.traffic_limit()?;
    if let Some(limit) = limit {
        body.hold_back(limit);
    }
    Ok(limit)
}

/// The same of the answer's.
fn at_pace(ask: &Ask<'_>, mut answer: Answer, limit: Option<TrafficLimit>) -> Answer {
    if let (Some(limit), true) = (limit, answer.content.is_of_object()) {
        answer.content = answer.content.held_back(limit, &ask.deps.clock);
    }
    answer
}

async fn dispatch(ask: &Ask<'_>, body: &mut RequestBody, trail: &mut Trail) -> Result<Answer, OssError> {
    use OssOperation as Op;
    callback::refuse_elsewhere(ask)?;
    ask.check_session()?;
    referer::check(ask)?;
    if let Some(site) = website::of(ask) {
        return Box::pin(site.answer()).await;
    }
    match &ask.accepted.operation {
        Op::GetObject(key) => object::get(ask, key).await,
        // A future is as large as the largest that it may wait for, and is moved with every request: those of the others
        // have a place of their own, so that a GET does not carry them.
        _ => Box::pin(dispatch_other(ask, body, trail)).await,
    }
}

/// Everything but a plain GET.
async fn dispatch_other(ask: &Ask<'_>, body: &mut RequestBody, trail: &mut Trail) -> Result<Answer, OssError> {
    use OssOperation as Op;
    match &ask.accepted.operation {
        Op::ListBuckets(query) => bucket::list_buckets(ask, query).await,
        Op::DescribeRegions(wanted) => bucket::regions(ask, wanted.as_deref()),
        Op::PutBucket => bucket::put_bucket(ask, body).await,
        Op::DeleteBucket => bucket::delete_bucket(ask).await,
        Op::GetBucketInfo => bucket::bucket_info(ask),
        Op::GetBucketStat => bucket::stat(ask).await,
        Op::GetBucketLocation => bucket::location(ask),
        Op::GetBucketAcl => bucket::acl(ask),
        Op::PutBucketAcl => bucket::put_acl(ask).await,
        Op::GetBucketCors => cors::get(ask),
        Op::PutBucketCors => cors::put(ask, body).await,
        Op::DeleteBucketCors => cors::delete(ask).await,
        Op::GetBucketLifecycle => lifecycle::get(ask).await,
        Op::PutBucketLifecycle => lifecycle::put(ask, body).await,
        Op::DeleteBucketLifecycle => lifecycle::delete(ask).await,
        Op::GetBucketTags => tagging::bucket_tags(ask),
        Op::PutBucketTags => tagging::put_bucket_tags(ask, body).await,
        Op::DeleteBucketTags => tagging::delete_bucket_tags(ask).await,
        Op::GetBucketSetting(name) => settings::get(ask, *name),
        Op::PutBucketSetting(name) => settings::put(ask, body, *name).await,
        Op::DeleteBucketSetting(name) => settings::delete(ask, *name).await,
        // No library of this dialect sends it to a bucket, they ask for its info or its ACL.
        Op::HeadBucket => Err(OssError::method_not_allowed("HEAD", "GET, PUT, DELETE, POST")),
        Op::GetBucketPolicy => policy::get(ask),
        Op::PutBucketPolicy => policy::put(ask, body).await,
        Op::DeleteBucketPolicy => policy::delete(ask).await,
        Op::GetBucketPolicyStatus => policy::status(ask),
        Op::ListObjects(query) => bucket::list_objects(ask, query).await,
        Op::ListObjectsV2(query) => bucket::list_objects_v2(ask, query).await,
        Op::GetBucketVersioning => versions::versioning(ask),
        Op::PutBucketVersioning => versions::put_versioning(ask, body).await,
        Op::ListObjectVersions(query) => versions::list(ask, query).await,
        Op::DeleteMultipleObjects { url_encoding } => object::delete_multiple(ask, body, *url_encoding).await,
        Op::PostObject => form::post(ask, body, trail).await,
        Op::PutObject(key) => object::put(ask, body, key).await,
        Op::CopyObject { key, source_bucket, source_key, source_version } => {
            object::copy(ask, key, source_bucket, source_key, *source_version).await
        }
        Op::AppendObject { key, position } => object::append(ask, body, key, *position).await,
        Op::GetObject(key) => object::get(ask, key).await,
        Op::GetObjectHlsSigned(key) => hls_sign::get_signed_playlist(ask, key).await,
        Op::HeadObject(key) => object::head(ask, key).await,
        Op::GetObjectMeta(key) => object::meta(ask, key).await,
        Op::DeleteObject(key) => object::delete(ask, key).await,
        Op::GetObjectAcl(key) => object::acl(ask, key).await,
        Op::PutObjectAcl(key) => object::put_acl(ask, key).await,
        Op::GetObjectTagging(key) => tagging::object_tags(ask, key).await,
        Op::PutObjectTagging(key) => tagging::put_object_tags(ask, body, key).await,
        Op::DeleteObjectTagging(key) => tagging::delete_object_tags(ask, key).await,
        Op::PutSymlink(key) => symlink::put(ask, key).await,
        Op::GetSymlink(key) => symlink::get(ask, key).await,
        Op::RestoreObject(key) => restore::restore(ask, body, key).await,
        Op::InitiateMultipartUpload { key, url_encoding } => multipart::initiate(ask, key, *url_encoding).await,
        Op::UploadPart { upload, number } => multipart::upload_part(ask, body, upload, *number).await,
        Op::UploadPartCopy { upload, number, source_bucket, source_key, source_version } => {
            multipart::upload_part_copy(ask, upload, *number, source_bucket, source_key, *source_version).await
        }
        Op::CompleteMultipartUpload { upload, url_encoding } => {
            multipart::complete(ask, body, upload, *url_encoding).await
        }
        Op::AbortMultipartUpload(upload) => multipart::abort(ask, upload).await,
        Op::ListParts(query) => multipart::list_parts(ask, query).await,
        Op::ListMultipartUploads(query) => multipart::list_uploads(ask, query).await,
        Op::PutLiveChannel(channel) => live::put(ask, body, channel).await,
        Op::PutLiveChannelStatus(channel, status) => live::put_status(ask, channel, *status).await,
        Op::GetLiveChannelInfo(channel) => live::info(ask, channel).await,
        Op::GetLiveChannelStat(channel) => live::stat(ask, channel).await,
        Op::GetLiveChannelHistory(channel) => live::history(ask, channel).await,
        Op::ListLiveChannel(query) => live::list(ask, query).await,
        Op::DeleteLiveChannel(channel) => live::delete(ask, channel).await,
        Op::PostVodPlaylist { channel, playlist_name, range } => {
            live::post_vod(ask, channel, playlist_name, *range).await
        }
        Op::GetVodPlaylist(channel, range) => live::get_vod(ask, channel, *range).await,
    }
}

impl Ask<'_> {
    /// The same request as another caller asks it, with another head: what a form's fields say in place of headers.
    pub(super) fn restated<'b>(&'b self, head: &'b Parts, accepted: &'b Accepted) -> Ask<'b> {
        Ask { head, accepted, circumstances: self.circumstances.clone(), ..*self }
    }

    /// The bucket, when the caller may do `action` to it.
    pub(super) fn bucket_for(&self, action: Action) -> Result<&BucketRecord, OssError> {
        let bucket = self.accepted.existing_bucket()?;
        self.decide(bucket, None, action)?;
        Ok(bucket)
    }

    /// `Ok` when the caller may do what the request asks for, which is an `action`, to its own bucket and key; `object`
    /// is the object's own ACL.
    pub(super) fn decide(&self, bucket: &BucketRecord, object: Option<Acl>, action: Action) -> Result<(), OssError> {
        let operation = &self.accepted.operation;
        let permission = operation.permission();
        let own = self.accepted.bucket_name.as_deref() == Some(bucket.name.as_str());
        debug_assert!(own && permission.class() == action, "{operation:?} is not {action:?} of {bucket:?}");
        // What is not the request's own subject has to be named: see `decide_on`.
        if !own || permission.class() != action {
            return Err(OssError::bucket_access_denied(bucket.name.as_str()));
        }
        self.decide_on(Wanted { bucket, key: operation.resource(), object, permission })
    }

    /// `Ok` when the caller may do this, be it to the request's own subject or to another.
    pub(super) fn decide_on(&self, wanted: Wanted<'_>) -> Result<(), OssError> {
        let Wanted { bucket, permission, .. } = wanted;
        if access::decide(&self.deps.policies, self.accepted.caller.identity(), wanted, &self.circumstances) {
            return Ok(());
        }
        let requester = self.accepted.requester(bucket);
        Err(match (permission.class(), requester) {
            (Action::ReadObject | Action::WriteObject, _) => OssError::object_access_denied(),
            (_, Requester::Anonymous) => OssError::anonymous_forbidden(),
            _ => OssError::bucket_access_denied(bucket.name.as_str()),
        })
    }

    /// `Ok` when the caller may do this beside what the request asks for in the first place.
    pub(super) fn decide_beside(&self, wanted: Wanted<'_>) -> Result<(), OssError> {
        self.decide_beside_of(wanted, self.accepted.operation.permission())
    }

    /// The same beside `main`, which ACLs allow it with.
    pub(super) fn decide_beside_of(&self, wanted: Wanted<'_>, main: Permission) -> Result<(), OssError> {
        let who = self.accepted.caller.identity();
        let allowed = access::decide_beside(&self.deps.policies, who, wanted, main, &self.circumstances);
        if allowed { Ok(()) } else { Err(OssError::object_access_denied()) }
    }

    /// A temporary credential's own policy bounds whatever is asked, also where there is no bucket to decide over.
    fn check_session(&self) -> Result<(), OssError> {
        let Accepted { caller, bucket, bucket_name, operation, .. } = self.accepted;
        let permission = match operation {
            // It makes the bucket.
            OssOperation::PutBucketAcl if bucket.is_none() => Permission::PutBucket,
            // Each key is judged by itself, and who sends a form the form says.
            OssOperation::DeleteMultipleObjects { .. } | OssOperation::PostObject => return Ok(()),
            other => other.permission(),
        };
        let (name, key) = (bucket_name.as_deref().unwrap_or_default(), operation.resource());
        let owner = bucket.as_ref().map(|bucket| bucket.owner.0);
        match access::within_session(caller.identity(), name, owner, key, permission, &self.circumstances) {
            true => Ok(()),
            false if key.is_some() => Err(OssError::object_access_denied()),
            false => Err(OssError::bucket_access_denied(name)),
        }
    }

    /// Whether the caller owns `bucket`, so that no ACL can matter. (Policies can, all the same.)
    pub(super) fn is_owner(&self, bucket: &BucketRecord) -> bool {
        self.accepted.requester(bucket) == Requester::Owner
    }

    /// The caller's account and its name; service operations need one.
    pub(super) fn account(&self) -> Result<(AccountId, &str), OssError> {
        match &self.accepted.caller {
            Caller::Anonymous => Err(OssError::anonymous_forbidden()),
            Caller::Key { account, account_name, .. } => Ok((*account, account_name)),
        }
    }

    /// A header as text; bytes that are no visible ASCII are replaced, for comparisons and messages.
    pub(super) fn header(&self, name: impl AsHeaderName) -> Option<std::borrow::Cow<'_, str>> {
        self.head.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()))
    }

    /// A header that holds a canned ACL; `None` when it is absent.
    pub(super) fn acl_header(&self, name: &'static str) -> Result<Option<Acl>, OssError> {
        let Some(text) = self.header(name) else { return Ok(None) };
        match xml::acl_from_text(text.trim()) {
            Some(acl) => Ok(Some(acl)),
            None => Err(OssError::invalid_argument("no such bucket access control exists", name, &text)),
        }
    }

    /// `x-oss-traffic-limit`, in the header or in the query, of an operation that moves an object's bytes. (A copy moves
    /// none here, and is none the slower.)
    pub(super) fn traffic_limit(&self) -> Result<Option<TrafficLimit>, OssError> {
        use OssOperation as Op;
        static NAME: HeaderName = HeaderName::from_static("x-oss-traffic-limit");
        let moves = matches!(
            self.accepted.operation,
            Op::PutObject(_)
                | Op::PostObject
                | Op::AppendObject { .. }
                | Op::GetObject(_)
                | Op::CopyObject { .. }
                | Op::UploadPart { .. }
                | Op::UploadPartCopy { .. }
        );
        let Some(text) = self.header(&NAME).or_else(|| self.accepted.query.text(NAME.as_str())).filter(|_| moves)
        else {
            return Ok(None);
        };
        TrafficLimit::read(&text).map(Some).ok_or_else(|| OssError::invalid_traffic_limit(&text))
    }

    /// Whether `x-oss-forbid-overwrite` says `true`.
    pub(super) fn forbids_overwrite(&self) -> Result<bool, OssError> {
        match self.header("x-oss-forbid-overwrite").as_deref().map(str::trim) {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(text) => Err(OssError::invalid_forbid_overwrite(text)),
        }
    }

    /// The digest that `Content-MD5` states; an empty header states none.
    pub(super) fn content_md5(&self) -> Result<Option<[u8; 16]>, OssError> {
        let Some(text) = self.header("content-md5").filter(|text| !text.trim().is_empty()) else { return Ok(None) };
        let digest = BASE64.decode(text.trim()).ok().and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
        digest.map(Some).ok_or_else(|| OssError::invalid_digest(&text))
    }

    /// A whole request document, checked against `Content-MD5` where that is stated. Of callers who have proved nothing it
    /// is held to [`limits::ANONYMOUS_DOCUMENT_BYTES_MAX`].
    pub(super) async fn document(&self, body: &mut RequestBody, bytes_max: usize) -> Result<Bytes, OssError> {
        let stated = self.content_md5()?;
        let bytes_max = match self.accepted.caller {
            Caller::Anonymous => bytes_max.min(limits::ANONYMOUS_DOCUMENT_BYTES_MAX),
            Caller::Key { .. } => bytes_max,
        };
        let document = body.read_all(bytes_max).await.map_err(|error| body_error(error, bytes_max as u64))?;
        if stated.is_some_and(|stated| stated[..] != Md5::digest(&document)[..]) {
            return Err(OssError::invalid_digest(&self.header("content-md5").unwrap_or_default()));
        }
        Ok(document)
    }

    /// What addresses told to the client are made of.
    pub(super) fn known(&self) -> Known<'_> {
        Known {
            public_endpoint: self.deps.public_endpoint.as_deref(),
            host: host_of(self.head),
            local: self.local,
            rules: &self.deps.hosts,
        }
    }

    /// A store error of this request, said of its bucket.
    pub(super) fn store_error(&self, error: StoreError) -> OssError {
        self.store_error_of(error, None, None)
    }

    /// A store error of this request, said of `key`.
    pub(super) fn key_error(&self, error: StoreError, key: &ObjectKey) -> OssError {
        self.store_error_of(error, Some(key.as_bytes()), None)
    }

    /// A store error of this request, said of `channel`.
    pub(super) fn channel_error(&self, error: StoreError, channel: &str) -> OssError {
        self.store_error_of(error, None, Some(channel))
    }

    fn store_error_of(&self, error: StoreError, key: Option<&[u8]>, channel: Option<&str>) -> OssError {
        if let StoreError::Unavailable(_) | StoreError::Full | StoreError::Corrupt(_) = &error {
            tracing::error!(request_id = self.request_id, %error, "store failed");
        }
        if error == StoreError::TooLarge {
            let object_max = self.deps.objects.object_bytes_max().min(limits::OSS_OBJECT_BYTES_MAX);
            return OssError::entity_too_large(object_max);
        }
        if error == StoreError::DigestMismatch {
            return OssError::invalid_digest(&self.header("content-md5").unwrap_or_default());
        }
        let bucket = self.accepted.bucket_name.as_deref();
        OssError::from_store(error, Subject { bucket, key, channel })
    }
}

/// What became of a request body, as an error of this dialect. `size_max` is what the operation takes.
pub(super) fn body_error(error: BodyError, size_max: u64) -> OssError {
    match error {
        BodyError::Stalled => OssError::request_timeout(),
        BodyError::Incomplete => OssError::incomplete_body(),
        BodyError::TooLarge => OssError::entity_too_large(size_max),
    }
}

/// The host that the client addressed: of the request target where that is absolute, else `Host`.
pub(super) fn host_of(head: &Parts) -> Option<&str> {
    match head.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => head.headers.get(header::HOST).and_then(|host| host.to_str().ok()),
    }
}

/// The answer to a head of which nothing is known but that it cannot be read.
pub(crate) fn unreadable_head(status: StatusCode, request_id: &str, trail: &mut Trail) -> Answer {
    let error = OssError::unreadable_head(status);
    trail.code = Some(error.code);
    let mut answer = bare_error_answer(&error);
    answer.content = Content::Bytes(xml::error_document(&error, request_id, ""));
    answer
}

fn error_answer(error: &OssError, head: &Parts, request_id: &str, trail: &mut Trail) -> Answer {
    trail.code = Some(error.code);
    let host_id = host_of(head).map(without_port).unwrap_or_default();
    let document = xml::error_document(error, request_id, &host_id);
    let mut answer = bare_error_answer(error);
    if head.method == Method::HEAD {
        // A HEAD has no body to put the document into; clients read it from here.
        let encoded = HeaderValue::from_str(&BASE64.encode(&document)).expect("base64 is a header value");
        answer.headers.insert("x-oss-err", encoded);
        answer.headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    } else if error.status != StatusCode::NOT_MODIFIED {
        answer.content = Content::Bytes(document);
    }
    answer
}

/// An error's status and headers, without its document.
fn bare_error_answer(error: &OssError) -> Answer {
    let mut answer = Answer::xml(Bytes::new());
    answer.status = error.status;
    for (name, value) in &error.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.headers.insert(*name, value);
        }
    }
    if let Some(ec) = error.ec {
        answer.headers.insert("x-oss-ec", HeaderValue::from_static(ec));
    }
    answer
}

fn leave_trail(accepted: &Accepted, trail: &mut Trail) {
    trail.operation = Some(name(&accepted.operation));
    trail.bucket = accepted.bucket_name.clone();
    trail.key = subject(&accepted.operation);
    if let Caller::Key { access_key_id, .. } = &accepted.caller {
        trail.access_key_id = Some(access_key_id.clone());
    }
}

/// Whether this is one of the nine LiveChannel operations.
fn is_live(operation: &OssOperation) -> bool {
    use OssOperation as Op;
    matches!(
        operation,
        Op::PutLiveChannel(_)
            | Op::PutLiveChannelStatus(..)
            | Op::GetLiveChannelInfo(_)
            | Op::GetLiveChannelStat(_)
            | Op::GetLiveChannelHistory(_)
            | Op::ListLiveChannel(_)
            | Op::DeleteLiveChannel(_)
            | Op::PostVodPlaylist { .. }
            | Op::GetVodPlaylist(..)
    )
}

/// The operation's name, for logs and metrics.
fn name(operation: &OssOperation) -> &'static str {
    use OssOperation as Op;
    match operation {
        Op::ListBuckets(_) => "ListBuckets",
        Op::DescribeRegions(_) => "DescribeRegions",
        Op::PutBucket => "PutBucket",
        Op::DeleteBucket => "DeleteBucket",
        Op::GetBucketInfo => "GetBucketInfo",
        Op::GetBucketStat => "GetBucketStat",
        Op::GetBucketLocation => "GetBucketLocation",
        Op::GetBucketAcl => "GetBucketAcl",
        Op::PutBucketAcl => "PutBucketAcl",
        Op::GetBucketCors => "GetBucketCors",
        Op::PutBucketCors => "PutBucketCors",
        Op::DeleteBucketCors => "DeleteBucketCors",
        Op::GetBucketLifecycle => "GetBucketLifecycle",
        Op::PutBucketLifecycle => "PutBucketLifecycle",
        Op::DeleteBucketLifecycle => "DeleteBucketLifecycle",
        Op::GetBucketTags => "GetBucketTags",
        Op::PutBucketTags => "PutBucketTags",
        Op::DeleteBucketTags => "DeleteBucketTags",
        Op::GetBucketSetting(name) => settings::operation_names(*name)[0],
        Op::PutBucketSetting(name) => settings::operation_names(*name)[1],
        Op::DeleteBucketSetting(name) => settings::operation_names(*name)[2],
        Op::HeadBucket => "HeadBucket",
        Op::GetBucketPolicy => "GetBucketPolicy",
        Op::PutBucketPolicy => "PutBucketPolicy",
        Op::DeleteBucketPolicy => "DeleteBucketPolicy",
        Op::GetBucketPolicyStatus => "GetBucketPolicyStatus",
        Op::ListObjects(_) => "ListObjects",
        Op::ListObjectsV2(_) => "ListObjectsV2",
        Op::GetBucketVersioning => "GetBucketVersioning",
        Op::PutBucketVersioning => "PutBucketVersioning",
        Op::ListObjectVersions(_) => "ListObjectVersions",
        Op::DeleteMultipleObjects { .. } => "DeleteMultipleObjects",
        Op::PostObject => "PostObject",
        Op::PutObject(_) => "PutObject",
        Op::CopyObject { .. } => "CopyObject",
        Op::AppendObject { .. } => "AppendObject",
        Op::GetObject(_) => "GetObject",
        Op::GetObjectHlsSigned(_) => "GetObjectHlsSigned",
        Op::HeadObject(_) => "HeadObject",
        Op::GetObjectMeta(_) => "GetObjectMeta",
        Op::DeleteObject(_) => "DeleteObject",
        Op::GetObjectAcl(_) => "GetObjectAcl",
        Op::PutObjectAcl(_) => "PutObjectAcl",
        Op::GetObjectTagging(_) => "GetObjectTagging",
        Op::PutObjectTagging(_) => "PutObjectTagging",
        Op::DeleteObjectTagging(_) => "DeleteObjectTagging",
        Op::PutSymlink(_) => "PutSymlink",
        Op::GetSymlink(_) => "GetSymlink",
        Op::RestoreObject(_) => "RestoreObject",
        Op::InitiateMultipartUpload { .. } => "InitiateMultipartUpload",
        Op::UploadPart { .. } => "UploadPart",
        Op::UploadPartCopy { .. } => "UploadPartCopy",
        Op::CompleteMultipartUpload { .. } => "CompleteMultipartUpload",
        Op::AbortMultipartUpload(_) => "AbortMultipartUpload",
        Op::ListParts(_) => "ListParts",
        Op::ListMultipartUploads(_) => "ListMultipartUploads",
        Op::PutLiveChannel(_) => "PutLiveChannel",
        Op::PutLiveChannelStatus(..) => "PutLiveChannelStatus",
        Op::GetLiveChannelInfo(_) => "GetLiveChannelInfo",
        Op::GetLiveChannelStat(_) => "GetLiveChannelStat",
        Op::GetLiveChannelHistory(_) => "GetLiveChannelHistory",
        Op::ListLiveChannel(_) => "ListLiveChannel",
        Op::DeleteLiveChannel(_) => "DeleteLiveChannel",
        Op::PostVodPlaylist { .. } => "PostVodPlaylist",
        Op::GetVodPlaylist(..) => "GetVodPlaylist",
    }
}

/// The key or channel that an operation is about, for the log.
fn subject(operation: &OssOperation) -> Option<String> {
    use OssOperation as Op;
    match operation {
        Op::PutObject(key)
        | Op::CopyObject { key, .. }
        | Op::AppendObject { key, .. }
        | Op::GetObject(key)
        | Op::GetObjectHlsSigned(key)
        | Op::HeadObject(key)
        | Op::GetObjectMeta(key)
        | Op::DeleteObject(key)
        | Op::GetObjectAcl(key)
        | Op::PutObjectAcl(key)
        | Op::GetObjectTagging(key)
        | Op::PutObjectTagging(key)
        | Op::DeleteObjectTagging(key)
        | Op::PutSymlink(key)
        | Op::GetSymlink(key)
        | Op::RestoreObject(key) => Some(key.to_string()),
        Op::InitiateMultipartUpload { key, .. } => Some(key.to_string()),
        Op::UploadPart { upload, .. }
        | Op::UploadPartCopy { upload, .. }
        | Op::CompleteMultipartUpload { upload, .. }
        | Op::AbortMultipartUpload(upload)
        | Op::ListParts(ListPartsQuery { upload, .. }) => Some(upload.key.to_string()),
        Op::PutLiveChannel(channel)
        | Op::PutLiveChannelStatus(channel, _)
        | Op::GetLiveChannelInfo(channel)
        | Op::GetLiveChannelStat(channel)
        | Op::GetLiveChannelHistory(channel)
        | Op::DeleteLiveChannel(channel)
        | Op::GetVodPlaylist(channel, _) => Some(channel.to_string()),
        Op::PostVodPlaylist { channel, playlist_name, .. } => Some(format!("{channel}/{playlist_name}")),
        _ => None,
    }
}
