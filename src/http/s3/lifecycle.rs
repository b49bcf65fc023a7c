//! A bucket's lifecycle rules in the S3 dialect.

use http::StatusCode;
use s3s::dto::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, ExpirationStatus,
    GetBucketLifecycleConfigurationOutput, LifecycleExpiration, LifecycleRule as WireRule, LifecycleRuleAndOperator,
    LifecycleRuleFilter, NoncurrentVersionExpiration, NoncurrentVersionTransition, Tag as WireTag, Timestamp,
    Transition as WireTransition, TransitionStorageClass,
};
use time::OffsetDateTime;

use super::class::{class_from_text, class_text};
use super::error::S3Fault;
use super::exchange::Ask;
use crate::auth::access::Action;
use crate::clock::Wall;
use crate::http::server::Answer;
use crate::store::lifecycle::{
    Due, Lifecycle, LifecycleFilter, LifecycleRule, NoncurrentExpiration, NoncurrentTransition, RuleError, Transition,
};
use crate::store::{StorageClass, Tag};

pub(super) async fn get(ask: &Ask, name: &str) -> Result<GetBucketLifecycleConfigurationOutput, S3Fault> {
    let bucket = ask.bucket_for(name, Action::ReadSettings).await?;
    let found = ask.deps.meta.bucket_lifecycle(bucket.id).await;
    let lifecycle = found.map_err(|error| ask.store_error(&error))?;
    if lifecycle.rules.is_empty() {
        return Err(S3Fault::new("NoSuchLifecycleConfiguration").with("BucketName", name));
    }
    let rules = lifecycle.rules.into_iter().map(wire_rule).collect();
    Ok(GetBucketLifecycleConfigurationOutput { rules: Some(rules), ..Default::default() })
}

/// `None` removes the rules.
pub(super) async fn set(
    ask: &Ask,
    name: &str,
    configuration: Option<BucketLifecycleConfiguration>,
    done: StatusCode,
) -> Result<Answer, S3Fault> {
    let bucket = ask.bucket_for(name, Action::WriteSettings).await?;
    let mut lifecycle = Lifecycle::default();
    if let Some(configuration) = configuration {
        ask.check_document(false)?;
        lifecycle.rules = configuration.rules.into_iter().map(read_rule).collect::<Result<_, _>>()?;
        lifecycle.name_rules();
        // Rules of this dialect may overlap.
        lifecycle.check(true).map_err(refusal)?;
    }
    ask.deps.meta.set_bucket_lifecycle(bucket.id, lifecycle).await.map_err(|error| ask.store_error(&error))?;
    Ok(Answer::empty(done))
}

fn refusal(error: RuleError) -> S3Fault {
    let invalid = |message: &'static str, id: &str| S3Fault::invalid_argument(message, "ID", id);
    match error {
        RuleError::Count(_) => malformed(),
        RuleError::Id(id) => invalid("RuleId must be unique. ID length should not exceed allowed limit of 255", &id),
        RuleError::NoAction(_) => {
            S3Fault::new("InvalidRequest").saying("At least one action needs to be specified in a rule.")
        }
        RuleError::Days(id) => invalid("'Days' must be a positive integer and classes must get colder", &id),
        RuleError::Overlap(id, _) => invalid("Found overlapping rules", &id),
    }
}

fn malformed() -> S3Fault {
    S3Fault::new("MalformedXML")
}

// ---- reading -------------------------------------------------------------------------------------------------

fn read_rule(rule: WireRule) -> Result<LifecycleRule, S3Fault> {
    let bare_prefix = rule.filter.is_none();
    let filter = match (rule.filter, rule.prefix) {
        (None, Some(prefix)) => LifecycleFilter { prefix, ..LifecycleFilter::default() },
        (Some(filter), None) => read_filter(filter)?,
        _ => return Err(malformed()),
    };
    let (expiration, expired_delete_marker) = match rule.expiration {
        None => (None, false),
        Some(LifecycleExpiration { date, days, expired_object_delete_marker }) => {
            let due = read_due(days, date)?;
            let marker = expired_object_delete_marker.unwrap_or(false);
            if due.is_some() && expired_object_delete_marker.is_some() {
                return Err(malformed());
            }
            (due, marker)
        }
    };
    let abort_upload = rule.abort_incomplete_multipart_upload.map(|abort| {
        let days = abort.days_after_initiation.ok_or_else(malformed)?;
        Ok::<_, S3Fault>(Due::Days(positive(days)?))
    });
    let noncurrent = rule.noncurrent_version_expiration.map(|expiration| {
        let days = positive(expiration.noncurrent_days.ok_or_else(malformed)?)?;
        Ok::<_, S3Fault>(NoncurrentExpiration { days, keep: count(expiration.newer_noncurrent_versions)? })
    });
    Ok(LifecycleRule {
        id: rule.id.unwrap_or_default(),
        enabled: match rule.status.as_str() {
            ExpirationStatus::ENABLED => true,
            ExpirationStatus::DISABLED => false,
            _ => return Err(malformed()),
        },
        filter,
        bare_prefix,
        expiration,
        expired_delete_marker,
        transitions: each(rule.transitions, read_transition)?,
        noncurrent_expiration: noncurrent.transpose()?,
        noncurrent_transitions: each(rule.noncurrent_version_transitions, read_noncurrent_transition)?,
        abort_upload: abort_upload.transpose()?,
    })
}

fn each<T, U>(list: Option<Vec<T>>, read: impl Fn(T) -> Result<U, S3Fault>) -> Result<Vec<U>, S3Fault> {
    list.unwrap_or_default().into_iter().map(read).collect()
}

fn read_filter(filter: LifecycleRuleFilter) -> Result<LifecycleFilter, S3Fault> {
    let bytes = |size: Option<i64>| size.map(|size| u64::try_from(size).map_err(|_| malformed())).transpose();
    let LifecycleRuleFilter { and, object_size_greater_than, object_size_less_than, prefix, tag, .. } = filter;
    let stands_alone =
        prefix.is_none() && tag.is_none() && object_size_greater_than.is_none() && object_size_less_than.is_none();
    let (prefix, tags, larger, smaller) = match and {
        // What stands beside it would narrow the rule, and be lost.
        Some(_) if !stands_alone => return Err(malformed()),
        Some(and) => (and.prefix, and.tags, and.object_size_greater_than, and.object_size_less_than),
        None => (prefix, tag.map(|tag| vec![tag]), object_size_greater_than, object_size_less_than),
    };
    let tag = |tag: WireTag| {
        let key = tag.key.filter(|key| !key.is_empty()).ok_or_else(malformed)?;
        Ok(Tag { key, value: tag.value.unwrap_or_default() })
    };
    Ok(LifecycleFilter {
        prefix: prefix.unwrap_or_default(),
        tags: each(tags, tag)?,
        larger_than: bytes(larger)?,
        smaller_than: bytes(smaller)?,
        not: Vec::new(),
    })
}

fn read_transition(transition: WireTransition) -> Result<Transition, S3Fault> {
    let due = match transition.days {
        // At the next midnight.
        Some(0) if transition.date.is_none() => Due::Days(0),
        days => read_due(days, transition.date)?.ok_or_else(malformed)?,
    };
    Ok(Transition { due, class: read_class(transition.storage_class)? })
}

fn read_noncurrent_transition(transition: NoncurrentVersionTransition) -> Result<NoncurrentTransition, S3Fault> {
    let days = positive(transition.noncurrent_days.ok_or_else(malformed)?)?;
    let keep = count(transition.newer_noncurrent_versions)?;
    Ok(NoncurrentTransition { days, keep, class: read_class(transition.storage_class)? })
}

/// A class that is colder than the first. What S3 moves between classes by itself is what is read rarely here.
fn read_class(class: Option<TransitionStorageClass>) -> Result<StorageClass, S3Fault> {
    let class = class.ok_or_else(malformed)?;
    match class_from_text(class.as_str()) {
        Some(StorageClass::Standard) if class.as_str() == TransitionStorageClass::INTELLIGENT_TIERING => {
            Ok(StorageClass::InfrequentAccess)
        }
        Some(StorageClass::Standard) | None => Err(malformed()),
        Some(colder) => Ok(colder),
    }
}

fn positive(days: i32) -> Result<u32, S3Fault> {
    let message = "'Days' for the action must be a positive integer";
    let days_text = || S3Fault::invalid_argument(message, "Days", &days.to_string());
    u32::try_from(days).ok().filter(|days| *days > 0).ok_or_else(days_text)
}

fn count(versions: Option<i32>) -> Result<u32, S3Fault> {
    versions.map_or(Ok(0), |versions| u32::try_from(versions).map_err(|_| malformed()))
}

/// One of both; `None` when neither is there.
fn read_due(days: Option<i32>, date: Option<Timestamp>) -> Result<Option<Due>, S3Fault> {
    match (days, date) {
        (None, None) => Ok(None),
        (Some(days), None) => Ok(Some(Due::Days(positive(days)?))),
        (None, Some(date)) => {
            let date = OffsetDateTime::from(date);
            if date.time() != time::Time::MIDNIGHT {
                return Err(S3Fault::invalid_argument("'Date' must be at midnight GMT", "Date", &date.to_string()));
            }
            Ok(Some(Due::Date(Wall::from_unix_seconds(date.unix_timestamp()))))
        }
        (Some(_), Some(_)) => Err(malformed()),
    }
}

// ---- writing -------------------------------------------------------------------------------------------------

fn wire_rule(rule: LifecycleRule) -> WireRule {
    let status = if rule.enabled { ExpirationStatus::ENABLED } else { ExpirationStatus::DISABLED };
    let expiration = (rule.expiration.is_some() || rule.expired_delete_marker).then(|| LifecycleExpiration {
        days: rule.expiration.and_then(days_of),
        date: rule.expiration.and_then(date_of),
        expired_object_delete_marker: rule.expired_delete_marker.then_some(true),
    });
    let some_unless_empty = |list: Vec<_>| (!list.is_empty()).then_some(list);
    let transitions = rule.transitions.into_iter().map(|transition| WireTransition {
        days: days_of(transition.due),
        date: date_of(transition.due),
        storage_class: Some(wire_class(transition.class)),
    });
    let noncurrent = rule.noncurrent_transitions.into_iter().map(|transition| NoncurrentVersionTransition {
        noncurrent_days: Some(wire_number(transition.days)),
        newer_noncurrent_versions: (transition.keep > 0).then(|| wire_number(transition.keep)),
        storage_class: Some(wire_class(transition.class)),
    });
    let noncurrent: Vec<_> = noncurrent.collect();
    WireRule {
        id: Some(rule.id),
        status: ExpirationStatus::from_static(status),
        prefix: rule.bare_prefix.then(|| rule.filter.prefix.clone()),
        filter: (!rule.bare_prefix).then(|| wire_filter(rule.filter)),
        expiration,
        transitions: some_unless_empty(transitions.collect()),
        noncurrent_version_expiration: rule.noncurrent_expiration.map(|expiration| NoncurrentVersionExpiration {
            noncurrent_days: Some(wire_number(expiration.days)),
            newer_noncurrent_versions: (expiration.keep > 0).then(|| wire_number(expiration.keep)),
        }),
        noncurrent_version_transitions: (!noncurrent.is_empty()).then_some(noncurrent),
        abort_incomplete_multipart_upload: rule
            .abort_upload
            .map(|due| AbortIncompleteMultipartUpload { days_after_initiation: days_of(due) }),
    }
}

/// One condition stands alone, several stand in `And`. What this dialect cannot say (exclusions) is left out.
fn wire_filter(filter: LifecycleFilter) -> LifecycleRuleFilter {
    let tags: Vec<WireTag> =
        filter.tags.into_iter().map(|tag| WireTag { key: Some(tag.key), value: Some(tag.value) }).collect();
    let bytes = |size: Option<u64>| size.map(|size| i64::try_from(size).unwrap_or(i64::MAX));
    let (larger, smaller) = (bytes(filter.larger_than), bytes(filter.smaller_than));
    let conditions = usize::from(!filter.prefix.is_empty())
        + tags.len()
        + usize::from(larger.is_some())
        + usize::from(smaller.is_some());
    let prefix = (!filter.prefix.is_empty()).then_some(filter.prefix);
    if conditions > 1 {
        let and = LifecycleRuleAndOperator {
            prefix,
            tags: (!tags.is_empty()).then_some(tags),
            object_size_greater_than: larger,
            object_size_less_than: smaller,
        };
        return LifecycleRuleFilter { and: Some(and), ..Default::default() };
    }
    LifecycleRuleFilter {
        // A filter of everything is an empty prefix.
        prefix: if conditions == 0 { Some(String::new()) } else { prefix },
        tag: tags.into_iter().next(),
        object_size_greater_than: larger,
        object_size_less_than: smaller,
        ..Default::default()
    }
}

fn wire_class(class: StorageClass) -> TransitionStorageClass {
    TransitionStorageClass::from_static(class_text(class))
}

fn wire_number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn days_of(due: Due) -> Option<i32> {
    match due {
        Due::Days(days) => Some(wire_number(days)),
        Due::CreatedBefore(_) | Due::Date(_) => None,
    }
}

/// "Created before" is what this dialect cannot say; the date is the nearest it has.
fn date_of(due: Due) -> Option<Timestamp> {
    match due {
        Due::Days(_) => None,
        Due::CreatedBefore(date) | Due::Date(date) => {
            OffsetDateTime::from_unix_timestamp(date.unix_seconds()).ok().map(Timestamp::from)
        }
    }
}
