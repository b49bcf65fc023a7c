//! Errors of buckets and their settings.

use http::StatusCode;

use super::OssError;
use crate::store::settings::RefererRefusal;

impl OssError {
    /// 404: no bucket of that name.
    pub fn no_such_bucket(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NoSuchBucket", "The specified bucket does not exist.")
            .with_ec("0015-00000101")
            .with_detail("BucketName", name)
    }

    /// 400: the name breaks a rule.
    pub fn invalid_bucket_name(name: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidBucketName", "The specified bucket is not valid.")
            .with_detail("BucketName", name)
    }

    /// 409: somebody has a bucket of that name.
    pub fn bucket_already_exists(name: &str) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "BucketAlreadyExists",
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. \
             Please select a different name and try again.",
        )
        .with_ec("0015-00000104")
        .with_detail("BucketName", name)
    }

    /// 409: objects, open uploads or live channels remain.
    pub fn bucket_not_empty(name: &str) -> Self {
        Self::new(StatusCode::CONFLICT, "BucketNotEmpty", "The bucket you tried to delete is not empty.")
            .with_ec("0015-00000301")
            .with_detail("BucketName", name)
    }

    /// 400: PutBucket for another place.
    pub fn invalid_location_constraint(location: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "InvalidLocationConstraint",
            "The specified location-constraint is not valid.",
        )
        .with_detail("LocationConstraint", location)
    }

    /// 404: the bucket has no CORS rules.
    pub fn no_such_cors_configuration(bucket: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NoSuchCORSConfiguration", "The CORS Configuration does not exist.")
            .with_detail("BucketName", bucket)
    }

    /// 404: the bucket has no lifecycle rules.
    pub fn no_such_lifecycle(bucket: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NoSuchLifecycle", "No Row found in Lifecycle Table.")
            .with_detail("BucketName", bucket)
    }

    /// 404: the bucket is no website.
    pub fn no_such_website_configuration(bucket: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NoSuchWebsiteConfiguration",
            "The specified bucket does not have a website configuration.",
        )
        .with_detail("BucketName", bucket)
    }

    /// 404: the bucket encrypts nothing by default.
    pub fn no_such_server_side_encryption_rule(bucket: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NoSuchServerSideEncryptionRule",
            "The server side encryption rule does not exist.",
        )
        .with_detail("BucketName", bucket)
    }

    /// 404: transfer acceleration was never set.
    pub fn no_such_transfer_acceleration_configuration(bucket: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NoSuchTransferAccelerationConfiguration",
            "The bucket has no transfer acceleration configuration.",
        )
        .with_detail("BucketName", bucket)
    }

    /// 400: access logs cannot go there.
    pub fn invalid_target_bucket_for_logging(target: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "InvalidTargetBucketForLogging",
            "The target bucket for logging does not exist or is not owned by you.",
        )
        .with_detail("TargetBucket", target)
    }

    /// 400: the bucket has no ACLs.
    pub fn acl_not_supported(bucket: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "AccessControlListNotSupported", "The bucket does not allow ACLs")
            .with_detail("BucketName", bucket)
    }

    /// 403: the page that a read comes from may not use the bucket's objects.
    pub fn denied_by_referer(refusal: RefererRefusal) -> Self {
        let ec = match refusal {
            RefererRefusal::Empty => "0003-00000501",
            RefererRefusal::Refused => "0003-00000502",
            RefererRefusal::NotAllowed => "0003-00000503",
        };
        Self::access_denied_because("You are denied by bucket referer policy.").with_ec(ec)
    }

    /// 404: the bucket has no policy.
    pub fn no_such_bucket_policy(bucket: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NoSuchBucketPolicy", "The bucket policy does not exist.")
            .with_detail("BucketName", bucket)
    }

    /// 403: a preflight that no rule allows.
    pub fn cors_forbidden(method: &str, resource_type: &'static str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "AccessForbidden",
            "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request \
             method / Access-Control-Request-Method or Access-Control-Requet-Headers are not whitelisted by the \
             resource's CORS spec.",
        )
        .with_detail("Method", method)
        .with_detail("ResourceType", resource_type)
    }

    /// 400: a preflight without `Origin` or `Access-Control-Request-Method`.
    pub fn cors_preflight_incomplete(header: &'static str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "BadRequest",
            format!("Insufficient information. {header} request header needed."),
        )
    }
}
