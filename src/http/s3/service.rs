//! The operations that are built, in the library's trait. What is not here the library answers with `NotImplemented`.

use std::sync::Arc;

use http::StatusCode;
use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result};

use super::exchange::Ask;
use super::{
    attributes, bucket, class, lifecycle, listing, lock, multipart, object, policy, settings, tagging, versions,
    website,
};
use crate::http::server::HttpDeps;
use crate::store::BucketSetting;

/// Answers over the service's own stores.
pub(super) struct Operations(pub(super) Arc<HttpDeps>);

#[async_trait::async_trait]
impl S3 for Operations {
    async fn list_buckets(&self, request: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(bucket::list(&ask, input).await)
    }

    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(bucket::create(&ask, &input.bucket, input.create_bucket_configuration).await)
    }

    async fn delete_bucket(&self, request: S3Request<DeleteBucketInput>) -> S3Result<S3Response<DeleteBucketOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(bucket::delete(&ask, &input.bucket).await)
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(bucket::head(&ask, &input.bucket).await)
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(bucket::location(&ask, &input.bucket).await)
    }

    async fn get_bucket_acl(&self, request: S3Request<GetBucketAclInput>) -> S3Result<S3Response<GetBucketAclOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(bucket::acl(&ask, &input.bucket).await)
    }

    async fn put_bucket_acl(&self, request: S3Request<PutBucketAclInput>) -> S3Result<S3Response<PutBucketAclOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(bucket::put_acl(&ask, &input.bucket, input.access_control_policy).await)
    }

    async fn get_bucket_cors(
        &self,
        request: S3Request<GetBucketCorsInput>,
    ) -> S3Result<S3Response<GetBucketCorsOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(bucket::cors(&ask, &input.bucket).await)
    }

    async fn put_bucket_cors(
        &self,
        request: S3Request<PutBucketCorsInput>,
    ) -> S3Result<S3Response<PutBucketCorsOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(bucket::put_cors(&ask, &input.bucket, input.cors_configuration).await)
    }

    async fn delete_bucket_cors(
        &self,
        request: S3Request<DeleteBucketCorsInput>,
    ) -> S3Result<S3Response<DeleteBucketCorsOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(bucket::delete_cors(&ask, &input.bucket).await)
    }

    async fn get_bucket_policy(
        &self,
        request: S3Request<GetBucketPolicyInput>,
    ) -> S3Result<S3Response<GetBucketPolicyOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(policy::get(&ask, &input.bucket).await)
    }

    async fn put_bucket_policy(
        &self,
        request: S3Request<PutBucketPolicyInput>,
    ) -> S3Result<S3Response<PutBucketPolicyOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(policy::put(&ask, &input.bucket, input.policy).await)
    }

    async fn delete_bucket_policy(
        &self,
        request: S3Request<DeleteBucketPolicyInput>,
    ) -> S3Result<S3Response<DeleteBucketPolicyOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(policy::delete(&ask, &input.bucket).await)
    }

    async fn get_bucket_policy_status(
        &self,
        request: S3Request<GetBucketPolicyStatusInput>,
    ) -> S3Result<S3Response<GetBucketPolicyStatusOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(policy::status(&ask, &input.bucket).await)
    }

    async fn get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(versions::versioning(&ask, &input.bucket).await)
    }

    async fn put_bucket_versioning(
        &self,
        request: S3Request<PutBucketVersioningInput>,
    ) -> S3Result<S3Response<PutBucketVersioningOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(versions::put_versioning(&ask, input).await)
    }

    async fn get_object_lock_configuration(
        &self,
        request: S3Request<GetObjectLockConfigurationInput>,
    ) -> S3Result<S3Response<GetObjectLockConfigurationOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(lock::configuration(&ask, &input.bucket).await)
    }

    async fn put_object_lock_configuration(
        &self,
        request: S3Request<PutObjectLockConfigurationInput>,
    ) -> S3Result<S3Response<PutObjectLockConfigurationOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(lock::put_configuration(&ask, &input.bucket, input.object_lock_configuration).await)
    }

    async fn get_object_retention(
        &self,
        request: S3Request<GetObjectRetentionInput>,
    ) -> S3Result<S3Response<GetObjectRetentionOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(lock::retention(&ask, &input.bucket, &input.key).await)
    }

    async fn put_object_retention(
        &self,
        request: S3Request<PutObjectRetentionInput>,
    ) -> S3Result<S3Response<PutObjectRetentionOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(lock::put_retention(&ask, &input.bucket, &input.key, input.retention).await)
    }

    async fn get_object_legal_hold(
        &self,
        request: S3Request<GetObjectLegalHoldInput>,
    ) -> S3Result<S3Response<GetObjectLegalHoldOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(lock::legal_hold(&ask, &input.bucket, &input.key).await)
    }

    async fn put_object_legal_hold(
        &self,
        request: S3Request<PutObjectLegalHoldInput>,
    ) -> S3Result<S3Response<PutObjectLegalHoldOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(lock::put_legal_hold(&ask, &input.bucket, &input.key, input.legal_hold).await)
    }

    async fn list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(versions::list(&ask, input).await)
    }

    async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(listing::list(&ask, input).await)
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(listing::list_v2(&ask, input).await)
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(object::put(&ask, input).await)
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(object::copy(&ask, input).await)
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(object::get(&ask, &input.bucket, &input.key).await)
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(object::head(&ask, &input.bucket, &input.key).await)
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(object::delete(&ask, &input.bucket, &input.key).await)
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(object::delete_many(&ask, &input.bucket, input.delete).await)
    }

    async fn get_object_acl(&self, request: S3Request<GetObjectAclInput>) -> S3Result<S3Response<GetObjectAclOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(object::acl(&ask, &input.bucket, &input.key).await)
    }

    async fn put_object_acl(&self, request: S3Request<PutObjectAclInput>) -> S3Result<S3Response<PutObjectAclOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(object::put_acl(&ask, &input.bucket, &input.key, input.access_control_policy).await)
    }

    async fn get_object_tagging(
        &self,
        request: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(tagging::object_tags(&ask, &input.bucket, &input.key).await)
    }

    async fn put_object_tagging(
        &self,
        request: S3Request<PutObjectTaggingInput>,
    ) -> S3Result<S3Response<PutObjectTaggingOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        let tags = Some(input.tagging);
        ask.settle_answer(tagging::set_object_tags(&ask, &input.bucket, &input.key, tags).await)
    }

    async fn delete_object_tagging(
        &self,
        request: S3Request<DeleteObjectTaggingInput>,
    ) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(tagging::set_object_tags(&ask, &input.bucket, &input.key, None).await)
    }

    async fn get_bucket_tagging(
        &self,
        request: S3Request<GetBucketTaggingInput>,
    ) -> S3Result<S3Response<GetBucketTaggingOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(tagging::bucket_tags(&ask, &input.bucket).await)
    }

    async fn put_bucket_tagging(
        &self,
        request: S3Request<PutBucketTaggingInput>,
    ) -> S3Result<S3Response<PutBucketTaggingOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(tagging::set_bucket_tags(&ask, &input.bucket, Some(input.tagging)).await)
    }

    async fn delete_bucket_tagging(
        &self,
        request: S3Request<DeleteBucketTaggingInput>,
    ) -> S3Result<S3Response<DeleteBucketTaggingOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(tagging::set_bucket_tags(&ask, &input.bucket, None).await)
    }

    async fn get_bucket_lifecycle_configuration(
        &self,
        request: S3Request<GetBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<GetBucketLifecycleConfigurationOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(lifecycle::get(&ask, &input.bucket).await)
    }

    async fn put_bucket_lifecycle_configuration(
        &self,
        request: S3Request<PutBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<PutBucketLifecycleConfigurationOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        let rules = input.lifecycle_configuration.unwrap_or(BucketLifecycleConfiguration { rules: Vec::new() });
        ask.settle_answer(lifecycle::set(&ask, &input.bucket, Some(rules), StatusCode::OK).await)
    }

    async fn delete_bucket_lifecycle(
        &self,
        request: S3Request<DeleteBucketLifecycleInput>,
    ) -> S3Result<S3Response<DeleteBucketLifecycleOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(lifecycle::set(&ask, &input.bucket, None, StatusCode::NO_CONTENT).await)
    }

    async fn get_object_attributes(
        &self,
        request: S3Request<GetObjectAttributesInput>,
    ) -> S3Result<S3Response<GetObjectAttributesOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(attributes::read(&ask, input).await)
    }

    async fn restore_object(
        &self,
        request: S3Request<RestoreObjectInput>,
    ) -> S3Result<S3Response<RestoreObjectOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(class::restore(&ask, input).await)
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(multipart::create(&ask, &input.bucket, &input.key).await)
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(multipart::upload_part(&ask, input).await)
    }

    async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(multipart::upload_part_copy(&ask, input).await)
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(multipart::complete(&ask, input).await)
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(multipart::abort(&ask, &input.bucket, &input.key, &input.upload_id).await)
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(multipart::list_parts(&ask, input).await)
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(multipart::list_uploads(&ask, input).await)
    }

    async fn get_bucket_website(
        &self,
        request: S3Request<GetBucketWebsiteInput>,
    ) -> S3Result<S3Response<GetBucketWebsiteOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(website::get(&ask, &input.bucket).await)
    }

    async fn put_bucket_website(
        &self,
        request: S3Request<PutBucketWebsiteInput>,
    ) -> S3Result<S3Response<PutBucketWebsiteOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(website::put_website(&ask, &input.bucket, input.website_configuration).await)
    }

    async fn delete_bucket_website(
        &self,
        request: S3Request<DeleteBucketWebsiteInput>,
    ) -> S3Result<S3Response<DeleteBucketWebsiteOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(settings::delete(&ask, &input.bucket, BucketSetting::Website(None)).await)
    }

    async fn get_bucket_logging(
        &self,
        request: S3Request<GetBucketLoggingInput>,
    ) -> S3Result<S3Response<GetBucketLoggingOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(settings::logging(&ask, &input.bucket).await)
    }

    async fn put_bucket_logging(
        &self,
        request: S3Request<PutBucketLoggingInput>,
    ) -> S3Result<S3Response<PutBucketLoggingOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(settings::put_logging(&ask, &input.bucket, input.bucket_logging_status).await)
    }

    async fn get_bucket_encryption(
        &self,
        request: S3Request<GetBucketEncryptionInput>,
    ) -> S3Result<S3Response<GetBucketEncryptionOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(settings::encryption(&ask, &input.bucket).await)
    }

    async fn put_bucket_encryption(
        &self,
        request: S3Request<PutBucketEncryptionInput>,
    ) -> S3Result<S3Response<PutBucketEncryptionOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(
            settings::put_encryption(&ask, &input.bucket, input.server_side_encryption_configuration).await,
        )
    }

    async fn delete_bucket_encryption(
        &self,
        request: S3Request<DeleteBucketEncryptionInput>,
    ) -> S3Result<S3Response<DeleteBucketEncryptionOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(settings::delete(&ask, &input.bucket, BucketSetting::Encryption(None)).await)
    }

    async fn get_bucket_request_payment(
        &self,
        request: S3Request<GetBucketRequestPaymentInput>,
    ) -> S3Result<S3Response<GetBucketRequestPaymentOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(settings::request_payment(&ask, &input.bucket).await)
    }

    async fn put_bucket_request_payment(
        &self,
        request: S3Request<PutBucketRequestPaymentInput>,
    ) -> S3Result<S3Response<PutBucketRequestPaymentOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(settings::put_request_payment(&ask, &input.bucket, input.request_payment_configuration).await)
    }

    async fn get_bucket_accelerate_configuration(
        &self,
        request: S3Request<GetBucketAccelerateConfigurationInput>,
    ) -> S3Result<S3Response<GetBucketAccelerateConfigurationOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(settings::acceleration(&ask, &input.bucket).await)
    }

    async fn put_bucket_accelerate_configuration(
        &self,
        request: S3Request<PutBucketAccelerateConfigurationInput>,
    ) -> S3Result<S3Response<PutBucketAccelerateConfigurationOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(settings::put_acceleration(&ask, &input.bucket, input.accelerate_configuration).await)
    }

    async fn get_public_access_block(
        &self,
        request: S3Request<GetPublicAccessBlockInput>,
    ) -> S3Result<S3Response<GetPublicAccessBlockOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(settings::public_access_block(&ask, &input.bucket).await)
    }

    async fn put_public_access_block(
        &self,
        request: S3Request<PutPublicAccessBlockInput>,
    ) -> S3Result<S3Response<PutPublicAccessBlockOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(
            settings::put_public_access_block(&ask, &input.bucket, input.public_access_block_configuration).await,
        )
    }

    async fn delete_public_access_block(
        &self,
        request: S3Request<DeletePublicAccessBlockInput>,
    ) -> S3Result<S3Response<DeletePublicAccessBlockOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(settings::delete(&ask, &input.bucket, BucketSetting::PublicAccessBlock(None)).await)
    }

    async fn get_bucket_ownership_controls(
        &self,
        request: S3Request<GetBucketOwnershipControlsInput>,
    ) -> S3Result<S3Response<GetBucketOwnershipControlsOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(settings::ownership(&ask, &input.bucket).await)
    }

    async fn put_bucket_ownership_controls(
        &self,
        request: S3Request<PutBucketOwnershipControlsInput>,
    ) -> S3Result<S3Response<PutBucketOwnershipControlsOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(settings::put_ownership(&ask, &input.bucket, input.ownership_controls).await)
    }

    async fn delete_bucket_ownership_controls(
        &self,
        request: S3Request<DeleteBucketOwnershipControlsInput>,
    ) -> S3Result<S3Response<DeleteBucketOwnershipControlsOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle_answer(settings::delete(&ask, &input.bucket, BucketSetting::Ownership(None)).await)
    }

    async fn get_bucket_notification_configuration(
        &self,
        request: S3Request<GetBucketNotificationConfigurationInput>,
    ) -> S3Result<S3Response<GetBucketNotificationConfigurationOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(settings::notification(&ask, &input.bucket).await)
    }

    async fn get_bucket_replication(
        &self,
        request: S3Request<GetBucketReplicationInput>,
    ) -> S3Result<S3Response<GetBucketReplicationOutput>> {
        let (ask, input) = Ask::new(&self.0, request);
        ask.settle(settings::replication(&ask, &input.bucket).await)
    }
}
