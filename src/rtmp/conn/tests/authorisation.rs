//! The authorisation matrix of publishing: by everybody, under every ACL and policy, with keys and temporary credentials.

use super::*;
use crate::store::credentials::token_digest;
use crate::store::{BucketSetting, NewSessionKey};

const SOON: i64 = BEGIN / 1_000 + 600;
const TOKEN: &str = "token/of+a=session";

/// Who publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Anonymous,
    Other,
    Owner,
    /// The owner's temporary credential without a policy of its own.
    Session,
    /// The same, narrowed to publishing.
    Publishes,
    /// The same, narrowed to reading.
    Reads,
    /// The other account's, narrowed to publishing.
    OthersPublishes,
}

const EVERYBODY: [Who; 7] =
    [Who::Anonymous, Who::Other, Who::Owner, Who::Session, Who::Publishes, Who::Reads, Who::OthersPublishes];

/// What the bucket's policy says of publishing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Nothing,
    AllowsEverybody,
    AllowsTheOther,
    DeniesEverybody,
    /// From another address than the encoder's.
    AllowsElsewhere,
}

/// The rules once more, in the words of [`crate::http`]'s matrix.
fn expected(who: Who, acl: Acl, says: Says) -> bool {
    let is_owner = matches!(who, Who::Owner | Who::Session | Who::Publishes);
    let is_other = matches!(who, Who::Other | Who::OthersPublishes);
    match says {
        _ if who == Who::Reads => false,
        Says::DeniesEverybody => false,
        Says::AllowsEverybody => true,
        Says::AllowsTheOther if is_other => true,
        _ => is_owner || acl == Acl::PublicReadWrite,
    }
}

fn policy(says: Says) -> Option<String> {
    let (effect, principal, condition) = match says {
        Says::Nothing => return None,
        Says::AllowsEverybody => ("Allow", "*", "{}"),
        Says::AllowsTheOther => ("Allow", "other", "{}"),
        Says::DeniesEverybody => ("Deny", "*", "{}"),
        Says::AllowsElsewhere => ("Allow", "*", r#"{"IpAddress":{"acs:SourceIp":"198.51.100.0/24"}}"#),
    };
    Some(format!(
        r#"{{"Version":"1","Statement":[{{"Effect":"{effect}","Principal":["{principal}"],
        "Action":["oss:PublishRtmpStream"],"Resource":["acs:oss:*:*:films/*"],"Condition":{condition}}}]}}"#
    ))
}

async fn add_session(bed: &Bed, id: &str, parent: &str, expires: Wall, action: Option<&str>) {
    let policy = action.map(|action| {
        format!(r#"{{"Statement":{{"Effect":"Allow","Action":"{action}","Resource":"arn:aws:s3:::films/*"}}}}"#)
    });
    let token_sha256 = token_digest(TOKEN.as_bytes());
    let session = NewSessionKey { id: id.into(), secret: "session-secret".into(), token_sha256, expires, policy };
    bed.meta.put_session_key(parent, session, Wall(BEGIN)).await.expect("a new credential");
}

async fn bed() -> Bed {
    let bed = Bed::new().await;
    bed.meta.put_access_key("other", "AK2", "SK2", Wall(BEGIN)).await.expect("new");
    let later = Wall(BEGIN + 600_000);
    add_session(&bed, "STS.all", "AK", later, None).await;
    add_session(&bed, "STS.publishes", "AK", later, Some("oss:PublishRtmpStream")).await;
    add_session(&bed, "STS.reads", "AK", later, Some("s3:GetObject")).await;
    add_session(&bed, "STS.other", "AK2", later, Some("s3:*")).await;
    add_session(&bed, "STS.old", "AK", Wall(BEGIN), None).await;
    bed
}

fn session_query(id: &str, token: &str) -> String {
    query(id, "session-secret", "films", "ch", SOON, &[("security-token", token)])
}

fn name(who: Who) -> String {
    let query = match who {
        Who::Anonymous => return "ch".into(),
        Who::Other => query("AK2", "SK2", "films", "ch", SOON, &[]),
        Who::Owner => signed(&[]),
        Who::Session => session_query("STS.all", TOKEN),
        Who::Publishes => session_query("STS.publishes", TOKEN),
        Who::Reads => session_query("STS.reads", TOKEN),
        Who::OthersPublishes => session_query("STS.other", TOKEN),
    };
    format!("ch?{query}")
}

#[tokio::test]
async fn everybody_may_publish_as_the_rules_say() {
    let bed = bed().await;
    let says =
        [Says::Nothing, Says::AllowsEverybody, Says::AllowsTheOther, Says::DeniesEverybody, Says::AllowsElsewhere];
    for acl in [Acl::Private, Acl::PublicRead, Acl::PublicReadWrite] {
        set_acl(&bed, acl).await;
        for says in says {
            let setting = BucketSetting::Policy(policy(says));
            bed.meta.set_bucket_setting(bed.bucket.id, setting).await.expect("there");
            for who in EVERYBODY {
                let (tasks, stop) = (TaskSet::new(), Stop::new());
                let mut encoder = Encoder::dial(&bed, &tasks, &stop);
                let event = encoder.publish("live", TC_URL, &name(who)).await;
                let told = format!("{who:?} {acl:?} {says:?}: {event:?}");
                match expected(who, acl, says) {
                    true => assert!(matches!(event, Some(ClientEvent::Published { .. })), "{told}"),
                    false => {
                        let Some(ClientEvent::Refused { code, description }) = event else { panic!("{told}") };
                        assert_eq!(code, DENIED, "{told}");
                        assert!(description.starts_with("AccessDenied:"), "{told}");
                    }
                }
                drop(encoder);
                tasks.join().await;
            }
        }
    }
}

#[tokio::test]
async fn a_temporary_credential_publishes_with_its_own_token_only() {
    let bed = bed().await;
    // Builders differ in its name, and in whether it is signed.
    let unsigned = query("STS.all", "session-secret", "films", "ch", SOON, &[]);
    for name in ["security-token", "SecurityToken"] {
        accepted(&bed, "live", TC_URL, &format!("ch?{unsigned}&{name}={TOKEN}")).await;
    }
    accepted(&bed, "live", TC_URL, &name(Who::Session)).await;
    for (query, expected) in [
        (session_query("STS.all", "another"), "InvalidSecurityToken"),
        (session_query("STS.none", TOKEN), "InvalidSecurityToken"),
        (session_query("STS.old", TOKEN), "SecurityTokenExpired"),
        (query("STS.all", "session-secret", "films", "ch", SOON, &[]), "InvalidAccessKeyId 0002-00000802"),
        (
            query("STS.all", "guessed", "films", "ch", SOON, &[("security-token", TOKEN)]),
            "SignatureDoesNotMatch 0002-00000807",
        ),
        (query("AK", "SK", "films", "ch", SOON, &[("security-token", TOKEN)]), "InvalidSecurityToken"),
    ] {
        assert_eq!(told(&bed, &query).await, (DENIED.to_owned(), expected.to_owned()), "{query}");
    }
}

#[tokio::test]
async fn disabling_its_key_ends_what_a_temporary_credential_publishes() {
    let bed = bed().await;
    let (tasks, stop) = (TaskSet::new(), Stop::new());
    let mut encoder = Encoder::dial(&bed, &tasks, &stop);
    let event = encoder.publish("live", TC_URL, &name(Who::Session)).await;
    assert!(matches!(event, Some(ClientEvent::Published { .. })), "{event:?}");
    bed.meta.disable_access_key("AK").await.expect("known");
    bed.registry.disconnect_key("AK");
    encoder.ended_with(DENIED, "InvalidAccessKeyId").await;
    drop(encoder);
    tasks.join().await;
    assert_eq!(told(&bed, &session_query("STS.all", TOKEN)).await.1, "InvalidSecurityToken");
}

#[tokio::test]
async fn a_publish_signature_is_good_for_nothing_else() {
    let bed = bed().await;
    let good = signed(&[("playlistName", "a.m3u8")]);
    accepted(&bed, "live", TC_URL, &format!("ch?{good}")).await;
    for (app, tc_url, name) in [
        ("live", TC_URL, format!("other?{good}")),
        ("live", TC_URL, format!("ch?{}", good.replace("a.m3u8", "b.m3u8"))),
        ("live", TC_URL, format!("ch?{}", good.replace(&SOON.to_string(), &(SOON + 1).to_string()))),
        ("live", TC_URL, format!("ch?{}", good.replace("=AK&", "=AK2&"))),
        ("live", TC_URL, format!("ch?{good}&further=1")),
        ("live", "rtmp://others.oss.example.com/live", format!("ch?{good}")),
        ("others/live", "rtmp://127.0.0.1/others/live", format!("ch?{good}")),
    ] {
        let (code, description) = refusal(&bed, app, tc_url, &name).await;
        let told = description.split(':').next().unwrap_or_default();
        assert!(
            ["SignatureDoesNotMatch", "NoSuchBucket"].contains(&told),
            "{app} {tc_url} {name}: {code} {description}"
        );
    }
}
