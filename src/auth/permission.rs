//! What a request may need to be allowed: one name a right, with the class that ACLs judge it by and the names that the
//! policies of both dialects call it by.
//!
//! A bucket has one policy, whichever dialect put it, and it holds over both: who is denied `oss:GetObject` does not read
//! the object over S3 either. So every right has names in both languages; where a language has none, the other's name
//! stands there with its own prefix, so that `s3:*` leaves nothing out.
//!
//! Sources: the actions of OSS (RAM, "OSS bucket policy") and of Amazon S3 (service authorization reference).

use super::access::Action;
use super::access::Action::{
    ListBucket, ManageLiveChannel, Publish, ReadObject, ReadSettings, WriteObject, WriteSettings,
};

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident $class:ident [$($oss:literal)*] [$($s3:literal)*])*) => {
        /// A right.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Permission { $($(#[$doc])* $name,)* }

        impl Permission {
            /// All there are.
            pub const ALL: &[Permission] = &[$(Permission::$name,)*];

            /// The class that ACLs know.
            pub const fn class(self) -> Action {
                match self { $(Permission::$name => $class,)* }
            }

            /// What policies call it, with the prefix of each language.
            pub const fn names(self) -> &'static [&'static str] {
                match self { $(Permission::$name => &[$(concat!("oss:", $oss),)* $(concat!("s3:", $s3),)*],)* }
            }
        }
    };
}

permissions! {
    /// The account's buckets.
    ListBuckets ReadSettings ["ListBuckets"] ["ListAllMyBuckets"]
    /// The regions there are.
    DescribeRegions ReadSettings ["DescribeRegions"] ["DescribeRegions"]
    /// Make a bucket.
    PutBucket WriteSettings ["PutBucket"] ["CreateBucket"]
    /// Remove a bucket.
    DeleteBucket WriteSettings ["DeleteBucket"] ["DeleteBucket"]
    /// What a bucket is.
    GetBucketInfo ReadSettings ["GetBucketInfo"] ["GetBucketInfo"]
    /// What a bucket holds.
    GetBucketStat ReadSettings ["GetBucketStat"] ["GetBucketStat"]
    /// Where a bucket is.
    GetBucketLocation ReadSettings ["GetBucketLocation"] ["GetBucketLocation"]
    /// A bucket's ACL.
    GetBucketAcl ReadSettings ["GetBucketAcl"] ["GetBucketAcl"]
    /// Change it.
    PutBucketAcl WriteSettings ["PutBucketAcl"] ["PutBucketAcl"]
    /// A bucket's CORS rules.
    GetBucketCors ReadSettings ["GetBucketCors"] ["GetBucketCORS"]
    /// Change them.
    PutBucketCors WriteSettings ["PutBucketCors"] ["PutBucketCORS"]
    /// Remove them. (S3 has one right for both.)
    DeleteBucketCors WriteSettings ["DeleteBucketCors"] ["PutBucketCORS"]
    /// A bucket's tags.
    GetBucketTagging ReadSettings ["GetBucketTagging"] ["GetBucketTagging"]
    /// Change them.
    PutBucketTagging WriteSettings ["PutBucketTagging"] ["PutBucketTagging"]
    /// Remove them.
    DeleteBucketTagging WriteSettings ["DeleteBucketTagging"] ["PutBucketTagging"]
    /// A bucket's policy.
    GetBucketPolicy ReadSettings ["GetBucketPolicy"] ["GetBucketPolicy"]
    /// Change it.
    PutBucketPolicy WriteSettings ["PutBucketPolicy"] ["PutBucketPolicy"]
    /// Remove it.
    DeleteBucketPolicy WriteSettings ["DeleteBucketPolicy"] ["DeleteBucketPolicy"]
    /// Whether it opens the bucket to everybody.
    GetBucketPolicyStatus ReadSettings ["GetBucketPolicyStatus"] ["GetBucketPolicyStatus"]
    /// Whether a bucket keeps versions.
    GetBucketVersioning ReadSettings ["GetBucketVersioning"] ["GetBucketVersioning"]
    /// Change it.
    PutBucketVersioning WriteSettings ["PutBucketVersioning"] ["PutBucketVersioning"]
    /// A bucket's lifecycle rules.
    GetBucketLifecycle ReadSettings ["GetBucketLifecycle"] ["GetLifecycleConfiguration"]
    /// Change them.
    PutBucketLifecycle WriteSettings ["PutBucketLifecycle"] ["PutLifecycleConfiguration"]
    /// Remove them.
    DeleteBucketLifecycle WriteSettings ["DeleteBucketLifecycle"] ["PutLifecycleConfiguration"]
    /// A bucket's website.
    GetBucketWebsite ReadSettings ["GetBucketWebsite"] ["GetBucketWebsite"]
    /// Change it.
    PutBucketWebsite WriteSettings ["PutBucketWebsite"] ["PutBucketWebsite"]
    /// Remove it.
    DeleteBucketWebsite WriteSettings ["DeleteBucketWebsite"] ["DeleteBucketWebsite"]
    /// A bucket's referer rules.
    GetBucketReferer ReadSettings ["GetBucketReferer"] ["GetBucketReferer"]
    /// Change them.
    PutBucketReferer WriteSettings ["PutBucketReferer"] ["PutBucketReferer"]
    /// Where a bucket's requests are logged.
    GetBucketLogging ReadSettings ["GetBucketLogging"] ["GetBucketLogging"]
    /// Change it.
    PutBucketLogging WriteSettings ["PutBucketLogging"] ["PutBucketLogging"]
    /// Remove it.
    DeleteBucketLogging WriteSettings ["DeleteBucketLogging"] ["PutBucketLogging"]
    /// How a bucket's objects are encrypted by default.
    GetBucketEncryption ReadSettings ["GetBucketEncryption"] ["GetEncryptionConfiguration"]
    /// Change it.
    PutBucketEncryption WriteSettings ["PutBucketEncryption"] ["PutEncryptionConfiguration"]
    /// Remove it.
    DeleteBucketEncryption WriteSettings ["DeleteBucketEncryption"] ["PutEncryptionConfiguration"]
    /// Who pays for requests.
    GetBucketRequestPayment ReadSettings ["GetBucketRequestPayment"] ["GetBucketRequestPayment"]
    /// Change it.
    PutBucketRequestPayment WriteSettings ["PutBucketRequestPayment"] ["PutBucketRequestPayment"]
    /// Whether transfers are accelerated.
    GetBucketTransferAcceleration ReadSettings ["GetBucketTransferAcceleration"] ["GetAccelerateConfiguration"]
    /// Change it.
    PutBucketTransferAcceleration WriteSettings ["PutBucketTransferAcceleration"] ["PutAccelerateConfiguration"]
    /// Who owns a bucket's objects.
    GetBucketOwnershipControls ReadSettings ["GetBucketOwnershipControls"] ["GetBucketOwnershipControls"]
    /// Change it.
    PutBucketOwnershipControls WriteSettings ["PutBucketOwnershipControls"] ["PutBucketOwnershipControls"]
    /// What of public access a bucket blocks.
    GetBucketPublicAccessBlock ReadSettings ["GetBucketPublicAccessBlock"] ["GetBucketPublicAccessBlock"]
    /// Change it.
    PutBucketPublicAccessBlock WriteSettings ["PutBucketPublicAccessBlock"] ["PutBucketPublicAccessBlock"]
    /// Take it away. (S3 has one right for both.)
    DeleteBucketPublicAccessBlock WriteSettings ["DeleteBucketPublicAccessBlock"] ["PutBucketPublicAccessBlock"]
    /// What happens when a bucket changes.
    GetBucketNotification ReadSettings ["GetBucketNotification"] ["GetBucketNotification"]
    /// Where a bucket is replicated to.
    GetBucketReplication ReadSettings ["GetBucketReplication"] ["GetReplicationConfiguration"]
    /// How a bucket's objects are locked by default.
    GetBucketObjectLock ReadSettings ["GetBucketWorm"] ["GetBucketObjectLockConfiguration"]
    /// Change it.
    PutBucketObjectLock WriteSettings ["InitiateBucketWorm"] ["PutBucketObjectLockConfiguration"]

    /// A bucket's objects by name.
    ListObjects ListBucket ["ListObjects"] ["ListBucket"]
    /// The same with their versions.
    ListObjectVersions ListBucket ["ListObjectVersions"] ["ListBucketVersions"]
    /// A bucket's open uploads.
    ListMultipartUploads WriteObject ["ListMultipartUploads"] ["ListBucketMultipartUploads"]

    /// An object's body and headers.
    GetObject ReadObject ["GetObject"] ["GetObject"]
    /// The same of a version.
    GetObjectVersion ReadObject ["GetObjectVersion"] ["GetObjectVersion"]
    /// Make an object, whole or part by part, or append to it.
    PutObject WriteObject ["PutObject"] ["PutObject"]
    /// Remove an object.
    DeleteObject WriteObject ["DeleteObject"] ["DeleteObject"]
    /// Remove a version for good: ACLs leave that to the owner.
    DeleteObjectVersion WriteSettings ["DeleteObjectVersion"] ["DeleteObjectVersion"]
    /// Give an upload up.
    AbortMultipartUpload WriteObject ["AbortMultipartUpload"] ["AbortMultipartUpload"]
    /// How far an upload has come.
    ListParts WriteObject ["ListParts"] ["ListMultipartUploadParts"]
    /// Bring an archived object back.
    RestoreObject WriteObject ["RestoreObject"] ["RestoreObject"]
    /// An object's ACL.
    GetObjectAcl ReadSettings ["GetObjectAcl" "GetObjectVersionAcl"] ["GetObjectAcl" "GetObjectVersionAcl"]
    /// Change it.
    PutObjectAcl WriteSettings ["PutObjectAcl" "PutObjectVersionAcl"] ["PutObjectAcl" "PutObjectVersionAcl"]
    /// An object's tags.
    GetObjectTagging ReadSettings ["GetObjectTagging" "GetObjectVersionTagging"] ["GetObjectTagging" "GetObjectVersionTagging"]
    /// Change them.
    PutObjectTagging WriteSettings ["PutObjectTagging" "PutObjectVersionTagging"] ["PutObjectTagging" "PutObjectVersionTagging"]
    /// Remove them.
    DeleteObjectTagging WriteSettings ["DeleteObjectTagging" "DeleteObjectVersionTagging"] ["DeleteObjectTagging" "DeleteObjectVersionTagging"]
    /// How long an object is locked.
    GetObjectRetention ReadSettings ["GetObjectRetention"] ["GetObjectRetention"]
    /// Change it.
    PutObjectRetention WriteSettings ["PutObjectRetention"] ["PutObjectRetention"]
    /// Set aside a retention that may be set aside.
    BypassGovernanceRetention WriteSettings ["BypassGovernanceRetention"] ["BypassGovernanceRetention"]
    /// Whether an object is held.
    GetObjectLegalHold ReadSettings ["GetObjectLegalHold"] ["GetObjectLegalHold"]
    /// Change it.
    PutObjectLegalHold WriteSettings ["PutObjectLegalHold"] ["PutObjectLegalHold"]

    /// Make or change a live channel.
    PutLiveChannel ManageLiveChannel ["PutLiveChannel"] ["PutLiveChannel"]
    /// Enable or disable it.
    PutLiveChannelStatus ManageLiveChannel ["PutLiveChannelStatus"] ["PutLiveChannelStatus"]
    /// Its settings.
    GetLiveChannelInfo ManageLiveChannel ["GetLiveChannel" "GetLiveChannelInfo"] ["GetLiveChannel" "GetLiveChannelInfo"]
    /// What it is doing.
    GetLiveChannelStat ManageLiveChannel ["GetLiveChannelStat"] ["GetLiveChannelStat"]
    /// What it did.
    GetLiveChannelHistory ManageLiveChannel ["GetLiveChannelHistory"] ["GetLiveChannelHistory"]
    /// A bucket's channels.
    ListLiveChannel ManageLiveChannel ["ListLiveChannel"] ["ListLiveChannel"]
    /// Remove a channel.
    DeleteLiveChannel ManageLiveChannel ["DeleteLiveChannel"] ["DeleteLiveChannel"]
    /// Store a playlist of what was live.
    PostVodPlaylist ManageLiveChannel ["PostVodPlaylist"] ["PostVodPlaylist"]
    /// The same without storing it.
    GetVodPlaylist ManageLiveChannel ["GetVodPlaylist"] ["GetVodPlaylist"]
    /// Publish to a channel.
    PublishRtmpStream Publish ["PublishRtmpStream"] ["PublishRtmpStream"]
}

impl Permission {
    /// Whether it is about the bucket's policy itself: what its owner keeps whatever the policy says.
    pub const fn is_on_policy(self) -> bool {
        matches!(self, Self::GetBucketPolicy | Self::PutBucketPolicy | Self::DeleteBucketPolicy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_right_has_a_name_in_each_language() {
        for permission in Permission::ALL {
            for prefix in ["oss:", "s3:"] {
                assert!(permission.names().iter().any(|name| name.starts_with(prefix)), "{permission:?} {prefix}");
            }
        }
    }

    #[test]
    fn only_rights_of_one_kind_share_a_name() {
        for (at, one) in Permission::ALL.iter().enumerate() {
            for other in &Permission::ALL[at + 1..] {
                let shared = one.names().iter().find(|name| other.names().contains(name));
                assert!(shared.is_none() || one.class() == other.class(), "{one:?} {other:?} {shared:?}");
            }
        }
    }
}
