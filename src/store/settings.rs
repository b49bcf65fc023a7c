//! Settings of a bucket that few buckets have. Each is kept as the domain's value, or as the text that was put where its
//! own words must come back; what a setting does is said where it acts.

use serde::{Deserialize, Serialize};

use super::lock::ObjectLock;

mod public_access;
mod referer;
mod website;

pub use public_access::{AclRefusal, ObjectOwnership, PublicAccessBlock};
pub use referer::{RefererRefusal, RefererRules};
pub use website::{
    ErrorDocument, HeaderCondition, IndexDocument, NewKey, Page as WebsitePage, Protocol, Redirect, RedirectAll,
    RoutingCondition, RoutingRule, Unslashed, Website,
};

use super::records::StorageClass;

/// All settings of a bucket. The default is a bucket for which nothing was ever set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BucketSettings {
    /// The bucket policy, the JSON text as it was put. It was valid then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Who pays for requests.
    #[serde(skip_serializing_if = "is_default")]
    pub request_payment: Payer,
    /// The static website.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub website: Option<Website>,
    /// From which pages objects may be used. `None`: never set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referer: Option<RefererRules>,
    /// Where access logs should go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging: Option<LoggingTarget>,
    /// How objects are encrypted that do not say it themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption: Option<DefaultEncryption>,
    /// Whether transfer acceleration is on. `None`: never set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer_acceleration: Option<bool>,
    /// What of public access is blocked. `None`: never set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_access_block: Option<PublicAccessBlock>,
    /// Whom objects belong to. `None`: never set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ownership: Option<ObjectOwnership>,
    /// Whether versions may be locked. `None`: they may not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_lock: Option<ObjectLock>,
    /// The class of objects that are put without one. Set when the bucket is made.
    #[serde(skip_serializing_if = "is_default")]
    pub storage_class: StorageClass,
    /// How much the bucket may hold.
    #[serde(skip_serializing_if = "is_default")]
    pub quota: BucketQuota,
}

/// Where access logs should go. The setting is kept for those who read it: nothing writes such logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggingTarget {
    /// Name of a bucket that the same account owned when this was set.
    pub bucket: String,
    /// What each log's key begins with.
    pub prefix: String,
}

/// How objects are encrypted that do not say it themselves: with the service's master key, AES-256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultEncryption {
    /// A wish of S3 clients over keys of a key management service, of which there is none. Kept for those who read it.
    pub bucket_key: bool,
}

/// How much a bucket may hold. What it holds already stays when it is more; nothing is added then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BucketQuota {
    /// Bytes of objects and of parts of open uploads together. `None`: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Objects. `None`: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects: Option<u64>,
}

/// Who pays for requests. Nobody is billed here: the setting is kept for those who read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payer {
    /// The bucket's owner.
    #[default]
    BucketOwner,
    /// Whoever asks.
    Requester,
}

/// One setting to put in place of the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BucketSetting {
    /// See [`BucketSettings::policy`].
    Policy(Option<String>),
    /// See [`BucketSettings::request_payment`].
    RequestPayment(Payer),
    /// See [`BucketSettings::website`]. In a box: it is much the largest.
    Website(Option<Box<Website>>),
    /// See [`BucketSettings::referer`].
    Referer(RefererRules),
    /// See [`BucketSettings::logging`].
    Logging(Option<LoggingTarget>),
    /// See [`BucketSettings::encryption`].
    Encryption(Option<DefaultEncryption>),
    /// See [`BucketSettings::transfer_acceleration`].
    TransferAcceleration(bool),
    /// See [`BucketSettings::public_access_block`].
    PublicAccessBlock(Option<PublicAccessBlock>),
    /// See [`BucketSettings::ownership`].
    Ownership(Option<ObjectOwnership>),
    /// See [`BucketSettings::object_lock`].
    ObjectLock(ObjectLock),
    /// See [`BucketSettings::storage_class`].
    StorageClass(StorageClass),
    /// See [`BucketSettings::quota`].
    Quota(BucketQuota),
}

impl BucketSettings {
    /// Puts one setting in place of the one before.
    pub fn set(&mut self, setting: BucketSetting) {
        match setting {
            BucketSetting::Policy(text) => self.policy = text,
            BucketSetting::RequestPayment(payer) => self.request_payment = payer,
            BucketSetting::Website(website) => self.website = website.map(|website| *website),
            BucketSetting::Referer(rules) => self.referer = Some(rules),
            BucketSetting::Logging(target) => self.logging = target,
            BucketSetting::Encryption(encryption) => self.encryption = encryption,
            BucketSetting::TransferAcceleration(enabled) => self.transfer_acceleration = Some(enabled),
            BucketSetting::PublicAccessBlock(block) => self.public_access_block = block,
            BucketSetting::Ownership(ownership) => self.ownership = ownership,
            BucketSetting::ObjectLock(lock) => self.object_lock = Some(lock),
            BucketSetting::StorageClass(class) => self.storage_class = class,
            BucketSetting::Quota(quota) => self.quota = quota,
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_is_not_written() {
        let mut settings = BucketSettings::default();
        assert_eq!(serde_json::to_string(&settings).expect("plain"), "{}");
        settings.set(BucketSetting::RequestPayment(Payer::Requester));
        let text = serde_json::to_string(&settings).expect("plain");
        assert_eq!(text, r#"{"request_payment":"Requester"}"#);
        assert_eq!(serde_json::from_str::<BucketSettings>(&text).expect("as written"), settings);
    }

    #[test]
    fn each_setting_is_put_alone_and_reads_back() {
        let index = IndexDocument { suffix: "i".into(), in_folders: true, unslashed: Unslashed::Index };
        let website = Website { index: Some(index), ..Website::default() };
        let none = BucketSettings::default;
        let logs = LoggingTarget { bucket: "logs".into(), prefix: "p".into() };
        let (sse, owner) = (DefaultEncryption::default(), ObjectOwnership::BucketOwnerEnforced);
        for (setting, expected) in [
            (
                BucketSetting::Website(Some(Box::new(website.clone()))),
                BucketSettings { website: Some(website), ..none() },
            ),
            (
                BucketSetting::Referer(RefererRules::default()),
                BucketSettings { referer: Some(RefererRules::default()), ..none() },
            ),
            (BucketSetting::Logging(Some(logs.clone())), BucketSettings { logging: Some(logs), ..none() }),
            (BucketSetting::Encryption(Some(sse)), BucketSettings { encryption: Some(sse), ..none() }),
            (
                BucketSetting::TransferAcceleration(false),
                BucketSettings { transfer_acceleration: Some(false), ..none() },
            ),
            (
                BucketSetting::PublicAccessBlock(Some(PublicAccessBlock::ALL)),
                BucketSettings { public_access_block: Some(PublicAccessBlock::ALL), ..none() },
            ),
            (BucketSetting::Ownership(Some(owner)), BucketSettings { ownership: Some(owner), ..none() }),
        ] {
            let mut settings = none();
            settings.set(setting);
            assert_eq!(settings, expected);
            let text = serde_json::to_string(&settings).expect("plain");
            assert_eq!(serde_json::from_str::<BucketSettings>(&text).expect("as written"), expected, "{text}");
        }
    }
}
