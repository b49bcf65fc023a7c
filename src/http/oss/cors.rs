//! A bucket's CORS rules in the OSS dialect, and its answer to a preflight.

use http::StatusCode;
use http::request::Parts;

use super::accept;
use super::error::OssError;
use super::service::Ask;
use super::xml;
use crate::auth::access::Action;
use crate::http::body::RequestBody;
use crate::http::cors::{Refusal, preflight as judge};
use crate::http::server::{Answer, HttpDeps, Trail};
use crate::limits;
use crate::store::CorsConfig;

pub(super) fn get(ask: &Ask<'_>) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::ReadSettings)?;
    if bucket.cors.rules.is_empty() {
        return Err(OssError::no_such_cors_configuration(bucket.name.as_str()));
    }
    Ok(Answer::xml(xml::cors_configuration(&bucket.cors)))
}

pub(super) async fn put(ask: &Ask<'_>, body: &mut RequestBody) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::WriteSettings)?;
    let document = ask.document(body, limits::OSS_XML_BYTES_MAX).await?;
    let cors = xml::read_cors_configuration(&document)?;
    ask.deps.meta.set_bucket_cors(bucket.id, cors).await.map_err(|error| ask.store_error(error))?;
    Ok(Answer::empty(StatusCode::OK))
}

pub(super) async fn delete(ask: &Ask<'_>) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::WriteSettings)?;
    let none = CorsConfig::default();
    ask.deps.meta.set_bucket_cors(bucket.id, none).await.map_err(|error| ask.store_error(error))?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

/// Answers `OPTIONS`.
pub(super) async fn preflight(deps: &HttpDeps, head: &Parts, trail: &mut Trail) -> Result<Answer, OssError> {
    let bucket = accept::bucket_for_preflight(head, &deps.hosts, deps.meta.as_ref()).await;
    trail.bucket = bucket.as_ref().map(|bucket| bucket.name.to_string());
    let mut answer = Answer::empty(StatusCode::OK);
    answer.headers = judge(bucket.as_ref().map(|bucket| &bucket.cors), head).map_err(|refusal| match refusal {
        Refusal::Incomplete(header) => OssError::cors_preflight_incomplete(header),
        Refusal::Forbidden(method) => OssError::cors_forbidden(&method, "OBJECT"),
    })?;
    Ok(answer)
}
