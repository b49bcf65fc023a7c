//! Settings of a bucket that few buckets have. Each is kept as the domain's value, or as the text that was put where its
//! own words must come back; what a setting does is said where it acts.

use serde::{Deserialize, Serialize};

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
}

impl BucketSettings {
    /// Puts one setting in place of the one before.
    pub fn set(&mut self, setting: BucketSetting) {
        match setting {
            BucketSetting::Policy(text) => self.policy = text,
            BucketSetting::RequestPayment(payer) => self.request_payment = payer,
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
}
