//! Settings of a bucket over S3, and seen through both dialects.

use livebucket::config::Settings;

use crate::support::http::Response;
use crate::support::rtmp::{Answer, Publisher};
use crate::support::{Client, KEY, Server, check_sealed};

/// Fails unless it is this error of S3.
#[track_caller]
fn refused(response: &Response, status: u16, code: &str) {
    let text = response.text();
    assert_eq!(response.status, status, "{text}");
    assert!(text.contains(&format!("<Code>{code}</Code>")), "{text}");
}

/// The document without its declaration and the root's namespace.
fn document(response: &Response) -> String {
    let text = response.text();
    let text = text.split_once("?>").map_or(text.as_str(), |(_, rest)| rest).trim_start();
    text.replace(" xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"", "")
}

async fn sealed() -> Server {
    Server::start_with(|settings: &mut Settings| settings.master_key = Some("ab".repeat(32))).await
}

/// Sub-resource, whether it has a DELETE, the document as it is put and given back, and what answers when it is not set:
/// the code of an error, or a document.
const SETTINGS: [(&str, bool, &str, Result<&str, &str>); 7] = [
    (
        "website",
        true,
        "<WebsiteConfiguration><ErrorDocument><Key>404.html</Key></ErrorDocument><IndexDocument><Suffix>index.html</Suffix>\
         </IndexDocument><RoutingRules><RoutingRule><Condition><HttpErrorCodeReturnedEquals>404\
         </HttpErrorCodeReturnedEquals><KeyPrefixEquals>a/</KeyPrefixEquals></Condition><Redirect>\
         <HostName>b.example</HostName><HttpRedirectCode>308</HttpRedirectCode><Protocol>https</Protocol>\
         <ReplaceKeyPrefixWith>c/</ReplaceKeyPrefixWith></Redirect></RoutingRule></RoutingRules></WebsiteConfiguration>",
        Err("NoSuchWebsiteConfiguration"),
    ),
    (
        "logging",
        false,
        "<BucketLoggingStatus><LoggingEnabled><TargetBucket>films</TargetBucket><TargetPrefix>p/</TargetPrefix>\
         </LoggingEnabled></BucketLoggingStatus>",
        Ok("<BucketLoggingStatus></BucketLoggingStatus>"),
    ),
    (
        "encryption",
        true,
        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>\
         </ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled></Rule>\
         </ServerSideEncryptionConfiguration>",
        Err("ServerSideEncryptionConfigurationNotFoundError"),
    ),
    (
        "requestPayment",
        false,
        "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>",
        Ok("<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>"),
    ),
    (
        "accelerate",
        false,
        "<AccelerateConfiguration><Status>Suspended</Status></AccelerateConfiguration>",
        Ok("<AccelerateConfiguration></AccelerateConfiguration>"),
    ),
    (
        "publicAccessBlock",
        true,
        "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><BlockPublicPolicy>false</BlockPublicPolicy>\
         <IgnorePublicAcls>true</IgnorePublicAcls><RestrictPublicBuckets>false</RestrictPublicBuckets>\
         </PublicAccessBlockConfiguration>",
        Err("NoSuchPublicAccessBlockConfiguration"),
    ),
    (
        "ownershipControls",
        true,
        "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerPreferred</ObjectOwnership></Rule></OwnershipControls>",
        Err("OwnershipControlsNotFoundError"),
    ),
];

#[tokio::test]
async fn each_setting_is_put_read_and_taken_away() {
    let server = sealed().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    for (name, deletes, put, unset) in SETTINGS {
        let target = format!("/films?{name}");
        let check_unset = |response: &Response| match unset {
            Ok(expected) => assert_eq!((response.status, document(response).as_str()), (200, expected), "{name}"),
            Err(code) => refused(response, 404, code),
        };
        check_unset(&s3.get(&target).await);
        s3.put(&target, put).await.expect(200);
        let got = s3.get(&target).await.expect(200);
        assert_eq!(document(&got), put, "{name}");
        s3.put(&target, got.body.clone()).await.expect(200);
        assert_eq!(document(&s3.get(&target).await), put, "{name}");

        refused(&s3.put(&target, "<a/>").await, 400, "MalformedXML");
        let wrong = s3.send("PUT", &target, &[("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")], put).await;
        refused(&wrong, 400, "BadDigest");
        for (method, body) in [("GET", ""), ("PUT", put)] {
            let anonymous = s3.send_unsigned(method, &target, &[("x-amz-date", "now")], body).await;
            refused(&anonymous, 403, "AccessDenied");
        }
        assert_eq!(document(&s3.get(&target).await), put, "{name}");
        if deletes {
            s3.delete(&target).await.expect(204);
            s3.delete(&target).await.expect(204);
            check_unset(&s3.get(&target).await);
        } else {
            refused(&s3.delete(&target).await, 501, "NotImplemented");
        }
    }
    s3.head("/films").await.expect(200);
    let dir = {
        server.service.stop().await;
        server.dir
    };
    check_sealed(dir.path(), livebucket::store::seal::MasterKeys::parse(&"ab".repeat(32)).expect("a key")).await;
}

#[tokio::test]
async fn settings_that_cannot_be_kept_are_refused() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    s3.put("/dot.ted", "").await.expect(200);
    let default = |algorithm: &str, more: &str| {
        format!(
            "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>{algorithm}\
             </SSEAlgorithm>{more}</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
        )
    };
    let enabled =
        |inside: &str| format!("<BucketLoggingStatus><LoggingEnabled>{inside}</LoggingEnabled></BucketLoggingStatus>");
    let logs_at =
        |bucket: &str| enabled(&format!("<TargetBucket>{bucket}</TargetBucket><TargetPrefix>p</TargetPrefix>"));
    let grants = "<TargetBucket>films</TargetBucket><TargetGrants><Grant><Permission>READ</Permission></Grant>\
                  </TargetGrants><TargetPrefix>p</TargetPrefix>";
    let format = "<TargetBucket>films</TargetBucket><TargetObjectKeyFormat><PartitionedPrefix/></TargetObjectKeyFormat>\
                  <TargetPrefix>p</TargetPrefix>";
    let on = "<AccelerateConfiguration><Status>Enabled</Status></AccelerateConfiguration>";
    for (target, body, status, code) in [
        // What would not happen is not promised: there is no master key here.
        ("/films?encryption", default("AES256", ""), 501, "NotImplemented"),
        ("/films?encryption", default("aws:kms", ""), 501, "NotImplemented"),
        ("/films?encryption", default("ROT13", ""), 400, "InvalidArgument"),
        ("/films?encryption", "<ServerSideEncryptionConfiguration/>".into(), 400, "MalformedXML"),
        ("/films?logging", logs_at("nowhere"), 400, "InvalidTargetBucketForLogging"),
        ("/films?logging", enabled(grants), 501, "NotImplemented"),
        ("/films?logging", enabled(format), 501, "NotImplemented"),
        (
            "/films?requestPayment",
            "<RequestPaymentConfiguration><Payer>Nobody</Payer></RequestPaymentConfiguration>".into(),
            400,
            "MalformedXML",
        ),
        ("/dot.ted?accelerate", on.into(), 400, "InvalidRequest"),
        ("/films?accelerate", on.replace("Enabled", "On"), 400, "MalformedXML"),
        (
            "/films?ownershipControls",
            "<OwnershipControls><Rule><ObjectOwnership>Everybody</ObjectOwnership></Rule></OwnershipControls>".into(),
            400,
            "MalformedXML",
        ),
        ("/films?ownershipControls", "<OwnershipControls/>".into(), 400, "MalformedXML"),
        ("/films?website", "<WebsiteConfiguration/>".into(), 400, "InvalidArgument"),
    ] {
        let response = s3.put(target, body.clone()).await;
        assert!(response.status != 200, "{target} {body}");
        refused(&response, status, code);
    }
    server.stop_and_check().await;
}

#[tokio::test]
async fn what_one_dialect_set_the_other_shows() {
    let server = sealed().await;
    let (oss, s3) = (server.client(), server.s3());
    s3.put("/films", "").await.expect(200);
    for (name, _, put, _) in SETTINGS {
        s3.put(&format!("/films?{name}"), put).await.expect(200);
    }
    for (name, text) in [
        ("website", "<SupportSubDir>true</SupportSubDir><Type>0</Type>"),
        ("website", "<KeyPrefixEquals>a/</KeyPrefixEquals>"),
        ("logging", "<TargetPrefix>p/</TargetPrefix>"),
        ("encryption", "<SSEAlgorithm>AES256</SSEAlgorithm>"),
        ("requestPayment", "<Payer>Requester</Payer>"),
        ("transferAcceleration", "<Enabled>false</Enabled>"),
        // Blocked in part is not blocked.
        ("publicAccessBlock", "<BlockPublicAccess>false</BlockPublicAccess>"),
    ] {
        let got = oss.get(&format!("/films?{name}")).await.expect(200).text();
        assert!(got.contains(text), "{name}: {got}");
    }
    for (name, body) in [
        (
            "publicAccessBlock",
            "<PublicAccessBlockConfiguration><BlockPublicAccess>true</BlockPublicAccess></PublicAccessBlockConfiguration>",
        ),
        ("requestPayment", "<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>"),
        (
            "transferAcceleration",
            "<TransferAccelerationConfiguration><Enabled>true</Enabled></TransferAccelerationConfiguration>",
        ),
        (
            "website",
            "<WebsiteConfiguration><RoutingRules><RoutingRule><RuleNumber>1</RuleNumber><Condition>\
             <KeySuffixEquals>.x</KeySuffixEquals></Condition><Redirect><RedirectType>External</RedirectType>\
             <HostName>h</HostName></Redirect></RoutingRule><RoutingRule><RuleNumber>2</RuleNumber><Redirect>\
             <RedirectType>External</RedirectType><HostName>i</HostName></Redirect></RoutingRule></RoutingRules>\
             </WebsiteConfiguration>",
        ),
    ] {
        oss.put(&format!("/films?{name}"), body).await.expect(200);
    }
    let block = document(&s3.get("/films?publicAccessBlock").await.expect(200));
    assert_eq!(block.matches(">true<").count(), 4, "{block}");
    assert!(document(&s3.get("/films?requestPayment").await).contains("BucketOwner"));
    assert!(document(&s3.get("/films?accelerate").await).contains("<Status>Enabled</Status>"));
    let website = document(&s3.get("/films?website").await.expect(200));
    assert!(website.contains("<HostName>i</HostName>") && !website.contains("<HostName>h</HostName>"), "{website}");
    server.service.stop().await;
}

const SSE: &str = "x-amz-server-side-encryption";

#[tokio::test]
async fn encryption_is_confirmed_where_it_happens() {
    let server = sealed().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    let aes = [(SSE, "AES256")];
    assert_eq!(s3.put("/films/unasked", "x").await.expect(200).header(SSE), "");
    assert_eq!(s3.send("PUT", "/films/asked", &aes, "x").await.expect(200).header(SSE), "AES256");
    let copy = [("x-amz-copy-source", "/films/unasked"), (SSE, "AES256")];
    assert_eq!(s3.send("PUT", "/films/copy", &copy, "").await.expect(200).header(SSE), "AES256");
    let upload = s3.send("POST", "/films/parts?uploads", &aes, "").await.expect(200);
    assert_eq!(upload.header(SSE), "AES256");
    let (_, _, default, _) = SETTINGS[2];
    s3.put("/films?encryption", default).await.expect(200);
    assert_eq!(s3.put("/films/default", "x").await.expect(200).header(SSE), "AES256");
    for (key, said) in [("unasked", ""), ("asked", "AES256"), ("copy", "AES256"), ("default", "AES256")] {
        assert_eq!(s3.get(&format!("/films/{key}")).await.expect(200).header(SSE), said, "{key}");
        assert_eq!(s3.head(&format!("/films/{key}")).await.expect(200).header(SSE), said, "{key}");
        let oss = server.client().get(&format!("/films/{key}")).await.expect(200);
        assert_eq!(oss.header("x-oss-server-side-encryption"), said, "{key}");
    }
    for (name, value, status, code) in [
        (SSE, "aws:kms", 501, "NotImplemented"),
        (SSE, "ROT13", 400, "InvalidArgument"),
        ("x-amz-server-side-encryption-aws-kms-key-id", "k", 501, "NotImplemented"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256", 501, "NotImplemented"),
    ] {
        refused(&s3.send("PUT", "/films/k", &[(name, value)], "x").await, status, code);
    }
    s3.get("/films/k").await.expect(404);
    let own_key = [("x-amz-server-side-encryption-customer-algorithm", "AES256")];
    refused(&s3.send("GET", "/films/asked", &own_key, "").await, 400, "InvalidRequest");
    server.service.stop().await;
}

#[tokio::test]
async fn without_a_master_key_no_encryption_is_promised() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    refused(&s3.send("PUT", "/films/k", &[(SSE, "AES256")], "x").await, 501, "NotImplemented");
    s3.get("/films/k").await.expect(404);
    server.stop_and_check().await;
}

fn block(acls: bool, ignore: bool) -> String {
    format!(
        "<PublicAccessBlockConfiguration><BlockPublicAcls>{acls}</BlockPublicAcls><IgnorePublicAcls>{ignore}\
         </IgnorePublicAcls></PublicAccessBlockConfiguration>"
    )
}

#[tokio::test]
async fn each_part_of_the_public_access_block_does_its_own() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    let public = [("x-amz-acl", "public-read")];
    s3.send("PUT", "/films/open", &public, "x").await.expect(200);
    let anonymous = || async { Client::anonymous(server.addr()).get("/films/open").await.status };
    assert_eq!(anonymous().await, 200);

    s3.put("/films?publicAccessBlock", block(true, false)).await.expect(200);
    assert_eq!(anonymous().await, 200, "what was public before stays so");
    refused(&s3.send("PUT", "/films?acl", &public, "").await, 403, "AccessDenied");
    refused(&s3.send("PUT", "/films/open?acl", &public, "").await, 403, "AccessDenied");
    refused(&s3.send("PUT", "/films/new", &public, "x").await, 403, "AccessDenied");
    let copy = [("x-amz-acl", "public-read"), ("x-amz-copy-source", "/films/open")];
    refused(&s3.send("PUT", "/films/new", &copy, "").await, 403, "AccessDenied");
    s3.get("/films/new").await.expect(404);
    s3.send("PUT", "/films/new", &[("x-amz-acl", "private")], "x").await.expect(200);

    s3.put("/films?publicAccessBlock", block(false, true)).await.expect(200);
    assert_eq!(anonymous().await, 403);
    s3.send("PUT", "/films/new", &public, "x").await.expect(200);
    s3.delete("/films?publicAccessBlock").await.expect(204);
    assert_eq!(anonymous().await, 200);
    server.stop_and_check().await;
}

#[tokio::test]
async fn who_publishes_without_a_key_is_kept_out_by_the_public_access_block() {
    let server = Server::start().await;
    let (oss, s3) = (server.client(), server.s3());
    s3.send("PUT", "/films", &[("x-amz-acl", "public-read-write")], "").await.expect(200);
    let channel = "<LiveChannelConfiguration><Target><Type>HLS</Type></Target></LiveChannelConfiguration>";
    oss.put("/films/cam?live", channel).await.expect(200);
    let publish = || Publisher::open(server.service.rtmp_listen[0], "films/live", "cam");
    let (publisher, answer) = publish().await;
    assert_eq!(answer, Answer::Published);
    publisher.finish().await;
    s3.put("/films?publicAccessBlock", block(false, true)).await.expect(200);
    let (_, answer) = publish().await;
    assert!(matches!(answer, Answer::Refused(..)), "{answer:?}");
    server.stop_and_check().await;
}

#[tokio::test]
async fn a_bucket_whose_owner_is_enforced_has_no_acls() {
    let server = Server::start().await;
    let (oss, s3) = (server.client(), server.s3());
    let enforced = [("x-amz-object-ownership", "BucketOwnerEnforced")];
    s3.send("PUT", "/films", &enforced, "").await.expect(200);
    let rule = |ownership: &str| {
        format!("<OwnershipControls><Rule><ObjectOwnership>{ownership}</ObjectOwnership></Rule></OwnershipControls>")
    };
    assert_eq!(document(&s3.get("/films?ownershipControls").await.expect(200)), rule("BucketOwnerEnforced"));
    for acl in ["private", "public-read"] {
        let header = [("x-amz-acl", acl)];
        refused(&s3.send("PUT", "/films?acl", &header, "").await, 400, "AccessControlListNotSupported");
        refused(&s3.send("PUT", "/films/k", &header, "x").await, 400, "AccessControlListNotSupported");
    }
    let oss_acl = oss.send("PUT", "/films?acl", &[("x-oss-acl", "public-read")], "").await;
    refused(&oss_acl, 400, "AccessControlListNotSupported");
    s3.send("PUT", "/films/k", &[("x-amz-acl", "bucket-owner-full-control")], "x").await.expect(200);

    s3.put("/films?ownershipControls", rule("ObjectWriter")).await.expect(200);
    s3.send("PUT", "/films/k?acl", &[("x-amz-acl", "public-read")], "").await.expect(200);
    s3.put("/films?ownershipControls", rule("BucketOwnerEnforced")).await.expect(200);
    assert_eq!(Client::anonymous(server.addr()).get("/films/k").await.status, 403, "its ACL has no effect");
    s3.delete("/films?ownershipControls").await.expect(204);
    s3.send("PUT", "/films?acl", &[("x-amz-acl", "public-read")], "").await.expect(200);
    let public = s3.put("/films?ownershipControls", rule("BucketOwnerEnforced")).await;
    refused(&public, 400, "InvalidBucketAclWithObjectOwnership");

    for (ownership, acl, code) in [
        ("BucketOwnerEnforced", "public-read", "InvalidBucketAclWithObjectOwnership"),
        ("Everybody", "private", "InvalidArgument"),
    ] {
        let headers = [("x-amz-object-ownership", ownership), ("x-amz-acl", acl)];
        refused(&s3.send("PUT", "/other", &headers, "").await, 400, code);
        s3.head("/other").await.expect(404);
    }
    server.stop_and_check().await;
}

#[tokio::test]
async fn what_clients_ask_for_and_nobody_can_set_has_its_own_answer() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    refused(&s3.get("/films?replication").await, 404, "ReplicationConfigurationNotFoundError");
    refused(&s3.get("/films?tagging").await, 404, "NoSuchTagSet");
    let notification = s3.get("/films?notification").await.expect(200);
    assert_eq!(document(&notification), "<NotificationConfiguration></NotificationConfiguration>");
    for name in ["replication", "notification"] {
        refused(&s3.put(&format!("/films?{name}"), "<a/>").await, 501, "NotImplemented");
        refused(&s3.get(&format!("/nowhere?{name}")).await, 404, "NoSuchBucket");
    }
    server.stop_and_check().await;
}

/// Each with every method, on a bucket and on an object: nothing becomes a plain operation.
#[tokio::test]
async fn sub_resources_that_are_not_built_are_refused_and_change_nothing() {
    const NOT_BUILT: [&str; 17] = [
        "abac",
        "analytics",
        "analytics&id=1",
        "intelligent-tiering",
        "intelligent-tiering&id=1",
        "inventory",
        "inventory&id=1",
        "metadataConfiguration",
        "metadataInventoryTable",
        "metadataJournalTable",
        "metadataTable",
        "metrics",
        "metrics&id=1",
        "renameObject",
        "session",
        "torrent",
        "worm",
    ];
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    s3.put("/films/k", "kept").await.expect(200);
    for name in NOT_BUILT {
        for method in ["GET", "HEAD", "PUT", "POST", "DELETE"] {
            for path in ["/films", "/films/k"] {
                let response = s3.send(method, &format!("{path}?{name}"), &[], "").await;
                assert_eq!(response.status, 501, "{method} {path}?{name}: {}", response.text());
            }
        }
    }
    // Settings of a bucket are none of an object.
    for (name, ..) in SETTINGS {
        for method in ["GET", "HEAD", "PUT", "POST", "DELETE"] {
            let response = s3.send(method, &format!("/films/k?{name}"), &[], "").await;
            assert_eq!(response.status, 501, "{method} /films/k?{name}: {}", response.text());
        }
    }
    assert_eq!(s3.get("/films/k").await.expect(200).text(), "kept");
    server.stop_and_check().await;
}

#[tokio::test]
async fn a_website_that_s3_set_is_served_to_browsers() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    s3.send("PUT", "/films?acl", &[("x-amz-acl", "public-read")], "").await.expect(200);
    for (key, body) in [("index.html", "root"), ("a/index.html", "folder"), ("404.html", "none")] {
        s3.put(&format!("/films/{key}"), body).await.expect(200);
    }
    let (_, _, website, _) = SETTINGS[0];
    s3.put("/films?website", website).await.expect(200);
    let anonymous = Client::anonymous(server.addr());
    for (target, status, expected) in [
        ("/films/", 200, "root"),
        ("/films/a/", 200, "folder"),
        ("/films/a", 302, "/films/a/"),
        ("/films/none", 404, "none"),
        ("/films/a/none", 308, "https://b.example/c/none"),
    ] {
        let response = anonymous.get(target).await.expect(status);
        let got = if (300..400).contains(&status) { response.header("location").to_owned() } else { response.text() };
        assert_eq!(got, expected, "{target}");
    }
    let all = "<WebsiteConfiguration><RedirectAllRequestsTo><HostName>c.example</HostName><Protocol>https</Protocol>\
               </RedirectAllRequestsTo></WebsiteConfiguration>";
    s3.put("/films?website", all).await.expect(200);
    let response = anonymous.get("/films/a/b?c=d").await.expect(301);
    assert_eq!(response.header("location"), "https://c.example/a/b?c=d");
    assert_eq!(s3.get("/films/404.html").await.expect(200).text(), "none", "whoever signs sees objects");
    server.stop_and_check().await;
}

#[tokio::test]
async fn presigned_reads_are_judged_by_their_page_over_s3() {
    let server = Server::start().await;
    let (oss, s3) = (server.client(), server.s3());
    s3.put("/films", "").await.expect(200);
    s3.put("/films/k", "x").await.expect(200);
    let rules = "<RefererConfiguration><AllowEmptyReferer>false</AllowEmptyReferer><RefererList>\
                 <Referer>http://a.example</Referer></RefererList></RefererConfiguration>";
    oss.put("/films?referer", rules).await.expect(200);
    let expires = 4_000_000_000;
    for url in [s3.presign("GET", "/films/k", 60), s3.presign_v2("GET", "/films/k", expires)] {
        for (referer, status) in [("http://a.example/", 200), ("http://evil.example/", 403), ("", 403)] {
            let response = s3.send_unsigned("GET", &url, &[("referer", referer)], "").await;
            assert_eq!(response.status, status, "{url} {referer}: {}", response.text());
        }
    }
    s3.get("/films/k").await.expect(200);
    server.stop_and_check().await;
}

#[tokio::test]
async fn settings_outlive_a_restart() {
    let server = Server::start().await;
    server.client().put("/films", "").await.expect(200);
    let rules = "<RefererConfiguration><AllowEmptyReferer>false</AllowEmptyReferer><RefererList>\
                 <Referer>http://a.example</Referer></RefererList></RefererConfiguration>";
    server.client().put("/films?referer", rules).await.expect(200);
    let before = server.client().get("/films?referer").await.expect(200).text();
    let dir = server.stop_and_check().await;
    let settings = crate::support::settings(dir.path());
    let server = Server::start_in(dir, settings).await;
    assert_eq!(Client::new(server.addr(), KEY).get("/films?referer").await.expect(200).text(), before);
    server.stop_and_check().await;
}
