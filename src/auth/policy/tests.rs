use super::*;

const BYTES_MAX: usize = 16 * 1024;

fn bucket(text: &str) -> Result<Policy, PolicyError> {
    Policy::parse(text.as_bytes(), Kind::Bucket, BYTES_MAX)
}

/// One statement that allows `oss:GetObject` in `films` to everybody, with parts replaced.
fn statement(changes: &[(&str, &str)]) -> String {
    let mut parts = vec![
        ("Effect", r#""Allow""#),
        ("Principal", r#"["*"]"#),
        ("Action", r#"["oss:GetObject"]"#),
        ("Resource", r#"["acs:oss:*:*:films/*"]"#),
    ];
    for (name, value) in changes {
        parts.retain(|(known, _)| known != name);
        if !value.is_empty() {
            parts.push((name, value));
        }
    }
    let parts: Vec<String> = parts.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!(r#"{{"Version":"1","Statement":[{{{}}}]}}"#, parts.join(","))
}

fn reads<'a>(key: &'a str) -> Question<'a> {
    Question {
        account: None,
        permission: Permission::GetObject,
        bucket: "films",
        owner: Some(1),
        key: Some(key.as_bytes()),
        context: Context::default(),
    }
}

#[track_caller]
fn verdict(changes: &[(&str, &str)], question: &Question<'_>) -> Verdict {
    let text = statement(changes);
    bucket(&text).unwrap_or_else(|error| panic!("{error}: {text}")).judge(question)
}

#[test]
fn the_examples_of_both_languages_are_read() {
    let oss = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":["oss:GetObject","oss:ListObjects"],
        "Principal":["20214760404935xxxx","1"],"Resource":["acs:oss:*:174649585760xxxx:films/*"]}]}"#;
    // The owner's id of that example is no number.
    assert!(bucket(oss).is_err());
    let oss = oss.replace("174649585760xxxx", "1");
    let policy = bucket(&oss).expect("a policy");
    policy.check_bucket("films", 1).expect("its own bucket");
    let by = |id, name| Question { account: Some(Account { id, name }), ..reads("a") };
    assert_eq!(policy.judge(&by(1, "x")), Verdict::Allowed);
    assert_eq!(policy.judge(&by(9, "20214760404935xxxx")), Verdict::Allowed);
    assert_eq!(policy.judge(&by(9, "x")), Verdict::Silent);
    assert_eq!(policy.judge(&reads("a")), Verdict::Silent);

    let s3 = r#"{"Version":"2012-10-17","Id":"P","Statement":{"Sid":"S","Effect":"Allow",
        "Principal":{"AWS":["arn:aws:iam::000000000002:root","3"],"CanonicalUser":"4"},
        "Action":"s3:GetObject","Resource":"arn:aws:s3:::films/*"}}"#;
    let policy = bucket(s3).expect("a policy");
    policy.check_bucket("films", 1).expect("its own bucket");
    for id in [2, 3, 4] {
        assert_eq!(policy.judge(&by(id, "x")), Verdict::Allowed, "{id}");
    }
    assert_eq!(policy.judge(&by(1, "x")), Verdict::Silent);
}

#[test]
fn a_statement_speaks_of_its_actions_in_both_languages_alone() {
    for (action, get, put) in [
        (r#""oss:GetObject""#, true, false),
        (r#""s3:GetObject""#, true, false),
        (r#""S3:getobject""#, true, false),
        (r#""oss:Get*""#, true, false),
        (r#""*""#, true, true),
        (r#""oss:*""#, true, true),
        (r#""s3:?utObject""#, false, true),
        (r#"["oss:PutObject","s3:GetObject"]"#, true, true),
        (r#""oss:NothingKnown""#, false, false),
        (r#""ec2:*""#, false, false),
    ] {
        let of = |permission| verdict(&[("Action", action)], &Question { permission, ..reads("a") });
        assert_eq!(of(Permission::GetObject) == Verdict::Allowed, get, "{action}");
        assert_eq!(of(Permission::PutObject) == Verdict::Allowed, put, "{action}");
        let except = [("Action", ""), ("NotAction", action)];
        let of = |permission| verdict(&except, &Question { permission, ..reads("a") });
        assert_eq!(of(Permission::GetObject) == Verdict::Allowed, !get, "not {action}");
        assert_eq!(of(Permission::PutObject) == Verdict::Allowed, !put, "not {action}");
    }
}

#[test]
fn a_statement_speaks_of_its_resources_alone() {
    for (resource, expected) in [
        (r#""acs:oss:*:*:films/*""#, true),
        (r#""acs:oss:oss-cn-hangzhou:1:films/a/b""#, true),
        (r#""acs:oss:*:2:films/a/b""#, false),
        (r#""arn:aws:s3:::films/a/*""#, true),
        (r#""arn:aws-cn:s3:::films/a/b""#, true),
        (r#""arn:aws:s3:::films""#, false),
        (r#""arn:aws:s3:::films*""#, true),
        (r#""arn:aws:s3:::film/*""#, false),
        (r#""*""#, true),
        (r#"["arn:aws:s3:::films/x","arn:aws:s3:::films/a/?"]"#, true),
    ] {
        let allowed = |changes: &[(&str, &str)]| verdict(changes, &reads("a/b")) == Verdict::Allowed;
        assert_eq!(allowed(&[("Resource", resource)]), expected, "{resource}");
        assert_eq!(allowed(&[("Resource", ""), ("NotResource", resource)]), !expected, "not {resource}");
    }
    let of_bucket = Question { key: None, permission: Permission::ListObjects, ..reads("") };
    let list = [("Action", r#""oss:ListObjects""#), ("Resource", r#"["acs:oss:*:*:films"]"#)];
    assert_eq!(verdict(&list, &of_bucket), Verdict::Allowed);
    assert_eq!(verdict(&list[..1], &of_bucket), Verdict::Silent, "`films/*` is not the bucket itself");
    let bytes = Question { key: Some(b"a\xFF\x00b"), ..reads("") };
    assert_eq!(verdict(&[], &bytes), Verdict::Allowed);
}

#[test]
fn a_statement_speaks_of_its_principals_alone() {
    let owner = Some(Account { id: 1, name: "owner" });
    let other = Some(Account { id: 2, name: "camera.team" });
    for (principal, of_owner, of_other, of_nobody) in [
        (r#""*""#, true, true, true),
        (r#"{"AWS":"*"}"#, true, true, true),
        (r#"["2"]"#, false, true, false),
        (r#"["camera.team"]"#, false, true, false),
        (r#"["owner","2"]"#, true, true, false),
        (r#"{"AWS":"arn:aws:iam::1:root"}"#, true, false, false),
        (r#"["acs:ram::1:root"]"#, true, false, false),
        (r#"{"CanonicalUser":["2"]}"#, false, true, false),
    ] {
        for (account, expected) in [(owner, of_owner), (other, of_other), (None, of_nobody)] {
            let question = Question { account, ..reads("a") };
            let allowed = |changes: &[(&str, &str)]| verdict(changes, &question) == Verdict::Allowed;
            assert_eq!(allowed(&[("Principal", principal)]), expected, "{principal} {account:?}");
            let except = [("Principal", ""), ("NotPrincipal", principal)];
            assert_eq!(allowed(&except), !expected, "not {principal} {account:?}");
        }
    }
}

#[test]
fn a_denial_outranks_whatever_stands_beside_it() {
    let text = r#"{"Statement":[
        {"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::films/*"},
        {"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::films/secret/*"},
        {"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::films/secret/*"}]}"#;
    let policy = bucket(text).expect("a policy");
    assert_eq!(policy.judge(&reads("a")), Verdict::Allowed);
    assert_eq!(policy.judge(&reads("secret/a")), Verdict::Denied);
    assert_eq!(policy.judge(&Question { permission: Permission::PutObject, ..reads("secret/a") }), Verdict::Allowed);
}

/// A request with everything that conditions speak of.
fn context() -> Context<'static> {
    Context {
        source_ip: Some([10, 1, 2, 3].into()),
        secure: true,
        now_ms: 1_700_000_000_000,
        referer: Some(b"https://www.example.com/page"),
        user_agent: Some(b"curl/8"),
        prefix: Some(b"home/alice/"),
        delimiter: Some(b"/"),
    }
}

#[test]
fn conditions_hold_or_not() {
    // operator, key, values; whether it holds of the context above, and of one that has nothing.
    for (operator, key, values, holds, holds_of_nothing) in [
        ("IpAddress", "acs:SourceIp", r#""10.0.0.0/8""#, true, false),
        ("IpAddress", "AWS:sourceIP", r#"["192.168.0.1","10.1.2.3"]"#, true, false),
        ("IpAddress", "aws:SourceIp", r#""10.1.2.0/31""#, false, false),
        ("IpAddress", "aws:SourceIp", r#""0.0.0.0/0""#, true, false),
        ("IpAddress", "aws:SourceIp", r#""::/0""#, false, false),
        ("NotIpAddress", "acs:SourceIp", r#"["10.0.0.0/8","11.0.0.0/8"]"#, false, true),
        ("NotIpAddress", "acs:SourceIp", r#""11.0.0.0/8""#, true, true),
        ("StringEquals", "oss:Prefix", r#"["","home/alice/"]"#, true, false),
        ("StringEquals", "s3:prefix", r#""home/""#, false, false),
        ("StringLike", "s3:prefix", r#""home/*""#, true, false),
        ("StringNotLike", "oss:Prefix", r#""home/*""#, false, true),
        ("StringNotEquals", "oss:Prefix", r#""other""#, true, true),
        ("StringEqualsIgnoreCase", "s3:prefix", r#""HOME/Alice/""#, true, false),
        ("StringNotEqualsIgnoreCase", "s3:prefix", r#""HOME/Alice/""#, false, true),
        ("StringEquals", "s3:delimiter", r#""/""#, true, false),
        ("StringLike", "aws:Referer", r#"["https://www.example.com/*"]"#, true, false),
        ("StringNotLike", "acs:Referer", r#""https://*.example.com/*""#, false, true),
        ("StringLike", "acs:UserAgent", r#""curl/*""#, true, false),
        ("Bool", "acs:SecureTransport", r#""true""#, true, false),
        ("Bool", "aws:SecureTransport", "false", false, true),
        ("DateLessThan", "acs:CurrentTime", r#""2023-11-14T22:13:21Z""#, true, true),
        ("DateLessThan", "acs:CurrentTime", r#""2023-11-14T22:13:20Z""#, false, true),
        ("DateLessThanEquals", "acs:CurrentTime", r#""2023-11-14T22:13:20Z""#, true, true),
        ("DateGreaterThan", "aws:CurrentTime", r#""2023-11-15T06:13:19+08:00""#, true, false),
        ("DateGreaterThanEquals", "aws:CurrentTime", r#""2023-11-14T22:13:20Z""#, true, false),
        ("DateGreaterThan", "aws:CurrentTime", r#""2023-11-14T22:13:20Z""#, false, false),
    ] {
        let condition = format!(r#"{{"{operator}":{{"{key}":{values}}}}}"#);
        let of = |context| verdict(&[("Condition", &condition)], &Question { context, ..reads("a") });
        assert_eq!(of(context()) == Verdict::Allowed, holds, "{condition}");
        assert_eq!(of(Context::default()) == Verdict::Allowed, holds_of_nothing, "{condition} of nothing");
    }
}

#[test]
fn every_condition_of_a_statement_must_hold() {
    let condition = r#"{"IpAddress":{"acs:SourceIp":"10.0.0.0/8"},"Bool":{"acs:SecureTransport":"true"}}"#;
    let of = |context| verdict(&[("Condition", condition)], &Question { context, ..reads("a") });
    assert_eq!(of(context()), Verdict::Allowed);
    assert_eq!(of(Context { secure: false, ..context() }), Verdict::Silent);
    assert_eq!(of(Context { source_ip: None, ..context() }), Verdict::Silent);
    let mapped = "::ffff:10.9.9.9".parse().ok();
    assert_eq!(of(Context { source_ip: mapped, ..context() }), Verdict::Allowed, "an IPv4 client of an IPv6 socket");
    let six = [("Condition", r#"{"IpAddress":{"acs:SourceIp":"2001:db8::/33"}}"#)];
    let at = |text: &str| {
        let context = Context { source_ip: text.parse().ok(), ..context() };
        verdict(&six, &Question { context, ..reads("a") })
    };
    assert_eq!(at("2001:db8:7fff::1"), Verdict::Allowed);
    assert_eq!(at("2001:db8:8000::1"), Verdict::Silent);
}

#[test]
fn what_cannot_be_carried_out_is_refused() {
    for changes in [
        &[("Effect", r#""Permit""#)][..],
        &[("Effect", "")],
        &[("Principal", "")],
        &[("Principal", "[]")],
        &[("Principal", r#"{"AWS":[]}"#)],
        &[("Principal", r#"{"Service":"cdn"}"#)],
        &[("Principal", r#"{"Federated":"x"}"#)],
        &[("Principal", r#""arn:aws:iam::1:user/bob""#)],
        &[("Principal", r#"["arn:sts::1:assumed-role/role/session"]"#)],
        &[("Principal", r#"["99999999999999999999"]"#)],
        &[("Principal", r#"{"AWS":"1","AWS":"2"}"#)],
        &[("NotPrincipal", r#"["1"]"#)],
        &[("Action", "")],
        &[("Action", "[]")],
        &[("Action", r#"["GetObject"]"#)],
        &[("Action", r#"[{"oss":"x"}]"#)],
        &[("NotAction", r#"["oss:*"]"#)],
        &[("Resource", "")],
        &[("Resource", "[]")],
        &[("Resource", r#""films/*""#)],
        &[("Resource", r#""acs:oss:*:*:""#)],
        &[("Resource", r#""acs:oss:films/*""#)],
        &[("Resource", r#""acs:oss:*:someone:films/*""#)],
        &[("Resource", r#""acs:ecs:*:*:films/*""#)],
        &[("Resource", r#""arn:aws:s3:us-east-1:1:films/*""#)],
        &[("Resource", r#""arn:aws:s3:::films/${aws:username}/*""#)],
        &[("NotResource", r#""*""#)],
        &[("Condition", r#"{"NumericLessThan":{"s3:max-keys":"10"}}"#)],
        &[("Condition", r#"{"StringEquals":{"aws:PrincipalOrgID":"o"}}"#)],
        &[("Condition", r#"{"StringEquals":{"aws:SourceIp":"10.0.0.1"}}"#)],
        &[("Condition", r#"{"StringEqualsIfExists":{"s3:prefix":"a"}}"#)],
        &[("Condition", r#"{"ForAllValues:StringEquals":{"s3:prefix":"a"}}"#)],
        &[("Condition", r#"{"Null":{"s3:prefix":"true"}}"#)],
        &[("Condition", r#"{"StringLike":{"s3:prefix":"${aws:username}"}}"#)],
        &[("Condition", r#"{"StringLike":{"s3:prefix":[]}}"#)],
        &[("Condition", r#"{"IpAddress":{"acs:SourceIp":"10.0.0.0/33"}}"#)],
        &[("Condition", r#"{"IpAddress":{"acs:SourceIp":"10.0.0.0/+8"}}"#)],
        &[("Condition", r#"{"IpAddress":{"acs:SourceIp":"::ffff:10.0.0.0/104"}}"#)],
        &[("Condition", r#"{"IpAddress":{"acs:SourceIp":"localhost"}}"#)],
        &[("Condition", r#"{"Bool":{"acs:SecureTransport":"yes"}}"#)],
        &[("Condition", r#"{"DateLessThan":{"acs:CurrentTime":"tomorrow"}}"#)],
        &[("Condition", r#"{"IpAddress":{"acs:SourceIp":"10.0.0.1"},"IpAddress":{}}"#)],
        &[("Condition", r#"{"IpAddress":{"acs:SourceIp":"10.0.0.1","acs:SourceIp":"10.0.0.2"}}"#)],
        &[("Unknown", r#""x""#)],
    ] {
        let text = statement(changes);
        assert!(bucket(&text).is_err(), "{text}");
    }
    for text in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"Version":"1"}"#,
        r#"{"Version":"1","Statement":[]}"#,
        r#"{"Version":"1","Statement":"x"}"#,
        &statement(&[]).replace(r#""Version":"1""#, r#""Version":"2""#),
        &statement(&[]).replace(r#""Version":"1""#, r#""Version":"1","Version":"1""#),
        &statement(&[]).replace(r#""Version":"1""#, r#""Version":"1","Extra":1"#),
        &statement(&[]).replace(r#""Effect":"Allow""#, r#""Effect":"Allow","Effect":"Deny""#),
        &(statement(&[]) + "x"),
        &"[".repeat(10_000),
    ] {
        assert!(bucket(text).is_err(), "{text}");
    }
    assert!(bucket(&statement(&[])).is_ok(), "the one that all these were made of");
}

#[test]
fn a_text_over_its_bound_is_refused_unread() {
    let text = statement(&[]);
    assert!(Policy::parse(text.as_bytes(), Kind::Bucket, text.len()).is_ok());
    assert!(Policy::parse(text.as_bytes(), Kind::Bucket, text.len() - 1).is_err());
}

#[test]
fn a_policy_of_a_credential_names_no_principal() {
    let session = |text: &str| Policy::parse(text.as_bytes(), Kind::Session, BYTES_MAX);
    let own = session(&statement(&[("Principal", "")])).expect("a policy");
    assert_eq!(own.judge(&reads("a")), Verdict::Allowed);
    assert!(session(&statement(&[])).is_err());
}

#[test]
fn a_bucket_takes_no_policy_of_another() {
    for (resource, own) in [
        (r#""acs:oss:*:*:films/*""#, true),
        (r#""acs:oss:*:*:films""#, true),
        (r#""acs:oss:*:1:films""#, true),
        (r#""acs:oss:*:2:films""#, false),
        (r#""arn:aws:s3:::films/*""#, true),
        (r#""arn:aws:s3:::fil*""#, true),
        (r#""*""#, true),
        (r#""arn:aws:s3:::other/*""#, false),
        (r#"["arn:aws:s3:::films/*","arn:aws:s3:::other/films"]"#, false),
    ] {
        let policy = bucket(&statement(&[("Resource", resource)])).expect("a policy");
        assert_eq!(policy.check_bucket("films", 1).is_ok(), own, "{resource}");
    }
}

#[test]
fn a_policy_is_public_when_it_lets_in_everybody_from_anywhere() {
    for (changes, public) in [
        (&[][..], true),
        (&[("Effect", r#""Deny""#)], false),
        (&[("Principal", r#"["2"]"#)], false),
        (&[("Principal", r#"{"AWS":"*"}"#)], true),
        (&[("Principal", ""), ("NotPrincipal", r#"["2"]"#)], true),
        (&[("Condition", r#"{"IpAddress":{"acs:SourceIp":"10.0.0.0/8"}}"#)], false),
        (&[("Condition", r#"{"IpAddress":{"acs:SourceIp":"10.0.0.0/7"}}"#)], true),
        (&[("Condition", r#"{"IpAddress":{"acs:SourceIp":["10.0.0.0/8","0.0.0.0/0"]}}"#)], true),
        (&[("Condition", r#"{"NotIpAddress":{"acs:SourceIp":"10.0.0.0/8"}}"#)], true),
        (&[("Condition", r#"{"StringLike":{"aws:Referer":"https://example.com/*"}}"#)], true),
    ] {
        let text = statement(changes);
        assert_eq!(bucket(&text).expect("a policy").is_public(), public, "{text}");
    }
}

#[test]
fn the_cache_gives_the_same_policy_again_and_stays_small() {
    let cache = PolicyCache::new(2);
    let text = |n: usize| statement(&[("Principal", &format!("[\"{n}\"]"))]);
    let first = cache.bucket(&text(1));
    assert!(std::sync::Arc::ptr_eq(&first, &cache.bucket(&text(1))));
    for n in 2..100 {
        assert_eq!(*cache.bucket(&text(n)), bucket(&text(n)).expect("a policy"));
    }
    assert_eq!(*cache.bucket(&text(1)), *first);
    assert_eq!(cache.bucket("no policy").judge(&reads("a")), Verdict::Denied);
}

proptest::proptest! {
    /// Whatever text comes, reading and judging end, and nothing panics.
    #[test]
    fn any_text_is_read_or_refused(text in r#"[\[\]{}":,*/a-zA-Z$ ]{0,200}"#) {
        if let Ok(policy) = bucket(&text) {
            policy.judge(&reads("a"));
        }
    }
}
