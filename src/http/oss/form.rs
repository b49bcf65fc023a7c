//! PostObject: a browser's form as an upload.
//!
//! The form says who sends it: a signature in the head means nothing here. What its fields say in place of headers goes the
//! same way as the headers of a PUT.

use http::Request;
use http::header::{self, HeaderValue};
use http::request::Parts;

use super::accept::{self, Accepted, Caller, SignaturePlace};
use super::callback::{self, Callback, Uploaded};
use super::encryption;
use super::error::OssError;
use super::object::{CRC64, etag_value, existing_for_write, put_request};
use super::route::object_key;
use super::service::{Ask, body_error};
use super::versions;
use crate::auth::oss_v4::{self, Credential, Scope};
use crate::auth::post_policy;
use crate::http::body::{Promised, RequestBody};
use crate::http::form::policy::{Policy, PolicyFault, SizeRange};
use crate::http::form::{CONTENT_FIELDS, FormFault, PostedForm, Success, as_headers};
use crate::http::server::{Answer, Trail};
use crate::limits;
use crate::store::{ObjectKey, ObjectKind, credentials};

/// A policy that failed: the number that the public service gives it.
const POLICY_FAILED: &str = "0006-00000227";

pub(super) async fn post(ask: &Ask<'_>, body: &mut RequestBody, trail: &mut Trail) -> Result<Answer, OssError> {
    let bucket = ask.accepted.existing_bucket()?;
    if body.promised() == Promised::Nothing {
        return Err(OssError::missing_content_length());
    }
    let form = body.take_form().ok_or_else(OssError::malformed_post_request)?;
    let mut form = form.map_err(|fault| form_error(ask, fault))?;
    let key = key(&form)?;
    trail.key = Some(key.to_string());
    let signer = signer(ask, &form).await?;
    let caller = signer.map_or(Caller::Anonymous, |key| {
        trail.access_key_id = Some(key.id.clone());
        let credentials::Credential { id, account, account_name, session, .. } = key;
        Caller::Key { access_key_id: id, account, account_name, signature: SignaturePlace::Header, session }
    });
    let sizes = judge_policy(ask, &form, &key)?;
    let accepted = Accepted { caller, ..ask.accepted.clone() };
    let head = restated_head(ask.head, &form)?;
    let ask = ask.restated(&head, &accepted);

    existing_for_write(&ask, bucket, &key).await?;
    let request = put_request(&ask, bucket, &key, ObjectKind::Normal)?;
    // Perhaps a field; the head's own has been judged.
    if let Some(limit) = ask.traffic_limit()? {
        body.hold_back(limit);
    }
    let variables = form.fields().filter(|(name, _)| name.starts_with("x:"));
    let variables = variables.map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned()));
    let callback = Callback::read(&ask, variables.collect()).await?;
    let success = Success::read(&form, &["success_action_redirect"]);
    let stored = form.store_file(body, &ask.deps.objects, sizes).await.map_err(|fault| form_error(&ask, fault))?;
    let object = ask.deps.objects.put(request, stored).await.map_err(|error| ask.key_error(error, &key))?;

    let name = bucket.name.as_str();
    let location = ask.known().bucket_address(name).object(key.as_bytes());
    let etag = format!("\"{}\"", object.etag.to_upper_hex());
    let mut answer = success.answer(name, key.as_bytes(), &etag, &location);
    answer.headers.insert(header::ETAG, etag_value(object.etag));
    answer.headers.insert(&CRC64, HeaderValue::from(object.crc64));
    versions::show(bucket, object.version, &mut answer.headers);
    encryption::describe(&object, &mut answer.headers);
    Ok(callback::announce(&ask, callback, || Uploaded::of_object(&object), answer).await)
}

fn key(form: &PostedForm) -> Result<ObjectKey, OssError> {
    let key = form.key().ok_or_else(|| OssError::form_field_missing("key"))?;
    object_key(&key)
}

/// The key that signed the form's policy; `None` of a form that nobody signed.
async fn signer(ask: &Ask<'_>, form: &PostedForm) -> Result<Option<credentials::Credential>, OssError> {
    let v4 = form.text("x-oss-signature-version").is_some() || form.text("x-oss-credential").is_some();
    let named = if v4 { "x-oss-signature" } else { "Signature" };
    let (id, provided) = (form.text("ossaccesskeyid"), form.text(&named.to_ascii_lowercase()));
    let policy = form.text("policy");
    if !v4 && id.is_none() && provided.is_none() && policy.is_none() {
        return Ok(None);
    }
    let missing = OssError::form_field_missing;
    let policy = policy.ok_or_else(|| missing("policy"))?;
    let provided = provided.ok_or_else(|| missing(named))?;
    let (id, scope) = match v4 {
        false => (id.ok_or_else(|| missing("OSSAccessKeyId"))?, None),
        true => {
            let (access_key_id, scope) = credential(form)?;
            (access_key_id, Some(scope))
        }
    };
    let token = form.get("x-oss-security-token").map(<[u8]>::trim_ascii);
    let key = accept::credential(ask.deps.meta.as_ref(), &id, token, ask.now).await?;
    let holds = match &scope {
        None => post_policy::verify_v1(&policy, &key.secret, &provided),
        Some(scope) => {
            Scope::read(scope).is_some_and(|scope| post_policy::verify_oss_v4(&policy, &scope, &key.secret, &provided))
        }
    };
    match holds {
        true => Ok(Some(key)),
        false => Err(OssError::signature_does_not_match(&id, &provided, policy.as_bytes())),
    }
}

/// Who signed with V4 and for which scope, whose day must be that of `x-oss-date`.
fn credential(form: &PostedForm) -> Result<(String, String), OssError> {
    let version = form.text("x-oss-signature-version").unwrap_or_default();
    if version != oss_v4::ALGORITHM {
        return Err(OssError::invalid_v4_argument("x-oss-signature-version", &version));
    }
    let text = form.text("x-oss-credential").unwrap_or_default();
    let credential = Credential::read(&text).ok_or_else(|| OssError::invalid_v4_argument("x-oss-credential", &text))?;
    let date = form.text("x-oss-date").unwrap_or_default();
    match date.starts_with(credential.scope.date) {
        true => Ok((credential.access_key_id.to_owned(), credential.scope.to_string())),
        false => Err(OssError::signing_date_differs(credential.scope.date)),
    }
}

fn judge_policy(ask: &Ask<'_>, form: &PostedForm, key: &ObjectKey) -> Result<SizeRange, OssError> {
    let Some(policy) = form.text("policy") else { return Ok(SizeRange::default()) };
    let bucket = ask.accepted.bucket_name.as_deref().unwrap_or_default();
    let value = |name: &str| match name {
        "key" => Some(key.as_bytes()),
        "bucket" => Some(bucket.as_bytes()),
        "content-type" => content_type(form),
        other => form.get(other).map(<[u8]>::trim_ascii),
    };
    let judged = Policy::read(&policy).and_then(|policy| {
        // S3's old signature of a policy is the same as V1's, and there a policy speaks of every field that a form may have.
        // One that was signed for it must not let more through here.
        let foreign = policy.fields().find(|name| *name == "acl" || name.starts_with("x-amz-"));
        match foreign {
            Some(name) => Err(PolicyFault::ExtraField(name.to_owned())),
            None => policy.judge(ask.now, form.get("key").unwrap_or_default(), value),
        }
    });
    judged.map_err(|fault| {
        let text = fault.to_string();
        match fault {
            PolicyFault::Invalid { ec, .. } => OssError::invalid_policy_document(&text).with_ec(ec),
            PolicyFault::Failed(_) | PolicyFault::ExtraField(_) => {
                OssError::access_denied_because(&text).with_ec(POLICY_FAILED)
            }
            PolicyFault::Expired => OssError::access_denied_because(&text),
        }
    })
}

/// A head that says with headers what the form says with fields.
fn restated_head(head: &Parts, form: &PostedForm) -> Result<Parts, OssError> {
    let wanted = |field| match field {
        "x-oss-content-type" => None,
        // The same by another name: what a policy says of the one must not be evaded by the other.
        "x-oss-callback" if form.get("callback").is_some() => None,
        "x-oss-callback-var" if form.get("callback-var").is_some() => None,
        "callback" => Some("x-oss-callback"),
        "callback-var" => Some("x-oss-callback-var"),
        field if field.starts_with("x-oss-") || CONTENT_FIELDS.contains(&field) => Some(field),
        _ => None,
    };
    let unfit = |field: String| {
        let value = String::from_utf8_lossy(form.get(&field).unwrap_or_default()).into_owned();
        OssError::invalid_argument("The value of the form field is invalid.", &field, &value)
    };
    let (mut parts, ()) = Request::new(()).into_parts();
    (parts.method, parts.uri, parts.version) = (head.method.clone(), head.uri.clone(), head.version);
    parts.headers = as_headers(form, wanted).map_err(unfit)?;
    if let Some(kind) = content_type(form) {
        let value = HeaderValue::from_bytes(kind).map_err(|_| unfit("x-oss-content-type".into()))?;
        parts.headers.insert(header::CONTENT_TYPE, value);
    }
    if let Some(host) = head.headers.get(header::HOST) {
        parts.headers.insert(header::HOST, host.clone());
    }
    Ok(parts)
}

/// The type that the object gets, by whichever name: a policy that speaks of it means this one. Browsers write the file's own
/// by themselves, and it is often wrong; who fills in a field knows better.
fn content_type(form: &PostedForm) -> Option<&[u8]> {
    let field = form.get("x-oss-content-type").or_else(|| form.get("content-type"));
    field.or_else(|| form.file_type().map(|kind| kind.as_ref())).map(<[u8]>::trim_ascii)
}

fn form_error(ask: &Ask<'_>, fault: FormFault) -> OssError {
    match fault {
        FormFault::Malformed => OssError::malformed_post_request(),
        FormFault::FieldsTooLong => OssError::field_item_too_long(),
        FormFault::FileCount => OssError::incorrect_number_of_files(),
        FormFault::TooSmall { size, size_min } => OssError::form_file_too_small(size, size_min),
        FormFault::TooLarge { size_max } => OssError::entity_too_large(size_max),
        FormFault::Body(error) => body_error(error, limits::OSS_OBJECT_BYTES_MAX),
        FormFault::Store(error) => ask.store_error(error),
    }
}
