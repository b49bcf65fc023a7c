//! The service and its buckets: list, put, delete, settings, object listings.

use http::StatusCode;
use http::header::{self, HeaderValue};

use super::class;
use super::error::OssError;
use super::operation::{ListBucketsQuery, ListObjectsQuery, ListObjectsV2Query};
use super::service::Ask;
use super::xml::{self, Place};
use crate::auth::access::Action;
use crate::auth::permission::Permission;
use crate::http::access::Wanted;
use crate::http::body::RequestBody;
use crate::http::server::Answer;
use crate::limits;
use crate::store::{Acl, BucketName, BucketRecord, BucketSettings, ListQuery, StorageClass, StoreError, What};

/// Entries of a page when `max-keys` is not given.
const PAGE_DEFAULT: usize = 100;

pub(super) async fn list_buckets(ask: &Ask<'_>, query: &ListBucketsQuery) -> Result<Answer, OssError> {
    let (account, name) = ask.account()?;
    let limit = query.max_keys.unwrap_or(PAGE_DEFAULT);
    let page = ask.deps.meta.list_buckets(account, &query.prefix, &query.marker, limit).await;
    let page = page.map_err(|error| ask.store_error(error))?;
    let endpoint = ask.known().service_endpoint();
    Ok(Answer::xml(xml::list_buckets(account, name, query, &page, &place(ask, &endpoint))))
}

pub(super) async fn put_bucket(ask: &Ask<'_>, body: &mut RequestBody) -> Result<Answer, OssError> {
    let (account, _) = ask.account()?;
    let name = new_bucket_name(ask)?;
    let acl = ask.acl_header("x-oss-acl")?;
    let document = ask.document(body, limits::OSS_XML_BYTES_MAX).await?;
    let wanted = xml::read_create_bucket_configuration(&document)?;
    let class = match &wanted.storage_class {
        None => None,
        Some(text) => {
            let class = class::class_from_text(text);
            Some(class.ok_or_else(|| OssError::invalid_storage_class("StorageClass", text))?)
        }
    };
    if let Some(location) = wanted.location_constraint
        && location.strip_prefix("oss-").unwrap_or(&location) != ask.deps.region
    {
        return Err(OssError::invalid_location_constraint(&location));
    }
    match &ask.accepted.bucket {
        Some(bucket) if bucket.owner != account => return Err(OssError::bucket_already_exists(name.as_str())),
        Some(bucket) if class.is_some_and(|class| class != bucket.settings.storage_class) => {
            return Err(OssError::bucket_already_exists(name.as_str()));
        }
        // Putting one's own bucket again is how clients make sure that it is there.
        Some(bucket) => {
            ask.bucket_for(Action::WriteSettings)?;
            if let Some(acl) = acl.filter(|acl| *acl != bucket.acl) {
                let permission = Permission::PutBucketAcl;
                ask.decide_on(Wanted { bucket, key: None, object: None, permission })?;
                set_acl(ask, bucket, acl).await?;
            }
        }
        None => create(ask, &name, acl.unwrap_or(Acl::Private), class.unwrap_or_default()).await?,
    }
    let mut answer = Answer::empty(StatusCode::OK);
    let location = HeaderValue::from_str(&format!("/{name}")).expect("a bucket's name is a header value");
    answer.headers.insert(header::LOCATION, location);
    Ok(answer)
}

async fn create(ask: &Ask<'_>, name: &BucketName, acl: Acl, class: StorageClass) -> Result<(), OssError> {
    let (account, _) = ask.account()?;
    let settings = BucketSettings { storage_class: class, ..BucketSettings::default() };
    match ask.deps.meta.create_bucket_with(name, account, acl, settings, ask.now).await {
        Ok(_) => Ok(()),
        // Somebody was quicker. If it was the same account, its bucket is there, which is what was asked for.
        Err(StoreError::AlreadyExists(What::Bucket)) => {
            match ask.deps.meta.bucket(name).await.map_err(|error| ask.store_error(error))? {
                Some(bucket) if bucket.owner == account && bucket.settings.storage_class == class => Ok(()),
                _ => Err(OssError::bucket_already_exists(name.as_str())),
            }
        }
        Err(error) => Err(ask.store_error(error)),
    }
}

/// The name of a bucket to make: OSS's rules are stricter than those of names that exist.
fn new_bucket_name(ask: &Ask<'_>) -> Result<BucketName, OssError> {
    let name = ask.accepted.bucket_name.as_deref().unwrap_or_default();
    BucketName::new(name).filter(|_| !name.contains('.')).ok_or_else(|| OssError::invalid_bucket_name(name))
}

pub(super) async fn delete_bucket(ask: &Ask<'_>) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::WriteSettings)?;
    ask.deps.meta.delete_bucket(bucket.id).await.map_err(|error| ask.store_error(error))?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

pub(super) fn bucket_info(ask: &Ask<'_>) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::ReadSettings)?;
    let endpoint = ask.known().service_endpoint();
    Ok(Answer::xml(xml::bucket_info(bucket, &place(ask, &endpoint))))
}

pub(super) async fn stat(ask: &Ask<'_>) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::ReadSettings)?;
    let usage = ask.deps.meta.bucket_usage(bucket.id).await.map_err(|error| ask.store_error(error))?;
    Ok(Answer::xml(xml::bucket_stat(&usage, bucket.settings.quota, ask.now)))
}

/// The one region, unless another was asked for.
pub(super) fn regions(ask: &Ask<'_>, wanted: Option<&str>) -> Result<Answer, OssError> {
    ask.account()?;
    if let Some(wanted) = wanted.filter(|wanted| wanted.strip_prefix("oss-").unwrap_or(wanted) != ask.deps.region) {
        return Err(OssError::invalid_argument("This server has one region.", "regions", wanted));
    }
    let endpoint = ask.known().service_endpoint();
    Ok(Answer::xml(xml::region_info_list(&place(ask, &endpoint))))
}

pub(super) fn location(ask: &Ask<'_>) -> Result<Answer, OssError> {
    ask.bucket_for(Action::ReadSettings)?;
    let endpoint = ask.known().service_endpoint();
    Ok(Answer::xml(xml::location_constraint(&place(ask, &endpoint))))
}

pub(super) fn acl(ask: &Ask<'_>) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::ReadSettings)?;
    Ok(Answer::xml(xml::access_control_policy(bucket.owner, &bucket.owner_name, Some(bucket.acl))))
}

/// On a name that is free this makes the bucket, as the public service does.
pub(super) async fn put_acl(ask: &Ask<'_>) -> Result<Answer, OssError> {
    let acl = ask.acl_header("x-oss-acl")?;
    let missing = || OssError::invalid_argument("The x-oss-acl header is missing.", "x-oss-acl", "");
    let acl = acl.ok_or_else(missing)?;
    match &ask.accepted.bucket {
        Some(_) => set_acl(ask, ask.bucket_for(Action::WriteSettings)?, acl).await?,
        None => create(ask, &new_bucket_name(ask)?, acl, StorageClass::default()).await?,
    }
    Ok(Answer::empty(StatusCode::OK))
}

async fn set_acl(ask: &Ask<'_>, bucket: &BucketRecord, acl: Acl) -> Result<(), OssError> {
    super::settings::check_acl(bucket, acl, false)?;
    ask.deps.meta.set_bucket_acl(bucket.id, acl).await.map_err(|error| ask.store_error(error))
}

pub(super) async fn list_objects(ask: &Ask<'_>, query: &ListObjectsQuery) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::ListBucket)?;
    let listing = ListQuery {
        prefix: query.prefix.clone(),
        delimiter: filled(&query.delimiter),
        after: filled(&query.marker),
        limit: query.max_keys,
    };
    let page = ask.deps.meta.list_objects(bucket.id, &listing).await.map_err(|error| ask.store_error(error))?;
    Ok(Answer::xml(xml::list_objects(bucket, query, &class::judged(page, ask.now))))
}

pub(super) async fn list_objects_v2(ask: &Ask<'_>, query: &ListObjectsV2Query) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::ListBucket)?;
    let after = query.continuation.as_ref().map_or(&query.start_after, |(_, after)| after);
    let listing = ListQuery {
        prefix: query.prefix.clone(),
        delimiter: filled(&query.delimiter),
        after: filled(after),
        limit: query.max_keys,
    };
    let page = ask.deps.meta.list_objects(bucket.id, &listing).await.map_err(|error| ask.store_error(error))?;
    Ok(Answer::xml(xml::list_objects_v2(bucket, query, &class::judged(page, ask.now))))
}

fn filled(bytes: &[u8]) -> Option<Vec<u8>> {
    (!bytes.is_empty()).then(|| bytes.to_vec())
}

fn place<'a>(ask: &'a Ask<'_>, endpoint: &'a str) -> Place<'a> {
    Place { region: &ask.deps.region, extranet_endpoint: endpoint, intranet_endpoint: endpoint }
}
