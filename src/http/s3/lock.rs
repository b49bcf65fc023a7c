//! Object lock: a bucket's configuration, retention and legal hold of versions, and the headers of both.
//!
//! "Locking objects with Object Lock" of the Amazon S3 user guide. What a lock forbids the store judges.

use std::sync::Arc;

use http::StatusCode;
use http::header::{HeaderMap, HeaderValue};
use s3s::dto::{
    DefaultRetention as WireDefault, Error, GetObjectLegalHoldOutput, GetObjectLockConfigurationOutput,
    GetObjectRetentionOutput, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockLegalHold,
    ObjectLockLegalHoldStatus, ObjectLockRetention, ObjectLockRetentionMode, ObjectLockRule, Timestamp,
    TimestampFormat,
};

use super::error::S3Fault;
use super::exchange::Ask;
use super::listing::{plain, timestamp};
use super::versions;
use crate::auth::access::Action;
use crate::auth::permission::Permission;
use crate::clock::Wall;
use crate::http::access::Wanted;
use crate::http::server::Answer;
use crate::limits::RETENTION_DAYS_MAX;
use crate::store::{
    BucketRecord, BucketSetting, DefaultRetention, LockChange, ObjectAttributes, ObjectKey, ObjectLock, ObjectRecord,
    Retention, RetentionMode, RetentionPeriod, StoreError, VersionName,
};

const ENABLED: &str = "x-amz-bucket-object-lock-enabled";
const MODE: &str = "x-amz-object-lock-mode";
const UNTIL: &str = "x-amz-object-lock-retain-until-date";
const HOLD: &str = "x-amz-object-lock-legal-hold";
const BYPASS: &str = "x-amz-bypass-governance-retention";

// ---- the bucket ----------------------------------------------------------------------------------------------

/// The lock that a bucket shall be made with.
pub(super) fn of_new(ask: &Ask) -> Option<ObjectLock> {
    ask.header(ENABLED).filter(|text| text.eq_ignore_ascii_case("true")).map(|_| ObjectLock::default())
}

pub(super) async fn configuration(ask: &Ask, name: &str) -> Result<GetObjectLockConfigurationOutput, S3Fault> {
    let bucket = ask.bucket_for(name, Action::ReadSettings).await?;
    let missing = || S3Fault::new("ObjectLockConfigurationNotFoundError").with("BucketName", name);
    let lock = bucket.settings.object_lock.ok_or_else(missing)?;
    let rule = lock.default_retention.map(|default| {
        let number = |number: u32| i32::try_from(number).ok();
        let (days, years) = match default.period {
            RetentionPeriod::Days(days) => (number(days), None),
            RetentionPeriod::Years(years) => (None, number(years)),
        };
        ObjectLockRule { default_retention: Some(WireDefault { days, mode: Some(wire_mode(default.mode)), years }) }
    });
    Ok(GetObjectLockConfigurationOutput {
        object_lock_configuration: Some(ObjectLockConfiguration {
            object_lock_enabled: Some(ObjectLockEnabled::from_static(ObjectLockEnabled::ENABLED)),
            rule,
        }),
    })
}

pub(super) async fn put_configuration(
    ask: &Ask,
    name: &str,
    configuration: Option<ObjectLockConfiguration>,
) -> Result<Answer, S3Fault> {
    let bucket = ask.bucket_for(name, Action::WriteSettings).await?;
    ask.check_document(false)?;
    let lock = read_configuration(configuration)?;
    let set = ask.deps.meta.set_bucket_setting(bucket.id, BucketSetting::ObjectLock(lock)).await;
    set.map_err(|error| match error {
        StoreError::PreconditionFailed => {
            let message = "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration";
            S3Fault::new("InvalidBucketState").saying(message)
        }
        error => ask.store_error(&error),
    })?;
    Ok(Answer::empty(StatusCode::OK))
}

fn read_configuration(configuration: Option<ObjectLockConfiguration>) -> Result<ObjectLock, S3Fault> {
    let malformed = || S3Fault::new("MalformedXML");
    let configuration = configuration.ok_or_else(malformed)?;
    let enabled = configuration.object_lock_enabled.as_ref().map(ObjectLockEnabled::as_str);
    if enabled != Some(ObjectLockEnabled::ENABLED) {
        return Err(malformed());
    }
    let Some(rule) = configuration.rule else { return Ok(ObjectLock::default()) };
    let wire = rule.default_retention.ok_or_else(malformed)?;
    let mode = read_mode(wire.mode.as_ref().map(ObjectLockRetentionMode::as_str).unwrap_or_default());
    let mode = mode.ok_or_else(malformed)?;
    let (number, days_each) = match (wire.days, wire.years) {
        (Some(days), None) => (days, 1),
        (None, Some(years)) => (years, 365),
        _ => return Err(malformed()),
    };
    let number = u32::try_from(number).ok().filter(|number| (1..=RETENTION_DAYS_MAX / days_each).contains(number));
    let number = number.ok_or_else(|| S3Fault::new("InvalidRetentionPeriod"))?;
    let period = if days_each == 1 { RetentionPeriod::Days(number) } else { RetentionPeriod::Years(number) };
    Ok(ObjectLock { default_retention: Some(DefaultRetention { mode, period }) })
}

/// Of a change of versioning that a lock forbids.
pub(super) fn versioning_error(ask: &Ask, error: &StoreError) -> S3Fault {
    match error {
        StoreError::PreconditionFailed => {
            let message =
                "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.";
            S3Fault::new("InvalidBucketState").saying(message)
        }
        error => ask.store_error(error),
    }
}

// ---- one version ---------------------------------------------------------------------------------------------

fn check_locks(bucket: &BucketRecord) -> Result<(), S3Fault> {
    match bucket.settings.object_lock {
        Some(_) => Ok(()),
        None => Err(S3Fault::new("InvalidRequest").saying("Bucket is missing Object Lock Configuration")),
    }
}

fn not_locked() -> S3Fault {
    S3Fault::new("NoSuchObjectLockConfiguration")
}

/// Whether the caller sets governance aside: the owner, or whom a policy lets. Who may not, is held by it as without the
/// header.
pub(super) fn bypasses(ask: &Ask, bucket: &BucketRecord, key: &ObjectKey) -> bool {
    let permission = Permission::BypassGovernanceRetention;
    ask.header(BYPASS).is_some_and(|text| text.eq_ignore_ascii_case("true"))
        && ask.decide_on(Wanted { bucket, key: Some(key.as_bytes()), object: None, permission }).is_ok()
}

async fn locked_object(ask: &Ask, bucket: &str, key: &str) -> Result<Arc<ObjectRecord>, S3Fault> {
    let bucket = ask.bucket_for(bucket, Action::ReadSettings).await?;
    let key = ask.key(key)?;
    check_locks(&bucket)?;
    versions::existing(ask, &bucket, &key, ask.version()?).await
}

pub(super) async fn retention(ask: &Ask, bucket: &str, key: &str) -> Result<GetObjectRetentionOutput, S3Fault> {
    let object = locked_object(ask, bucket, key).await?;
    let retention = object.attributes.retention.ok_or_else(not_locked)?;
    Ok(GetObjectRetentionOutput {
        retention: Some(ObjectLockRetention {
            mode: Some(wire_mode(retention.mode)),
            retain_until_date: Some(timestamp(Wall(retention.until_ms))),
        }),
    })
}

pub(super) async fn legal_hold(ask: &Ask, bucket: &str, key: &str) -> Result<GetObjectLegalHoldOutput, S3Fault> {
    let object = locked_object(ask, bucket, key).await?;
    let status = hold_text(object.attributes.legal_hold.ok_or_else(not_locked)?);
    let status = Some(ObjectLockLegalHoldStatus::from_static(status));
    Ok(GetObjectLegalHoldOutput { legal_hold: Some(ObjectLockLegalHold { status }) })
}

pub(super) async fn put_retention(
    ask: &Ask,
    bucket: &str,
    key: &str,
    retention: Option<ObjectLockRetention>,
) -> Result<Answer, S3Fault> {
    let bucket = ask.bucket_for(bucket, Action::WriteSettings).await?;
    ask.check_document(false)?;
    check_locks(&bucket)?;
    let retention = retention.ok_or_else(|| S3Fault::new("MalformedXML"))?;
    let wanted = match (retention.mode, retention.retain_until_date) {
        // An empty document ends the retention, as far as that may be.
        (None, None) => None,
        (Some(mode), Some(until)) => {
            let mode = read_mode(mode.as_str()).ok_or_else(|| S3Fault::new("MalformedXML"))?;
            Some(Retention { mode, until_ms: future(ask, until)? })
        }
        _ => return Err(S3Fault::new("MalformedXML")),
    };
    set(ask, &bucket, key, LockChange::Retention(wanted)).await
}

pub(super) async fn put_legal_hold(
    ask: &Ask,
    bucket: &str,
    key: &str,
    hold: Option<ObjectLockLegalHold>,
) -> Result<Answer, S3Fault> {
    let bucket = ask.bucket_for(bucket, Action::WriteSettings).await?;
    ask.check_document(false)?;
    check_locks(&bucket)?;
    let status = hold.and_then(|hold| hold.status);
    let held =
        status.as_ref().and_then(|status| read_hold(status.as_str())).ok_or_else(|| S3Fault::new("MalformedXML"))?;
    set(ask, &bucket, key, LockChange::LegalHold(held)).await
}

async fn set(ask: &Ask, bucket: &BucketRecord, key: &str, change: LockChange) -> Result<Answer, S3Fault> {
    let key = ask.key(key)?;
    let version = ask.version()?;
    let bypasses = bypasses(ask, bucket, &key);
    let set = ask.deps.meta.set_object_lock(bucket.id, &key, version, change, bypasses, ask.exchange.now).await;
    let set = set.map_err(|error| versions::error(ask, &error, &key, version))?;
    let mut answer = Answer::empty(StatusCode::OK);
    versions::show(bucket, set, &mut answer.headers);
    Ok(answer)
}

/// One that a lock kept, among many to delete.
pub(super) fn delete_error(key: &ObjectKey, version: Option<VersionName>) -> Error {
    let fault = S3Fault::locked();
    Error {
        code: Some(fault.code.to_owned()),
        key: Some(plain(key.as_bytes())),
        message: Some(fault.message.into_owned()),
        version_id: version.map(|version| version.to_string()),
    }
}

// ---- headers -------------------------------------------------------------------------------------------------

/// The locks that a request asks for the object that it makes.
pub(super) fn requested(ask: &Ask, bucket: &BucketRecord) -> Result<ObjectAttributes, S3Fault> {
    let mut attributes = ObjectAttributes::default();
    if ![MODE, UNTIL, HOLD].iter().any(|name| ask.headers.contains_key(*name)) {
        return Ok(attributes);
    }
    check_locks(bucket)?;
    match (ask.header(MODE), ask.header(UNTIL)) {
        (None, None) => {}
        (Some(mode), Some(until)) => {
            let unknown = || S3Fault::invalid_argument("Unknown wormMode directive.", MODE, &mode);
            let mode = read_mode(&mode).ok_or_else(unknown)?;
            let until = Timestamp::parse(TimestampFormat::DateTime, &until).map_err(|_| {
                S3Fault::invalid_argument("The retain until date must be provided in ISO 8601 format", UNTIL, &until)
            })?;
            attributes.retention = Some(Retention { mode, until_ms: future(ask, until)? });
        }
        _ => {
            let message = "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied";
            return Err(S3Fault::invalid_argument(message, MODE, ""));
        }
    }
    if let Some(hold) = ask.header(HOLD) {
        let unknown = || S3Fault::invalid_argument("Legal Hold must be either of 'ON' or 'OFF'", HOLD, &hold);
        attributes.legal_hold = Some(read_hold(&hold).ok_or_else(unknown)?);
    }
    Ok(attributes)
}

/// Says what locks an object.
pub(super) fn show(object: &ObjectRecord, headers: &mut HeaderMap) {
    if let Some(retention) = object.attributes.retention {
        headers.insert(MODE, HeaderValue::from_static(mode_text(retention.mode)));
        if let Ok(until) = HeaderValue::from_str(&versions::time_text(Wall(retention.until_ms))) {
            headers.insert(UNTIL, until);
        }
    }
    if let Some(held) = object.attributes.legal_hold {
        headers.insert(HOLD, HeaderValue::from_static(hold_text(held)));
    }
}

fn future(ask: &Ask, until: Timestamp) -> Result<i64, S3Fault> {
    let until = time::OffsetDateTime::from(until);
    let until_ms = i64::try_from(until.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX);
    if until_ms <= ask.exchange.now.0 {
        let message = "The retain until date must be in the future!";
        return Err(S3Fault::invalid_argument(message, "RetainUntilDate", &until.to_string()));
    }
    Ok(until_ms)
}

fn read_mode(text: &str) -> Option<RetentionMode> {
    [RetentionMode::Governance, RetentionMode::Compliance].into_iter().find(|mode| mode_text(*mode) == text)
}

const fn mode_text(mode: RetentionMode) -> &'static str {
    match mode {
        RetentionMode::Governance => ObjectLockRetentionMode::GOVERNANCE,
        RetentionMode::Compliance => ObjectLockRetentionMode::COMPLIANCE,
    }
}

fn wire_mode(mode: RetentionMode) -> ObjectLockRetentionMode {
    ObjectLockRetentionMode::from_static(mode_text(mode))
}

fn read_hold(text: &str) -> Option<bool> {
    [true, false].into_iter().find(|held| hold_text(*held) == text)
}

const fn hold_text(held: bool) -> &'static str {
    if held { ObjectLockLegalHoldStatus::ON } else { ObjectLockLegalHoldStatus::OFF }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_says_one_period_within_its_bounds() {
        let read = |enabled: &'static str, mode: &'static str, days, years| {
            let default = WireDefault { days, mode: Some(ObjectLockRetentionMode::from_static(mode)), years };
            let configuration = ObjectLockConfiguration {
                object_lock_enabled: Some(ObjectLockEnabled::from_static(enabled)),
                rule: Some(ObjectLockRule { default_retention: Some(default) }),
            };
            let read = read_configuration(Some(configuration)).map_err(|fault| fault.code);
            read.map(|lock| lock.default_retention.expect("a default").period)
        };
        for (enabled, mode, days, years, expected) in [
            ("Enabled", "GOVERNANCE", Some(1), None, Ok(RetentionPeriod::Days(1))),
            ("Enabled", "COMPLIANCE", None, Some(100), Ok(RetentionPeriod::Years(100))),
            ("Enabled", "COMPLIANCE", Some(36_500), None, Ok(RetentionPeriod::Days(36_500))),
            ("Enabled", "COMPLIANCE", Some(36_501), None, Err("InvalidRetentionPeriod")),
            ("Enabled", "COMPLIANCE", None, Some(101), Err("InvalidRetentionPeriod")),
            ("Enabled", "GOVERNANCE", Some(0), None, Err("InvalidRetentionPeriod")),
            ("Enabled", "GOVERNANCE", None, Some(-1), Err("InvalidRetentionPeriod")),
            ("Enabled", "GOVERNANCE", Some(1), Some(1), Err("MalformedXML")),
            ("Enabled", "GOVERNANCE", None, None, Err("MalformedXML")),
            ("Enabled", "governance", Some(1), None, Err("MalformedXML")),
            ("Disabled", "GOVERNANCE", Some(1), None, Err("MalformedXML")),
        ] {
            assert_eq!(read(enabled, mode, days, years), expected, "{enabled} {mode} {days:?} {years:?}");
        }
        assert_eq!(read_configuration(None).map_err(|fault| fault.code), Err("MalformedXML"));
        let bare = ObjectLockConfiguration {
            object_lock_enabled: Some(ObjectLockEnabled::from_static(ObjectLockEnabled::ENABLED)),
            rule: None,
        };
        assert_eq!(read_configuration(Some(bare)).map_err(|fault| fault.code), Ok(ObjectLock::default()));
    }
}
