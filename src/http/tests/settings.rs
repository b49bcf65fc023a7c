//! Settings of a bucket over the OSS dialect: kept, given back, taken away, and what the smaller ones do.

use super::harness::{Call, Reply, Running, Who};
use crate::store::Acl;
use crate::store::seal::MasterKeys;

/// Sub-resource, whether it has a DELETE, a document, and the code of what answers when nothing is set (or nothing).
const SETTINGS: [(&str, bool, &str, Option<&str>); 7] = [
    (
        "website",
        true,
        "<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument></WebsiteConfiguration>",
        Some("NoSuchWebsiteConfiguration"),
    ),
    (
        "referer",
        false,
        "<RefererConfiguration><AllowEmptyReferer>false</AllowEmptyReferer><RefererList><Referer>http://a.example</Referer>\
         </RefererList></RefererConfiguration>",
        None,
    ),
    (
        "logging",
        true,
        "<BucketLoggingStatus><LoggingEnabled><TargetBucket>examplebucket</TargetBucket><TargetPrefix>p</TargetPrefix>\
         </LoggingEnabled></BucketLoggingStatus>",
        None,
    ),
    (
        "encryption",
        true,
        "<ServerSideEncryptionRule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>\
         </ApplyServerSideEncryptionByDefault></ServerSideEncryptionRule>",
        Some("NoSuchServerSideEncryptionRule"),
    ),
    (
        "requestPayment",
        false,
        "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>",
        None,
    ),
    (
        "transferAcceleration",
        false,
        "<TransferAccelerationConfiguration><Enabled>true</Enabled></TransferAccelerationConfiguration>",
        Some("NoSuchTransferAccelerationConfiguration"),
    ),
    (
        "publicAccessBlock",
        true,
        "<PublicAccessBlockConfiguration><BlockPublicAccess>true</BlockPublicAccess></PublicAccessBlockConfiguration>",
        None,
    ),
];

async fn sealed() -> Running {
    let keys = MasterKeys::parse(&"ab".repeat(32)).expect("a key");
    Running::start_sealed(keys).await
}

#[tokio::test]
async fn each_setting_is_put_read_and_taken_away_by_the_owner_alone() {
    let running = sealed().await;
    for (name, deletes, document, unset_code) in SETTINGS {
        let call = |method, who| {
            let call = Call::new(method, &format!("/?{name}")).by(who);
            running.call(if method == "PUT" { call.body(document) } else { call })
        };
        let unset = call("GET", Who::Owner).await;
        match unset_code {
            Some(code) => unset.assert_error(404, code, None),
            None => assert_eq!(unset.status, 200, "{name}"),
        }
        for who in [Who::Anonymous, Who::Other] {
            for method in ["GET", "PUT"] {
                assert_eq!(call(method, who).await.status, 403, "{method} {name}");
            }
        }
        call("PUT", Who::Owner).await.assert_empty(200);
        let set = call("GET", Who::Owner).await;
        assert_eq!(set.status, 200, "{name}");
        assert_ne!(set.text(), unset.text(), "{name}");
        // What is given back can be put again.
        let again = Call::new("PUT", &format!("/?{name}")).body(set.body.clone());
        running.call(again).await.assert_empty(200);
        assert_eq!(call("GET", Who::Owner).await.text(), set.text(), "{name}");

        let broken = Call::new("PUT", &format!("/?{name}")).body("<a/>");
        running.call(broken).await.assert_error(400, "MalformedXML", None);
        let wrong =
            Call::new("PUT", &format!("/?{name}")).body(document).header("Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA==");
        running.call(wrong).await.assert_error(400, "InvalidDigest", None);
        assert_eq!(call("GET", Who::Owner).await.text(), set.text(), "{name}");

        let deleted = call("DELETE", Who::Owner).await;
        if deletes {
            deleted.assert_empty(204);
            call("DELETE", Who::Owner).await.assert_empty(204);
            assert_eq!(call("GET", Who::Owner).await.status, unset.status, "{name}");
        } else {
            deleted.assert_error(405, "MethodNotAllowed", None);
        }
    }
}

#[tokio::test]
async fn bucket_info_shows_what_is_set() {
    let running = sealed().await;
    for (name, _, document, _) in SETTINGS {
        assert_eq!(running.call(Call::new("PUT", &format!("/?{name}")).body(document)).await.status, 200, "{name}");
    }
    let info = running.call(Call::new("GET", "/?bucketInfo")).await;
    for (name, text) in [
        ("TransferAcceleration", "Enabled"),
        ("BlockPublicAccess", "true"),
        ("SSEAlgorithm", "AES256"),
        ("LogBucket", "examplebucket"),
        ("LogPrefix", "p"),
    ] {
        assert_eq!(info.element(name), text, "{name}");
    }
}

#[tokio::test]
async fn logs_may_only_be_meant_for_a_bucket_of_the_same_account() {
    let running = Running::start().await;
    assert_eq!(running.call(Call::new("PUT", "/").bucket("elsewhere").by(Who::Other)).await.status, 200);
    let put = |bucket: &str| {
        let enabled = format!("<LoggingEnabled><TargetBucket>{bucket}</TargetBucket></LoggingEnabled>");
        let body = format!("<BucketLoggingStatus>{enabled}</BucketLoggingStatus>");
        running.call(Call::new("PUT", "/?logging").body(body))
    };
    for bucket in ["nosuchbucket", "elsewhere", "No_Name"] {
        put(bucket).await.assert_error(400, "InvalidTargetBucketForLogging", None);
    }
    put("examplebucket").await.assert_empty(200);
    running.call(Call::new("PUT", "/?logging").body("<BucketLoggingStatus/>")).await.assert_empty(200);
    let off = running.call(Call::new("GET", "/?logging")).await;
    assert!(off.text().ends_with("<BucketLoggingStatus></BucketLoggingStatus>"), "{}", off.text());
}

const SSE: &str = "x-oss-server-side-encryption";

#[tokio::test]
async fn objects_of_a_bucket_that_encrypts_say_so() {
    let running = sealed().await;
    let said = |reply: &Reply| reply.header(SSE).map(str::to_owned);
    let aes = Some("AES256".to_owned());
    let put = |key: &str| running.call(Call::new("PUT", &format!("/{key}")).body("x"));
    assert_eq!(said(&put("before").await), None);
    let asked = running.call(Call::new("PUT", "/asked").body("x").header(SSE, "AES256")).await;
    assert_eq!(said(&asked), aes);
    let (_, _, document, _) = SETTINGS[3];
    assert_eq!(running.call(Call::new("PUT", "/?encryption").body(document)).await.status, 200);
    assert_eq!(said(&put("after").await), aes);
    let append = running.call(Call::new("POST", "/log?append&position=0").body("x")).await;
    assert_eq!(said(&append), aes);
    let copy = running.call(Call::new("PUT", "/copy").header("x-oss-copy-source", "/examplebucket/before")).await;
    assert_eq!(said(&copy), aes);
    let upload = running.call(Call::new("POST", "/parts?uploads")).await;
    assert_eq!(said(&upload), aes);
    let id = upload.element("UploadId");
    let part = running.call(Call::new("PUT", &format!("/parts?partNumber=1&uploadId={id}")).body("x")).await;
    let list = format!("<Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part>", part.header("etag").expect("a tag"));
    let complete = Call::new("POST", &format!("/parts?uploadId={id}"));
    let complete = complete.body(format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>"));
    assert_eq!(running.call(complete).await.status, 200);
    assert_eq!(running.call(Call::new("DELETE", "/?encryption")).await.status, 204);
    for (key, expected) in [
        ("before", None),
        ("asked", aes.clone()),
        ("after", aes.clone()),
        ("log", aes.clone()),
        ("copy", aes.clone()),
        ("parts", aes),
    ] {
        for method in ["GET", "HEAD"] {
            let read = running.call(Call::new(method, &format!("/{key}"))).await;
            assert_eq!((read.status, said(&read)), (200, expected.clone()), "{method} {key}");
        }
    }
    assert_eq!(said(&put("after").await), None, "by default nothing is said");
}

#[tokio::test]
async fn without_a_master_key_no_encryption_is_promised() {
    let running = Running::start().await;
    let (_, _, document, _) = SETTINGS[3];
    running.call(Call::new("PUT", "/?encryption").body(document)).await.assert_error(501, "NotImplemented", None);
    let put = running.call(Call::new("PUT", "/k").body("x").header(SSE, "AES256")).await;
    put.assert_error(501, "NotImplemented", None);
    let own = Call::new("PUT", "/k").body("x").header("x-oss-server-side-encryption-customer-algorithm", "AES256");
    running.call(own).await.assert_error(501, "NotImplemented", None);
    running.call(Call::new("GET", "/k")).await.assert_error(404, "NoSuchKey", Some("0026-00000001"));
}

#[tokio::test]
async fn blocked_public_access_refuses_public_acls_and_takes_their_effect() {
    let running = Running::start().await;
    let acl = |acl: &str| running.call(Call::new("PUT", "/?acl").header("x-oss-acl", acl));
    let object = |key: &str, acl: &str| {
        running.call(Call::new("PUT", &format!("/{key}")).body("x").header("x-oss-object-acl", acl))
    };
    assert_eq!(acl("public-read-write").await.status, 200);
    assert_eq!(object("open", "public-read").await.status, 200);
    let anonymous = |method, target: &str| running.call(Call::new(method, target).by(Who::Anonymous));
    assert_eq!(anonymous("GET", "/open").await.status, 200);
    assert_eq!(anonymous("PUT", "/new").await.status, 200);

    let (_, _, document, _) = SETTINGS[6];
    assert_eq!(running.call(Call::new("PUT", "/?publicAccessBlock").body(document)).await.status, 200);
    for (method, target) in [("GET", "/open"), ("HEAD", "/open"), ("PUT", "/new"), ("GET", "/"), ("DELETE", "/open")] {
        assert_eq!(anonymous(method, target).await.status, 403, "{method} {target}");
    }
    let refused = acl("public-read").await;
    refused.assert_error(403, "AccessDenied", None);
    assert_eq!(refused.element("Message"), "Put public bucket acl is not allowed");
    let made_again = running.call(Call::new("PUT", "/").header("x-oss-acl", "public-read")).await;
    made_again.assert_error(403, "AccessDenied", None);
    let refused = object("k", "public-read").await;
    refused.assert_error(403, "AccessDenied", None);
    assert_eq!(refused.element("Message"), "Put public object acl is not allowed");
    let later = running.call(Call::new("PUT", "/open?acl").header("x-oss-object-acl", "public-read-write")).await;
    later.assert_error(403, "AccessDenied", None);
    assert_eq!(object("k", "private").await.status, 200);
    assert_eq!(object("k", "default").await.status, 200);
    assert_eq!(acl("private").await.status, 200);
    assert_eq!(running.bucket("examplebucket").await.acl, Acl::Private);

    assert_eq!(running.call(Call::new("DELETE", "/?publicAccessBlock")).await.status, 204);
    assert_eq!(anonymous("GET", "/open").await.status, 200, "its ACL was kept");
}
