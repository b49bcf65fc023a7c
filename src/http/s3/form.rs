//! POST Object: a browser's form as an upload.
//!
//! The form says who sends it: a signature in the head means nothing here. What its fields say in place of headers goes the
//! same way as the headers of a PUT.

use std::sync::Arc;

use http::HeaderMap;
use http::header::{self, HeaderValue};
use http::request::Parts;
use percent_encoding::percent_encode;

use super::error::S3Fault;
use super::exchange::{Ask, Caller, Exchange};
use super::hooks::{credential, host_bucket};
use super::listing::KEY;
use super::object::{etag_value, existing_for_write, put_request};
use super::versions;
use crate::auth::post_policy;
use crate::auth::sig_v4;
use crate::http::body::{Promised, RequestBody};
use crate::http::form::policy::{Policy, PolicyFault, SizeRange};
use crate::http::form::{CONTENT_FIELDS, FormFault, PostedForm, Success, as_headers};
use crate::http::oss::xml::read_tagging;
use crate::http::server::{Answer, HttpDeps};
use crate::store::credentials::Credential;
use crate::store::{ObjectKey, ObjectKind, WriteCondition};

/// Fields that need no condition in the policy: they sign it, or are not acted on.
const WITHOUT_CONDITION: [&str; 5] = ["awsaccesskeyid", "policy", "signature", "x-amz-signature", "file"];

pub(super) async fn post(
    deps: &Arc<HttpDeps>,
    exchange: &Arc<Exchange>,
    head: &Parts,
    body: &mut RequestBody,
) -> Result<Answer, S3Fault> {
    exchange.notes().operation = Some("PostObject");
    let name = bucket_name(deps, exchange, head)?;
    if body.promised() == Promised::Nothing {
        return Err(S3Fault::new("MissingContentLength"));
    }
    let form = body.take_form().ok_or_else(|| S3Fault::new("MalformedPOSTRequest"))?;
    let mut form = form.map_err(from_form)?;
    let key = form.key().ok_or_else(|| field_missing("key"))?;
    exchange.notes().key = Some(String::from_utf8_lossy(&key).into_owned());
    let caller = signer(deps, exchange, &form).await?.map_or(Caller::Anonymous, Caller::from);
    exchange.notes().caller = caller.clone();
    let sizes = judge_policy(exchange, &form, &name, &key, caller != Caller::Anonymous)?;
    let headers = restated_headers(head, &form)?;
    let ask = Ask { deps: deps.clone(), exchange: exchange.clone(), caller, headers, trailers: None };

    let bucket = ask.bucket(&name).await?;
    let key = match std::str::from_utf8(&key) {
        Ok(text) => ask.key(text)?,
        Err(_) => return Err(S3Fault::new("InvalidURI")),
    };
    existing_for_write(&ask, &bucket, &key).await?;
    let request = put_request(&ask, &bucket, &key, ObjectKind::Normal, WriteCondition::Always)?;
    let success = Success::read(&form, &["success_action_redirect", "redirect"]);
    let stored = form.store_file(body, &deps.objects, sizes).await.map_err(|fault| match fault {
        FormFault::Store(error) => ask.store_error(&error),
        other => from_form(other),
    })?;
    let object = deps.objects.put(request, stored).await.map_err(|error| ask.store_error(&error))?;

    let etag = format!("\"{}\"", object.etag.to_lower_hex());
    let mut answer = success.answer(&name, key.as_bytes(), &etag, &location(&ask, &name, &key));
    answer.headers.insert(header::ETAG, etag_value(object.etag));
    versions::show(&bucket, object.version, &mut answer.headers);
    Ok(answer)
}

/// A form goes to its bucket, not to a key.
fn bucket_name(deps: &HttpDeps, exchange: &Exchange, head: &Parts) -> Result<String, S3Fault> {
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let path = percent_encoding::percent_decode_str(head.uri.path().trim_start_matches('/')).decode_utf8_lossy();
    let (name, rest) = match host_bucket(&deps.hosts, host) {
        Some(name) => (name, path.as_ref()),
        None => {
            let (name, rest) = path.split_once('/').unwrap_or((&path, ""));
            (name.to_owned(), rest)
        }
    };
    exchange.notes().bucket_name = Some(name.clone());
    if name.is_empty() || !rest.is_empty() {
        return Err(S3Fault::new("MethodNotAllowed").with("Method", "POST").with("ResourceType", "OBJECT"));
    }
    Ok(name)
}

/// The key that signed the form's policy; `None` of a form that nobody signed.
async fn signer(deps: &HttpDeps, exchange: &Exchange, form: &PostedForm) -> Result<Option<Credential>, S3Fault> {
    let v4 = form.text("x-amz-algorithm").is_some() || form.text("x-amz-credential").is_some();
    let (id, policy) = (form.text("awsaccesskeyid"), form.text("policy"));
    let named = if v4 { "X-Amz-Signature" } else { "Signature" };
    let provided = form.text(&named.to_ascii_lowercase());
    if !v4 && id.is_none() && provided.is_none() && policy.is_none() {
        return Ok(None);
    }
    let policy = policy.ok_or_else(|| field_missing("policy"))?;
    let provided = provided.ok_or_else(|| field_missing(named))?;
    let (id, scope) = match v4 {
        false => (id.ok_or_else(|| field_missing("AWSAccessKeyId"))?, None),
        true => {
            let (access_key_id, scope) = claim(form)?;
            (access_key_id, Some(scope))
        }
    };
    let token = form.get("x-amz-security-token").map(<[u8]>::trim_ascii);
    let key = credential(deps, &id, token, exchange.now).await.map_err(|fault| fault.with("AWSAccessKeyId", &id))?;
    let holds = match &scope {
        None => post_policy::verify_v1(&policy, &key.secret, &provided),
        Some(scope) => post_policy::verify_sig_v4(&policy, scope, &key.secret, &provided),
    };
    match holds {
        true => Ok(Some(key)),
        false => Err(S3Fault::new("SignatureDoesNotMatch")
            .with("AWSAccessKeyId", id)
            .with("StringToSign", policy)
            .with("SignatureProvided", provided)),
    }
}

/// Who signed with V4, and for which scope, whose day must be that of `x-amz-date`.
fn claim(form: &PostedForm) -> Result<(String, String), S3Fault> {
    let field = |name: &str| form.text(name).unwrap_or_default();
    let algorithm = field("x-amz-algorithm");
    if algorithm != sig_v4::ALGORITHM {
        let message = "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"";
        return Err(S3Fault::invalid_argument(message, "x-amz-algorithm", &algorithm));
    }
    let credential = field("x-amz-credential");
    let malformed =
        || S3Fault::invalid_argument("Error parsing the X-Amz-Credential field.", "x-amz-credential", &credential);
    let claim = sig_v4::Claim::new(&credential, "", "").ok_or_else(malformed)?;
    let day = claim.scope.split('/').next().unwrap_or_default();
    let date = field("x-amz-date");
    if day.len() != 8 || !date.starts_with(day) {
        return Err(S3Fault::invalid_argument("X-Amz-Date must be of the credential's day.", "x-amz-date", &date));
    }
    Ok((claim.access_key_id.to_owned(), claim.scope.to_owned()))
}

/// Whoever signed a form spoke of each of its fields: one more could change what the upload means.
fn judge_policy(
    exchange: &Exchange,
    form: &PostedForm,
    bucket: &str,
    key: &[u8],
    signed: bool,
) -> Result<SizeRange, S3Fault> {
    let Some(text) = form.text("policy").filter(|_| signed) else { return Ok(SizeRange::default()) };
    let value = |name: &str| match name {
        "key" => Some(key),
        "bucket" => Some(bucket.as_bytes()),
        other => form.get(other).map(<[u8]>::trim_ascii),
    };
    let judged = Policy::read(&text).and_then(|policy| {
        let sizes = policy.judge(exchange.now, form.get("key").unwrap_or_default(), value)?;
        let needs_none = |field: &str| WITHOUT_CONDITION.contains(&field) || field.starts_with("x-ignore-");
        match form.fields().find(|(field, _)| !needs_none(field) && !policy.mentions(field)) {
            Some((field, _)) => Err(PolicyFault::ExtraField(field.to_owned())),
            None => Ok(sizes),
        }
    });
    judged.map_err(|fault| {
        let code = match &fault {
            PolicyFault::Invalid { .. } => "InvalidPolicyDocument",
            PolicyFault::Expired | PolicyFault::Failed(_) | PolicyFault::ExtraField(_) => "AccessDenied",
        };
        S3Fault::new(code).saying(fault.to_string())
    })
}

/// Headers that say what the form says with fields.
fn restated_headers(head: &Parts, form: &PostedForm) -> Result<HeaderMap, S3Fault> {
    let wanted = |field| match field {
        "acl" => Some("x-amz-acl"),
        "x-amz-algorithm" | "x-amz-credential" | "x-amz-date" | "x-amz-signature" | "x-amz-security-token" => None,
        field if field.starts_with("x-amz-") || CONTENT_FIELDS.contains(&field) => Some(field),
        _ => None,
    };
    let unfit = |field: String| {
        let value = String::from_utf8_lossy(form.get(&field).unwrap_or_default()).into_owned();
        S3Fault::invalid_argument("The value of the form field is invalid.", &field, &value)
    };
    let mut headers = as_headers(form, wanted).map_err(unfit)?;
    if let Some(document) = form.get("tagging").filter(|document| !document.is_empty()) {
        headers.insert("x-amz-tagging", tagging_header(document)?);
    }
    if let Some(host) = head.headers.get(header::HOST) {
        headers.insert(header::HOST, host.clone());
    }
    Ok(headers)
}

/// Tags come as a document here, and as a header in a PUT.
fn tagging_header(document: &[u8]) -> Result<HeaderValue, S3Fault> {
    let tags = read_tagging(document).map_err(|_| S3Fault::new("MalformedXML"))?;
    let encode = |text: &str| percent_encode(text.as_bytes(), percent_encoding::NON_ALPHANUMERIC).to_string();
    let pairs: Vec<String> = tags.iter().map(|tag| format!("{}={}", encode(&tag.key), encode(&tag.value))).collect();
    Ok(HeaderValue::from_str(&pairs.join("&")).expect("percent-encoded text is a header value"))
}

fn location(ask: &Ask, bucket: &str, key: &ObjectKey) -> String {
    let host = ask.header("host").unwrap_or_default();
    let path = percent_encode(key.as_bytes(), &KEY);
    match host_bucket(&ask.deps.hosts, &host) {
        Some(_) => format!("http://{host}/{path}"),
        None => format!("http://{host}/{bucket}/{path}"),
    }
}

fn field_missing(name: &str) -> S3Fault {
    let message = format!(
        "Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
    );
    S3Fault::invalid_argument(message, name, "")
}

fn from_form(fault: FormFault) -> S3Fault {
    match fault {
        FormFault::Malformed => S3Fault::new("MalformedPOSTRequest"),
        FormFault::FieldsTooLong => S3Fault::new("MaxPostPreDataLengthExceeded"),
        FormFault::FileCount => S3Fault::new("IncorrectNumberOfFilesInPostRequest"),
        FormFault::TooSmall { size, size_min } => S3Fault::new("EntityTooSmall")
            .with("ProposedSize", size.to_string())
            .with("MinSizeAllowed", size_min.to_string()),
        FormFault::TooLarge { size_max } => S3Fault::entity_too_large(size_max),
        FormFault::Body(error) => S3Fault::from_body(error),
        FormFault::Store(error) => S3Fault::from_store(&error, super::error::Subject::default()),
    }
}
