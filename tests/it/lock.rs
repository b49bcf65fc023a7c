//! Object lock over S3, and what the other dialect says of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

use crate::support::http::Response;
use crate::support::{Server, s3};

/// Fails unless the document has this element with this text.
#[track_caller]
fn has(document: &str, name: &str, text: &str) {
    assert!(document.contains(&format!("<{name}>{text}</{name}>")), "{name} {text}: {document}");
}

const FAR: &str = "2099-01-02T03:04:05.000Z";
const BYPASS: (&str, &str) = ("x-amz-bypass-governance-retention", "true");

async fn locking(s3: &s3::Client) {
    s3.send("PUT", "/films", &[("x-amz-bucket-object-lock-enabled", "true")], "").await.expect(200);
}

fn version(response: &Response) -> String {
    response.header("x-amz-version-id").to_owned()
}

fn retention(mode: &str, until: &str) -> String {
    format!("<Retention><Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>")
}

#[tokio::test]
async fn a_bucket_made_with_locks_keeps_versions_for_good() {
    let server = Server::start().await;
    let s3 = server.s3();
    locking(&s3).await;
    has(&s3.get("/films?versioning").await.expect(200).text(), "Status", "Enabled");
    let configuration = s3.get("/films?object-lock").await.expect(200).text();
    has(&configuration, "ObjectLockEnabled", "Enabled");
    assert!(!configuration.contains("Rule"), "{configuration}");
    let suspend = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
    has(&s3.put("/films?versioning", suspend).await.expect(409).text(), "Code", "InvalidBucketState");
    let oss = server.client();
    has(&oss.put("/films?versioning", suspend).await.expect(409).text(), "Code", "InvalidBucketState");

    // Later is as good, where versions are kept.
    s3.put("/later", "").await.expect(200);
    has(&s3.get("/later?object-lock").await.expect(404).text(), "Code", "ObjectLockConfigurationNotFoundError");
    let rule = |period: &str| {
        format!(
            "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
             <Mode>GOVERNANCE</Mode>{period}</DefaultRetention></Rule></ObjectLockConfiguration>"
        )
    };
    let days = rule("<Days>3</Days>");
    has(&s3.put("/later?object-lock", days.clone()).await.expect(409).text(), "Code", "InvalidBucketState");
    let enable = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    s3.put("/later?versioning", enable).await.expect(200);
    s3.put("/later?object-lock", days).await.expect(200);
    has(&s3.get("/later?object-lock").await.expect(200).text(), "Days", "3");
    for (period, code) in [
        ("<Days>0</Days>", "InvalidRetentionPeriod"),
        ("<Years>101</Years>", "InvalidRetentionPeriod"),
        ("<Days>1</Days><Years>1</Years>", "MalformedXML"),
        ("", "MalformedXML"),
    ] {
        has(&s3.put("/later?object-lock", rule(period)).await.expect(400).text(), "Code", code);
    }
    let put = s3.put("/later/a", "x").await.expect(200);
    let head = s3.head("/later/a").await.expect(200);
    assert_eq!(head.header("x-amz-object-lock-mode"), "GOVERNANCE");
    assert!(head.header("x-amz-object-lock-retain-until-date").ends_with('Z'));
    let target = format!("/later/a?versionId={}", version(&put));
    has(&s3.delete(&target).await.expect(403).text(), "Code", "AccessDenied");
    // Also what is put over the other dialect.
    let over_oss = oss.put("/later/b", "x").await.expect(200);
    let target = format!("/later/b?versionId={}", over_oss.header("x-oss-version-id"));
    has(&oss.delete(&target).await.expect(409).text(), "Code", "FileImmutable");
    server.stop_and_check().await;
}

#[tokio::test]
async fn what_is_locked_over_s3_stays_over_both_dialects() {
    let server = Server::start().await;
    let (oss, s3) = (server.client(), server.s3());
    locking(&s3).await;
    let locks = [
        ("x-amz-object-lock-mode", "COMPLIANCE"),
        ("x-amz-object-lock-retain-until-date", FAR),
        ("x-amz-object-lock-legal-hold", "ON"),
    ];
    let kept = version(&s3.send("PUT", "/films/a", &locks, "kept").await.expect(200));
    let head = s3.head("/films/a").await.expect(200);
    for (name, value) in locks {
        assert_eq!(head.header(name), value);
    }
    let free = version(&s3.put("/films/a", "free").await.expect(200));
    let kept_target = format!("/films/a?versionId={kept}");
    has(&s3.send("DELETE", &kept_target, &[BYPASS], "").await.expect(403).text(), "Code", "AccessDenied");
    has(&oss.delete(&kept_target).await.expect(409).text(), "Code", "FileImmutable");
    let both = format!(
        "<Delete><Object><Key>a</Key><VersionId>{kept}</VersionId></Object>\
         <Object><Key>a</Key><VersionId>{free}</VersionId></Object></Delete>"
    );
    let digest = STANDARD.encode(Md5::digest(&both));
    let over_oss =
        oss.send("POST", "/films?delete", &[("content-md5", &digest)], both.clone()).await.expect(200).text();
    assert!(over_oss.contains(&free) && !over_oss.contains(&kept), "{over_oss}");
    let over_s3 = s3.send("POST", "/films?delete", &[("content-md5", &digest)], both).await.expect(200).text();
    assert_eq!(over_s3.matches("<Error>").count(), 1, "{over_s3}");
    has(&over_s3, "Code", "AccessDenied");
    // Without words it would pass for gone.
    let quiet =
        format!("<Delete><Quiet>true</Quiet><Object><Key>a</Key><VersionId>{kept}</VersionId></Object></Delete>");
    let digest = [("content-md5", &*STANDARD.encode(Md5::digest(&quiet)))];
    has(&oss.send("POST", "/films?delete", &digest, quiet).await.expect(409).text(), "Code", "FileImmutable");
    // A marker hides it, and is itself removed; what is locked is there as before.
    oss.delete("/films/a").await.expect(204);
    assert_eq!(oss.get(&kept_target).await.expect(200).text(), "kept");
    s3.put("/films/a", "over it").await.expect(200);

    let hold = |status: &str| format!("<LegalHold><Status>{status}</Status></LegalHold>");
    let hold_target = format!("/films/a?legal-hold&versionId={kept}");
    has(&s3.get(&hold_target).await.expect(200).text(), "Status", "ON");
    s3.put(&hold_target, hold("OFF")).await.expect(200);
    has(&s3.get(&hold_target).await.expect(200).text(), "Status", "OFF");
    has(&s3.delete(&kept_target).await.expect(403).text(), "Code", "AccessDenied");
    has(&s3.put(&hold_target, hold("PERHAPS")).await.expect(400).text(), "Code", "MalformedXML");
    let retention_target = format!("/films/a?retention&versionId={kept}");
    let document = s3.get(&retention_target).await.expect(200).text();
    has(&document, "Mode", "COMPLIANCE");
    has(&document, "RetainUntilDate", FAR);
    for weaker in [retention("GOVERNANCE", FAR), retention("COMPLIANCE", "2098-01-01T00:00:00Z"), "<Retention/>".into()]
    {
        let refused = s3.send("PUT", &retention_target, &[BYPASS], weaker).await.expect(403);
        has(&refused.text(), "Code", "AccessDenied");
    }
    s3.put(&retention_target, retention("COMPLIANCE", "2099-02-01T00:00:00Z")).await.expect(200);
    server.stop_and_check().await;
}

#[tokio::test]
async fn governance_is_bypassed_by_the_owner_who_says_so() {
    let server = Server::start().await;
    let s3 = server.s3();
    locking(&s3).await;
    let locks = [("x-amz-object-lock-mode", "GOVERNANCE"), ("x-amz-object-lock-retain-until-date", FAR)];
    let kept = version(&s3.send("PUT", "/films/a", &locks, "kept").await.expect(200));
    let copied = [("x-amz-copy-source", "/films/a")];
    let copy = version(&s3.send("PUT", "/films/copy", &copied, "").await.expect(200));
    let hold = s3.get("/films/copy?legal-hold").await.expect(404).text();
    has(&hold, "Code", "NoSuchObjectLockConfiguration");
    s3.delete(&format!("/films/copy?versionId={copy}")).await.expect(204);

    let target = format!("/films/a?retention&versionId={kept}");
    let shorter = retention("GOVERNANCE", "2098-01-01T00:00:00Z");
    has(&s3.put(&target, shorter.clone()).await.expect(403).text(), "Code", "AccessDenied");
    s3.send("PUT", &target, &[BYPASS], shorter).await.expect(200);
    let target = format!("/films/a?versionId={kept}");
    s3.delete(&target).await.expect(403);
    s3.send("DELETE", &target, &[BYPASS], "").await.expect(204);
    s3.get("/films/a").await.expect(404);
    server.stop_and_check().await;
}

#[tokio::test]
async fn locks_that_make_no_sense_are_refused() {
    let server = Server::start().await;
    let s3 = server.s3();
    locking(&s3).await;
    s3.put("/films/a", "x").await.expect(200);
    let (mode, until, hold) =
        ("x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold");
    for headers in [
        vec![(mode, "GOVERNANCE")],
        vec![(until, FAR)],
        vec![(mode, "governance"), (until, FAR)],
        vec![(mode, "GOVERNANCE"), (until, "tomorrow")],
        vec![(mode, "GOVERNANCE"), (until, "2001-01-01T00:00:00Z")],
        vec![(hold, "on")],
    ] {
        let refused = s3.send("PUT", "/films/b", &headers, "x").await.expect(400);
        has(&refused.text(), "Code", "InvalidArgument");
    }
    for (document, code) in [
        (retention("GOVERNANCE", "2001-01-01T00:00:00Z"), "InvalidArgument"),
        (retention("OTHER", FAR), "MalformedXML"),
        ("<Retention><Mode>GOVERNANCE</Mode></Retention>".into(), "MalformedXML"),
    ] {
        has(&s3.put("/films/a?retention", document).await.expect(400).text(), "Code", code);
    }
    has(&s3.get("/films/a?retention").await.expect(404).text(), "Code", "NoSuchObjectLockConfiguration");
    s3.put("/plain", "").await.expect(200);
    s3.put("/plain/a", "x").await.expect(200);
    let lock = [(mode, "GOVERNANCE"), (until, FAR)];
    has(&s3.send("PUT", "/plain/a", &lock, "x").await.expect(400).text(), "Code", "InvalidRequest");
    has(&s3.put("/plain/a?retention", retention("GOVERNANCE", FAR)).await.expect(400).text(), "Code", "InvalidRequest");
    has(&s3.get("/plain/a?legal-hold").await.expect(400).text(), "Code", "InvalidRequest");
    let unsigned = s3.send_unsigned("PUT", "/films/a?retention&x-id=PutObjectRetention", &[], "").await;
    has(&unsigned.expect(403).text(), "Code", "AccessDenied");
    server.stop_and_check().await;
}
