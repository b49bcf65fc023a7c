//! Errors of symlinks, storage classes and quotas.

use http::StatusCode;

use super::OssError;

impl OssError {
    /// 404: a symlink's target is not there.
    pub fn symlink_target_not_exist(target: &[u8]) -> Self {
        Self::new(StatusCode::NOT_FOUND, "SymlinkTargetNotExist", "The symlink target object does not exist.")
            .with_detail("Key", String::from_utf8_lossy(target))
    }

    /// 400: a symlink's target is a symlink itself.
    pub fn invalid_target_type(target: &[u8]) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidTargetType", "The symlink's target object type is invalid.")
            .with_detail("Key", String::from_utf8_lossy(target))
    }

    /// 400: GetSymlink of another object.
    pub fn not_symlink(key: &[u8]) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "NotSymlink", "The object is not symlink.")
            .with_detail("Key", String::from_utf8_lossy(key))
    }

    /// 400: `x-oss-symlink-target` is missing, or names no object of this dialect.
    pub fn invalid_symlink_target(value: &str) -> Self {
        Self::invalid_argument("The symlink target is invalid.", "x-oss-symlink-target", value)
    }

    /// 403: the bytes of an archived object that nobody has restored.
    pub fn invalid_object_state(key: &[u8]) -> Self {
        Self::new(StatusCode::FORBIDDEN, "InvalidObjectState", "The operation is not valid for the object's state.")
            .with_detail("ObjectName", String::from_utf8_lossy(key))
    }

    /// 400: a restore of an object that is not archived.
    pub fn operation_not_supported(resource: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "OperationNotSupported", "The operation is not supported for this resource")
            .with_detail("Resource", resource)
            .with_detail("Detail", "RestoreObject operation does not support this object storage class")
    }

    /// 400: a storage class that OSS does not know.
    pub fn invalid_storage_class(name: &str, value: &str) -> Self {
        Self::invalid_argument(
            "The storage class must be Standard, IA, Archive, ColdArchive or DeepColdArchive.",
            name,
            value,
        )
    }

    /// 403: the bucket may not hold what this would make it hold.
    pub fn quota_exceeded(bucket: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "QuotaExceeded", "Bucket storage exceed max storage capacity.")
            .with_detail("BucketName", bucket)
    }
}
