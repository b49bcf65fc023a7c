//! A bucket's lifecycle rules in the OSS dialect.

use http::StatusCode;

use super::error::OssError;
use super::service::Ask;
use super::xml;
use crate::auth::access::Action;
use crate::http::body::RequestBody;
use crate::http::server::Answer;
use crate::limits;
use crate::store::Lifecycle;
use crate::store::lifecycle::RuleError;

pub(super) async fn get(ask: &Ask<'_>) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::ReadSettings)?;
    let lifecycle = ask.deps.meta.bucket_lifecycle(bucket.id).await.map_err(|error| ask.store_error(error))?;
    if lifecycle.rules.is_empty() {
        return Err(OssError::no_such_lifecycle(bucket.name.as_str()));
    }
    Ok(Answer::xml(xml::lifecycle_configuration(&lifecycle)))
}

pub(super) async fn put(ask: &Ask<'_>, body: &mut RequestBody) -> Result<Answer, OssError> {
    ask.bucket_for(Action::WriteSettings)?;
    let document = ask.document(body, limits::LIFECYCLE_XML_BYTES_MAX).await?;
    let mut lifecycle = xml::read_lifecycle_configuration(&document)?;
    lifecycle.name_rules();
    let allow_overlap = ask.header("x-oss-allow-same-action-overlap").is_some_and(|text| text.trim() == "true");
    lifecycle.check(allow_overlap).map_err(refusal)?;
    set(ask, lifecycle, StatusCode::OK).await
}

pub(super) async fn delete(ask: &Ask<'_>) -> Result<Answer, OssError> {
    set(ask, Lifecycle::default(), StatusCode::NO_CONTENT).await
}

async fn set(ask: &Ask<'_>, lifecycle: Lifecycle, done: StatusCode) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::WriteSettings)?;
    ask.deps.meta.set_bucket_lifecycle(bucket.id, lifecycle).await.map_err(|error| ask.store_error(error))?;
    Ok(Answer::empty(done))
}

fn refusal(error: RuleError) -> OssError {
    match error {
        RuleError::Count(0) => OssError::malformed_xml(),
        RuleError::Count(count) => {
            OssError::invalid_argument("There are too many lifecycle rules.", "Rule", &count.to_string())
        }
        RuleError::Id(id) => {
            OssError::invalid_argument("Rule ID must be unique and at most 255 characters long.", "ID", &id)
        }
        RuleError::NoAction(id) => OssError::invalid_argument("The lifecycle rule has no action.", "ID", &id),
        RuleError::Days(id) => OssError::invalid_argument(
            "Days must be positive, and transitions must go to a colder class each.",
            "ID",
            &id,
        ),
        RuleError::Overlap(_, other) => OssError::invalid_argument(
            "Overlap for same action type on the same or an overlapping prefix.",
            "ID",
            &other,
        ),
    }
}
