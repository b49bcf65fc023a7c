use super::*;

const NOW: Wall = Wall(1_700_000_000_000);

fn policy(conditions: &str) -> Result<Policy, PolicyFault> {
    read(&format!("{{\"expiration\":\"2023-11-14T22:13:20.000Z\",\"conditions\":[{conditions}]}}"))
}

fn read(json: &str) -> Result<Policy, PolicyFault> {
    Policy::read(&BASE64.encode(json))
}

/// Judges a policy of these conditions over `key = user/eric/a.txt`, `content-type = image/png` and an empty `acl`.
fn judge(conditions: &str) -> Result<SizeRange, PolicyFault> {
    let value = |name: &str| match name {
        "key" => Some(&b"user/eric/a.txt"[..]),
        "content-type" => Some(&b"image/png"[..]),
        "success_action_status" => Some(&b"201"[..]),
        "acl" => Some(&b""[..]),
        _ => None,
    };
    policy(conditions).expect("valid").judge(NOW, b"user/eric/${filename}", value)
}

#[test]
fn every_matching_mode() {
    for (condition, holds) in [
        (r#"["eq", "$key", "user/eric/a.txt"]"#, true),
        (r#"["eq", "$KEY", "user/eric/a.txt"]"#, true),
        (r#"["EQ", "key", "user/eric/a.txt"]"#, true),
        (r#"["eq", "$key", "user/eric/${filename}"]"#, true),
        (r#"["eq", "$key", "user/eric"]"#, false),
        (r#"{"key": "user/eric/a.txt"}"#, true),
        (r#"{"key": "user/eric/b.txt"}"#, false),
        (r#"{"Key": "user/eric/a.txt", "content-type": "image/gif"}"#, false),
        (r#"{"success_action_status": 201}"#, true),
        (r#"["starts-with", "$key", "user/"]"#, true),
        (r#"["starts-with", "$key", ""]"#, true),
        (r#"["starts-with", "$x-oss-meta-tag", ""]"#, true),
        (r#"["starts-with", "$key", "users/"]"#, false),
        (r#"["in", "$content-type", ["image/jpg", "image/png"]]"#, true),
        (r#"["in", "$content-type", ["image/jpg"]]"#, false),
        (r#"["in", "$content-type", []]"#, false),
        (r#"["not-in", "$content-type", ["image/jpg"]]"#, true),
        (r#"["not-in", "$content-type", ["image/png"]]"#, false),
        (r#"["not-in", "$cache-control", ["no-cache"]]"#, true),
        (r#"["eq", "$cache-control", "no-cache"]"#, false),
    ] {
        assert_eq!(judge(condition).is_ok(), holds, "{condition}");
    }
    let failed = judge(r#"["eq","$success_action_status","200"]"#).expect_err("201").to_string();
    assert_eq!(
        failed,
        r#"Invalid according to Policy: Policy Condition failed: ["eq","$success_action_status","200"]"#
    );
}

#[test]
fn sizes_narrow_each_other() {
    assert_eq!(judge(""), Ok(SizeRange::default()));
    assert_eq!(judge(r#"["content-length-range", 1, 1024]"#), Ok(SizeRange { min: 1, max: 1024 }));
    let both = r#"["content-length-range", "5", "10"], ["content-length-range", 0, 7]"#;
    assert_eq!(judge(both), Ok(SizeRange { min: 5, max: 7 }));
}

#[test]
fn a_policy_holds_to_its_very_second() {
    let policy = policy("").expect("valid");
    assert!(policy.judge(NOW, b"", |_| None).is_ok());
    assert_eq!(policy.judge(Wall(NOW.0 + 1), b"", |_| None), Err(PolicyFault::Expired));
}

#[test]
fn what_is_no_policy_is_refused_with_its_number() {
    let whole = |conditions: &str| format!("{{\"expiration\":\"2023-11-14T22:13:20Z\",\"conditions\":{conditions}}}");
    for (json, ec) in [
        ("", "0006-00000201"),
        ("[]", "0006-00000201"),
        ("{\"expiration\":", "0006-00000201"),
        ("{}", "0006-00000209"),
        ("{\"conditions\":[]}", "0006-00000209"),
        ("{\"expiration\":\"2023-11-14T22:13:20Z\"}", "0006-00000207"),
        ("{\"expiration\":\"tomorrow\",\"conditions\":[]}", "0006-00000208"),
        ("{\"expiration\":\"2023-11-14T22:13:20Z\",\"conditions\":[],\"test\":1}", "0006-00000206"),
        (&whole("{}"), "0006-00000216"),
        (&whole("[[\"$key\"]]"), "0006-00000216"),
        (&whole("[[\"like\",\"$key\",\"a\"]]"), "0006-00000216"),
        (&whole("[[\"eq\",\"$key\",[\"a\"]]]"), "0006-00000224"),
        (&whole("[[\"not-in\",\"cache-control\",\"no-cache\"]]"), "0006-00000224"),
        (&whole("[[\"content-length-range\",-1,5]]"), "0006-00000224"),
        (&whole("[\"key\"]"), "0006-00000224"),
        (&whole("[{\"key\":null}]"), "0006-00000224"),
    ] {
        match read(json) {
            Err(PolicyFault::Invalid { ec: found, .. }) => assert_eq!(found, ec, "{json}"),
            other => panic!("{json}: {other:?}"),
        }
    }
    assert!(matches!(Policy::read("no base64!"), Err(PolicyFault::Invalid { .. })));
    // Deeper than any policy: an error, not a stack overflow.
    assert!(read(&whole(&"[".repeat(10_000))).is_err());
}
