//! RestoreObject. All classes are kept alike, so a restore is done when it is answered, and none is ever under way.

use http::StatusCode;

use super::error::OssError;
use super::object::existing_for_write;
use super::service::Ask;
use super::versions;
use super::xml;
use crate::http::body::RequestBody;
use crate::http::server::Answer;
use crate::limits;
use crate::store::ObjectKey;

pub(super) async fn restore(ask: &Ask<'_>, body: &mut RequestBody, key: &ObjectKey) -> Result<Answer, OssError> {
    let bucket = ask.accepted.existing_bucket()?;
    existing_for_write(ask, bucket, key).await?;
    let version = ask.version();
    let document = ask.document(body, limits::OSS_XML_BYTES_MAX).await?;
    let request = xml::read_restore_request(&document)?;
    let until = ask.now.plus_days(i64::from(request.days));
    let restored = ask.deps.meta.restore_object(bucket.id, key, version, until, ask.now).await;
    let restored = restored.map_err(|error| versions::error(ask, error, key, version))?;
    // 202 is what clients wait behind; the next look at the object tells them that it is done.
    let mut answer = Answer::empty(if restored.was_readable { StatusCode::OK } else { StatusCode::ACCEPTED });
    versions::show(bucket, restored.version, &mut answer.headers);
    Ok(answer)
}
