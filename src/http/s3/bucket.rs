//! The service and its buckets: list, make, delete, settings.

use http::header::{self, HeaderValue};
use http::{Method, StatusCode};
use s3s::dto::{
    AccessControlPolicy, Bucket, CORSConfiguration, CORSRule, CreateBucketConfiguration, GetBucketAclOutput,
    GetBucketCorsOutput, ListBucketsInput, ListBucketsOutput, Owner,
};

use super::NAMESPACE;
use super::acl::{self, Canned};
use super::error::S3Fault;
use super::exchange::Ask;
use super::listing::timestamp;
use super::{lock, settings};
use crate::auth::access::Action;
use crate::http::server::Answer;
use crate::http::xml::Writer;
use crate::limits;
use crate::store::{Acl, BucketName, BucketSettings, CorsConfig, CorsRule, StoreError, What};

/// What S3 itself lists in one page, and the most that it takes.
const BUCKETS_MAX: usize = 10_000;
/// Buckets asked of the store at once.
const PAGE: usize = 1_000;

pub(super) async fn list(ask: &Ask, input: ListBucketsInput) -> Result<ListBucketsOutput, S3Fault> {
    let (account, name) = ask.account()?;
    let limit = match input.max_buckets {
        None => BUCKETS_MAX,
        Some(count) => {
            usize::try_from(count).ok().filter(|count| (1..=BUCKETS_MAX).contains(count)).ok_or_else(|| {
                S3Fault::invalid_argument("max-buckets is out of range", "max-buckets", &count.to_string())
            })?
        }
    };
    let prefix = input.prefix.as_deref().unwrap_or_default();
    // A token is the name that the page before ended with.
    let mut after = input.continuation_token.clone().unwrap_or_default();
    let (mut buckets, mut more) = (Vec::new(), true);
    while more && buckets.len() < limit {
        let count = PAGE.min(limit - buckets.len());
        let page = ask.deps.meta.list_buckets(account, prefix, &after, count).await;
        let page = page.map_err(|error| ask.store_error(&error))?;
        more = page.truncated;
        if let Some(last) = page.entries.last() {
            after = last.name.to_string();
        }
        buckets.extend(page.entries.into_iter().map(|bucket| Bucket {
            bucket_region: Some(ask.deps.region.clone()),
            creation_date: Some(timestamp(bucket.created)),
            name: Some(bucket.name.to_string()),
        }));
    }
    Ok(ListBucketsOutput {
        buckets: Some(buckets),
        continuation_token: more.then_some(after),
        owner: Some(Owner { display_name: Some(name.to_owned()), id: Some(account.0.to_string()) }),
        prefix: input.prefix,
    })
}

pub(super) async fn create(
    ask: &Ask,
    name: &str,
    configuration: Option<CreateBucketConfiguration>,
) -> Result<Answer, S3Fault> {
    let (account, _) = ask.account()?;
    // S3's own rules are stricter than those of names that exist.
    let valid = BucketName::new(name).filter(|_| s3s::path::check_bucket_name(name));
    let valid = valid.ok_or_else(|| S3Fault::new("InvalidBucketName").with("BucketName", name))?;
    let location = configuration.and_then(|configuration| configuration.location_constraint);
    if let Some(location) = location
        && !is_here(location.as_str(), &ask.deps.region)
    {
        return Err(S3Fault::new("InvalidLocationConstraint").with("LocationConstraint", location.as_str()));
    }
    let acl = match acl::from_headers(&ask.headers, &account.0.to_string())? {
        Canned::Default => Acl::Private,
        Canned::Acl(acl) => acl,
    };
    let settings = BucketSettings {
        ownership: settings::new_ownership(ask, acl)?,
        object_lock: lock::of_new(ask),
        ..BucketSettings::default()
    };
    match ask.deps.meta.create_bucket_with(&valid, account, acl, settings, ask.exchange.now).await {
        Ok(_) => {}
        Err(StoreError::AlreadyExists(What::Bucket)) => {
            let owned = ask.any_bucket(name).await.is_ok_and(|bucket| bucket.owner == account);
            let code = if owned { "BucketAlreadyOwnedByYou" } else { "BucketAlreadyExists" };
            return Err(S3Fault::new(code).with("BucketName", name));
        }
        Err(error) => return Err(ask.store_error(&error)),
    }
    let mut answer = Answer::empty(StatusCode::OK);
    let location = HeaderValue::from_str(&format!("/{name}")).expect("a bucket's name is a header value");
    answer.headers.insert(header::LOCATION, location);
    Ok(answer)
}

/// Whether a location names this server: its region, with or without OSS's prefix, or the one that clients assume.
fn is_here(location: &str, region: &str) -> bool {
    location.is_empty() || location == "us-east-1" || location.strip_prefix("oss-").unwrap_or(location) == region
}

pub(super) async fn delete(ask: &Ask, name: &str) -> Result<Answer, S3Fault> {
    let bucket = ask.bucket_for(name, Action::WriteSettings).await?;
    ask.deps.meta.delete_bucket(bucket.id).await.map_err(|error| ask.store_error(&error))?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

/// Whoever may list it may know that it is there.
pub(super) async fn head(ask: &Ask, name: &str) -> Result<Answer, S3Fault> {
    ask.bucket_for(name, Action::ListBucket).await?;
    let mut answer = Answer::empty(StatusCode::OK);
    if let Ok(region) = HeaderValue::from_str(&ask.deps.region) {
        answer.headers.insert("x-amz-bucket-region", region);
    }
    Ok(answer)
}

pub(super) async fn location(ask: &Ask, name: &str) -> Result<Answer, S3Fault> {
    ask.bucket_for(name, Action::ReadSettings).await?;
    let region = Some(ask.deps.region.as_str()).filter(|region| *region != "us-east-1");
    Ok(Answer::xml(Writer::document_in(NAMESPACE, "LocationConstraint", |w| w.push(region.unwrap_or_default()))))
}

pub(super) async fn acl(ask: &Ask, name: &str) -> Result<GetBucketAclOutput, S3Fault> {
    let bucket = ask.bucket_for(name, Action::ReadSettings).await?;
    Ok(GetBucketAclOutput { grants: Some(acl::grants(&bucket, bucket.acl)), owner: Some(acl::owner(&bucket)) })
}

pub(super) async fn put_acl(ask: &Ask, name: &str, policy: Option<AccessControlPolicy>) -> Result<Answer, S3Fault> {
    let bucket = ask.bucket_for(name, Action::WriteSettings).await?;
    ask.check_document(false)?;
    let acl = match acl::requested(ask, policy.as_ref(), &bucket)? {
        Canned::Acl(acl) => acl,
        Canned::Default => return Err(S3Fault::header_not_implemented("x-amz-acl")),
    };
    settings::check_acl(&bucket, acl)?;
    ask.deps.meta.set_bucket_acl(bucket.id, acl).await.map_err(|error| ask.store_error(&error))?;
    Ok(Answer::empty(StatusCode::OK))
}

pub(super) async fn cors(ask: &Ask, name: &str) -> Result<GetBucketCorsOutput, S3Fault> {
    let bucket = ask.bucket_for(name, Action::ReadSettings).await?;
    if bucket.cors.rules.is_empty() {
        return Err(S3Fault::new("NoSuchCORSConfiguration").with("BucketName", name));
    }
    let rule = |rule: CorsRule| CORSRule {
        allowed_headers: (!rule.allowed_headers.is_empty()).then_some(rule.allowed_headers),
        allowed_methods: rule.allowed_methods,
        allowed_origins: rule.allowed_origins,
        expose_headers: (!rule.expose_headers.is_empty()).then_some(rule.expose_headers),
        id: None,
        max_age_seconds: rule.max_age_seconds.and_then(|seconds| i32::try_from(seconds).ok()),
    };
    Ok(GetBucketCorsOutput { cors_rules: Some(bucket.cors.rules.iter().cloned().map(rule).collect()) })
}

pub(super) async fn put_cors(ask: &Ask, name: &str, configuration: CORSConfiguration) -> Result<Answer, S3Fault> {
    let bucket = ask.bucket_for(name, Action::WriteSettings).await?;
    ask.check_document(false)?;
    let rules = read_cors(configuration)?;
    // `Vary` on every answer is the other dialect's word; who sets rules here does not take it back.
    let cors = CorsConfig { rules, response_vary: bucket.cors.response_vary };
    ask.deps.meta.set_bucket_cors(bucket.id, cors).await.map_err(|error| ask.store_error(&error))?;
    Ok(Answer::empty(StatusCode::OK))
}

fn read_cors(configuration: CORSConfiguration) -> Result<Vec<CorsRule>, S3Fault> {
    let rules = configuration.cors_rules;
    if rules.is_empty() || rules.len() > limits::OSS_CORS_RULES_MAX {
        return Err(S3Fault::new("MalformedXML"));
    }
    rules.into_iter().map(read_cors_rule).collect()
}

fn read_cors_rule(rule: CORSRule) -> Result<CorsRule, S3Fault> {
    let invalid = |message: String| S3Fault::new("InvalidRequest").saying(message);
    if rule.allowed_origins.is_empty() || rule.allowed_methods.is_empty() {
        return Err(S3Fault::new("MalformedXML"));
    }
    for method in &rule.allowed_methods {
        let known = [Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::HEAD];
        if !known.iter().any(|known| known.as_str() == method) {
            let text = format!("Found unsupported HTTP method in CORS config. Unsupported method is {method}");
            return Err(invalid(text));
        }
    }
    let allowed_headers = rule.allowed_headers.unwrap_or_default();
    if let Some(origin) = rule.allowed_origins.iter().find(|origin| origin.matches('*').count() > 1) {
        return Err(invalid(format!("AllowedOrigin \"{origin}\" can not have more than one wildcard.")));
    }
    if let Some(name) = allowed_headers.iter().find(|name| name.matches('*').count() > 1) {
        return Err(invalid(format!("AllowedHeader \"{name}\" can not have more than one wildcard.")));
    }
    let max_age_seconds = match rule.max_age_seconds {
        None => None,
        Some(seconds) => Some(u32::try_from(seconds).map_err(|_| S3Fault::new("MalformedXML"))?),
    };
    Ok(CorsRule {
        allowed_origins: rule.allowed_origins,
        allowed_methods: rule.allowed_methods,
        allowed_headers,
        expose_headers: rule.expose_headers.unwrap_or_default(),
        max_age_seconds,
    })
}

pub(super) async fn delete_cors(ask: &Ask, name: &str) -> Result<Answer, S3Fault> {
    let bucket = ask.bucket_for(name, Action::WriteSettings).await?;
    let none = CorsConfig::default();
    ask.deps.meta.set_bucket_cors(bucket.id, none).await.map_err(|error| ask.store_error(&error))?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_here_or_refused() {
        for (location, here) in [
            ("", true),
            ("us-east-1", true),
            ("cn-hangzhou", true),
            ("oss-cn-hangzhou", true),
            ("eu-west-1", false),
            ("EU", false),
        ] {
            assert_eq!(is_here(location, "cn-hangzhou"), here, "{location}");
        }
    }

    #[test]
    fn rules_that_cannot_be_kept_are_refused() {
        let rule = || CORSRule {
            allowed_headers: Some(vec!["x-amz-*".into()]),
            allowed_methods: vec!["GET".into()],
            allowed_origins: vec!["https://*.example".into()],
            expose_headers: None,
            id: None,
            max_age_seconds: Some(60),
        };
        let read = |change: &dyn Fn(&mut CORSRule)| {
            let mut rule = rule();
            change(&mut rule);
            read_cors(CORSConfiguration { cors_rules: vec![rule] }).map(drop).map_err(|fault| fault.code)
        };
        assert_eq!(read(&|_| {}), Ok(()));
        assert_eq!(read(&|rule| rule.allowed_methods = vec!["PATCH".into()]), Err("InvalidRequest"));
        assert_eq!(read(&|rule| rule.allowed_origins = vec!["*.*".into()]), Err("InvalidRequest"));
        assert_eq!(read(&|rule| rule.allowed_headers = Some(vec!["**".into()])), Err("InvalidRequest"));
        assert_eq!(read(&|rule| rule.allowed_origins = vec![]), Err("MalformedXML"));
        assert_eq!(read(&|rule| rule.max_age_seconds = Some(-1)), Err("MalformedXML"));
        let many = vec![rule(); limits::OSS_CORS_RULES_MAX + 1];
        assert_eq!(read_cors(CORSConfiguration { cors_rules: many }).map_err(|fault| fault.code), Err("MalformedXML"));
    }
}
