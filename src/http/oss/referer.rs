//! Reads from pages that a bucket does not want (`?referer`): of requests without a signature, and of those whose
//! signature stands in the URL, which anybody can put into a page.

use super::accept::{Caller, SignaturePlace};
use super::error::OssError;
use super::operation::OssOperation as Op;
use super::service::Ask;

/// `Ok` for everything but such a read of an object.
pub(super) fn check(ask: &Ask<'_>) -> Result<(), OssError> {
    let Some(rules) = ask.accepted.bucket.as_ref().and_then(|bucket| bucket.settings.referer.as_ref()) else {
        return Ok(());
    };
    let by_header = matches!(&ask.accepted.caller, Caller::Key { signature: SignaturePlace::Header, .. });
    let reads = matches!(
        ask.accepted.operation,
        Op::GetObject(_) | Op::HeadObject(_) | Op::GetObjectMeta(_) | Op::GetObjectHlsSigned(_)
    );
    if by_header || !(reads || super::website::of(ask).is_some()) {
        return Ok(());
    }
    let referer = ask.head.headers.get(http::header::REFERER).map_or(&b""[..], |value| value.as_bytes());
    rules.judge(referer).map_err(OssError::denied_by_referer)
}
