//! `Range` and conditional headers over an object of any size: an answer always lies in the object.

use crate::Choices;
use livebucket::clock::Wall;
use livebucket::store::objects::{
    ConditionOutcome, Conditions, RangeOutcome, RangeRules, check_conditions, resolve_range,
};
use livebucket::store::{
    BucketId, ContentHeaders, ETag, ObjectAttributes, ObjectKey, ObjectKind, ObjectRecord, StorageClass,
};

fn object(seconds: u32) -> ObjectRecord {
    ObjectRecord {
        bucket: BucketId(1),
        key: ObjectKey::new(b"key").expect("valid"),
        kind: ObjectKind::Normal,
        size: 0,
        etag: ETag { digest: [0xab; 16], parts: None },
        crc64: 0,
        content_md5: None,
        last_modified: Wall::from_unix_seconds(i64::from(seconds)),
        acl: None,
        headers: ContentHeaders::default(),
        user_metadata: Vec::new(),
        tags: Vec::new(),
        storage_class: StorageClass::default(),
        attributes: ObjectAttributes::default(),
        version: None,
        extents: Vec::new(),
    }
}

/// Takes one input.
pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let size = match choices.u8() {
        0 => u64::MAX,
        small => u64::from(choices.u32()) >> (small % 33),
    };
    let (header, if_match, if_none_match) = (choices.text(), choices.text(), choices.text());
    for rules in [RangeRules::Oss, RangeRules::OssStandard, RangeRules::S3] {
        if let RangeOutcome::Partial(range) = resolve_range(&header, size, rules) {
            assert!(range.start < range.end && range.end <= size);
        }
    }
    let object = object(choices.u32());
    let since = Wall::from_unix_seconds(i64::from(choices.u32()));
    let said = |text: &String| Some(text.clone()).filter(|_| !text.is_empty());
    let conditions = Conditions {
        if_match: said(&if_match),
        if_none_match: said(&if_none_match),
        if_modified_since: Some(since),
        if_unmodified_since: Some(since),
    };
    let outcome = check_conditions(&object, &conditions);
    if if_match == "*" && if_none_match.is_empty() {
        assert_ne!(outcome, ConditionOutcome::Failed("If-Match"));
    }
    if if_none_match == "*" && outcome == ConditionOutcome::Proceed {
        panic!("there is an object");
    }
}
