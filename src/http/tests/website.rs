//! A bucket as a static website, as a browser meets it.

use super::harness::{Call, Reply, Running, Who};

const PAGES: [(&str, &str); 5] = [
    ("index.html", "<h1>root</h1>"),
    ("a/index.html", "<h1>folder</h1>"),
    ("a/page.html", "<h1>page</h1>"),
    ("404.html", "<h1>none</h1>"),
    ("docs/old.txt", "old"),
];

/// A public bucket with pages and this website.
async fn start(website: &str) -> Running {
    let running = Running::start().await;
    assert_eq!(running.call(Call::new("PUT", "/?acl").header("x-oss-acl", "public-read")).await.status, 200);
    for (key, body) in PAGES {
        let put = Call::new("PUT", &format!("/{key}")).body(body).header("Content-Type", "text/html");
        assert_eq!(running.call(put).await.status, 200);
    }
    set(&running, website).await;
    running
}

async fn set(running: &Running, website: &str) {
    let body = format!("<WebsiteConfiguration>{website}</WebsiteConfiguration>");
    running.call(Call::new("PUT", "/?website").body(body)).await.assert_empty(200);
}

async fn get(running: &Running, target: &str) -> Reply {
    running.call(Call::new("GET", target).by(Who::Anonymous)).await
}

fn index(sub: bool, kind: u8) -> String {
    format!(
        "<IndexDocument><Suffix>index.html</Suffix><SupportSubDir>{sub}</SupportSubDir><Type>{kind}</Type></IndexDocument>"
    )
}

const ERROR: &str = "<ErrorDocument><Key>404.html</Key></ErrorDocument>";

#[tokio::test]
async fn root_folders_and_missing_pages_are_answered_as_set() {
    let running = start("<ErrorDocument><Key>404.html</Key></ErrorDocument>").await;
    let (root, folder, none) = ("<h1>root</h1>", "<h1>folder</h1>", "<h1>none</h1>");
    //   sub-directories, type, target, status, body or location
    for (sub, kind, target, status, expected) in [
        (false, 0, "/", 200, root),
        (false, 0, "/a/", 200, root),
        (false, 0, "/nowhere/", 200, root),
        (false, 0, "/a", 404, none),
        (false, 2, "/a", 404, none),
        (true, 0, "/", 200, root),
        (true, 0, "/a/", 200, folder),
        (true, 0, "/nowhere/", 404, none),
        (true, 0, "/a", 302, "/a/"),
        (true, 0, "/nowhere", 404, none),
        (true, 1, "/a/", 200, folder),
        (true, 1, "/a", 404, none),
        (true, 2, "/a", 200, folder),
        (true, 2, "/nowhere", 404, none),
        (true, 0, "/a/page.html", 200, "<h1>page</h1>"),
    ] {
        set(&running, &format!("{}{ERROR}", index(sub, kind))).await;
        let reply = get(&running, target).await;
        assert_eq!(reply.status, status, "{sub} {kind} {target}: {}", reply.text());
        if status == 302 {
            assert_eq!(reply.header("location"), Some(expected), "{sub} {kind} {target}");
        } else {
            assert_eq!(reply.text(), expected, "{sub} {kind} {target}");
            assert_eq!(reply.header("content-type"), Some("text/html"), "{sub} {kind} {target}");
        }
        let head = running.call(Call::new("HEAD", target).by(Who::Anonymous)).await;
        assert_eq!(head.status, status, "HEAD {sub} {kind} {target}");
        assert_eq!(head.header("content-length"), reply.header("content-length"), "{sub} {kind} {target}");
        assert_eq!(head.header("etag"), reply.header("etag"), "{sub} {kind} {target}");
    }
}

#[tokio::test]
async fn only_anonymous_requests_without_arguments_of_a_listing_see_the_website() {
    let running = start(&format!("{}{ERROR}", index(true, 0))).await;
    assert!(running.call(Call::new("GET", "/")).await.text().contains("<ListBucketResult>"));
    running.call(Call::new("GET", "/none")).await.assert_error(404, "NoSuchKey", Some("0026-00000001"));
    assert_eq!(running.call(Call::new("HEAD", "/")).await.status, 405);
    for target in ["/?prefix=a", "/?max-keys=5", "/?list-type=2", "/?delimiter=/"] {
        assert!(get(&running, target).await.text().contains("<ListBucketResult>"), "{target}");
    }
    assert_eq!(get(&running, "/?utm=1").await.text(), "<h1>root</h1>");
    // The other dialect has no website on this address.
    let s3 = get(&running, "/none?x-id=GetObject").await;
    assert_eq!((s3.status, s3.element("Code").as_str()), (404, "NoSuchKey"));
    // Writes of a public bucket are writes.
    assert_eq!(running.call(Call::new("PUT", "/?acl").header("x-oss-acl", "public-read-write")).await.status, 200);
    assert_eq!(running.call(Call::new("PUT", "/a").by(Who::Anonymous).body("x")).await.status, 200);
    assert_eq!(get(&running, "/a").await.text(), "x");
}

#[tokio::test]
async fn without_a_website_all_is_as_before() {
    let running = start(&index(true, 0)).await;
    assert_eq!(get(&running, "/a").await.status, 302);
    assert_eq!(running.call(Call::new("DELETE", "/?website")).await.status, 204);
    assert!(get(&running, "/").await.text().contains("<ListBucketResult>"));
    get(&running, "/a").await.assert_error(404, "NoSuchKey", Some("0026-00000001"));
    assert_eq!(running.call(Call::new("HEAD", "/").by(Who::Anonymous)).await.status, 405);
}

#[tokio::test]
async fn a_private_bucket_stays_private() {
    let running = start(&format!("{}{ERROR}", index(true, 0))).await;
    assert_eq!(running.call(Call::new("PUT", "/?acl").header("x-oss-acl", "private")).await.status, 200);
    for target in ["/", "/a", "/a/", "/none", "/404.html"] {
        get(&running, target).await.assert_error(403, "AccessDenied", Some("0003-00000001"));
    }
}

#[tokio::test]
async fn an_error_page_has_its_status_and_is_no_part_of_anything() {
    let running = start(&format!(
        "{}<ErrorDocument><Key>404.html</Key><HttpStatus>200</HttpStatus></ErrorDocument>",
        index(false, 0)
    ))
    .await;
    let page = running.call(Call::new("GET", "/none").by(Who::Anonymous).header("Range", "bytes=0-3")).await;
    assert_eq!((page.status, page.text().as_str()), (200, "<h1>none</h1>"));
    set(&running, "<ErrorDocument><Key>gone.html</Key></ErrorDocument>").await;
    get(&running, "/none").await.assert_error(404, "NoSuchKey", Some("0026-00000001"));
    get(&running, "/").await.assert_error(404, "NoSuchKey", Some("0026-00000001"));
    set(&running, &index(true, 0)).await;
    let part = running.call(Call::new("GET", "/").by(Who::Anonymous).header("Range", "bytes=0-3")).await;
    assert_eq!((part.status, part.text().as_str()), (206, "<h1>"));
    let etag = get(&running, "/").await.header("etag").expect("a tag").to_owned();
    let fresh = running.call(Call::new("GET", "/").by(Who::Anonymous).header("If-None-Match", &etag)).await;
    fresh.assert_empty(304);
}

fn rule(number: u32, condition: &str, redirect: &str) -> String {
    let condition = if condition.is_empty() { String::new() } else { format!("<Condition>{condition}</Condition>") };
    format!(
        "<RoutingRule><RuleNumber>{number}</RuleNumber>{condition}\
         <Redirect><RedirectType>External</RedirectType>{redirect}</Redirect></RoutingRule>"
    )
}

#[tokio::test]
async fn routing_rules_redirect() {
    let rules = [
        rule(
            1,
            "<KeyPrefixEquals>docs/</KeyPrefixEquals>",
            "<Protocol>https</Protocol><HostName>b.example</HostName><ReplaceKeyPrefixWith>new docs/</ReplaceKeyPrefixWith>\
             <PassQueryString>true</PassQueryString><HttpRedirectCode>301</HttpRedirectCode>",
        ),
        rule(
            2,
            "<KeyPrefixEquals>host/</KeyPrefixEquals>",
            "<HostName>b.example:8080</HostName><ReplaceKeyWith>x/${key}</ReplaceKeyWith>",
        ),
        rule(3, "<KeySuffixEquals>.cgi</KeySuffixEquals>", "<Protocol>https</Protocol>"),
        rule(
            4,
            "<KeyPrefixEquals>gone/</KeyPrefixEquals><HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals>",
            "<EnableReplacePrefix>true</EnableReplacePrefix><HttpRedirectCode>307</HttpRedirectCode>",
        ),
        rule(
            5,
            "<IncludeHeader><Key>User-Agent</Key><Equals>Old</Equals></IncludeHeader>",
            "<ReplaceKeyWith>old.html</ReplaceKeyWith>",
        ),
    ];
    let running = start(&format!("{}{ERROR}<RoutingRules>{}</RoutingRules>", index(true, 0), rules.concat())).await;
    for (target, status, location) in [
        ("/docs/old.txt?a=b&c", 301, "https://b.example/new%20docs/old.txt?a=b&c"),
        ("/docs/", 301, "https://b.example/new%20docs/"),
        ("/host/%C3%A4+b?a=b", 302, "//b.example:8080/x/host/%C3%A4%2Bb"),
        ("/a.cgi", 302, "https://examplebucket.oss.example.com/a.cgi"),
        ("/gone/page", 307, "/page"),
        ("/gone//evil.example/", 307, "/evil.example/"),
        ("/gone/%0D%0AA:b", 307, "/%0D%0AA%3Ab"),
    ] {
        let reply = get(&running, target).await;
        assert_eq!((reply.status, reply.header("location")), (status, Some(location)), "{target}");
        assert_eq!(reply.text(), "", "{target}");
    }
    let old = running.call(Call::new("GET", "/").by(Who::Anonymous).header("User-Agent", "Old")).await;
    assert_eq!((old.status, old.header("location")), (302, Some("/old.html")));
    let in_path = Call::new("GET", "/examplebucket/gone/page").by(Who::Anonymous).host("oss.example.com");
    let in_path = running.call(in_path).await;
    assert_eq!(in_path.header("location"), Some("/examplebucket/page"), "the bucket stays where it stood");
    let in_path = running.call(Call::new("GET", "/examplebucket/a").by(Who::Anonymous).host("oss.example.com")).await;
    assert_eq!(in_path.header("location"), Some("/examplebucket/a/"));
    let in_path = running.call(Call::new("GET", "/examplebucket").by(Who::Anonymous).host("oss.example.com")).await;
    assert_eq!(in_path.text(), "<h1>root</h1>");
    // Whoever signs sees objects, not a website.
    assert_eq!(running.call(Call::new("GET", "/docs/old.txt")).await.text(), "old");
}

#[tokio::test]
async fn a_page_is_kept_from_pages_that_may_not_use_it() {
    let running = start(&format!("{}{ERROR}", index(true, 0))).await;
    let rules = "<RefererConfiguration><AllowEmptyReferer>true</AllowEmptyReferer>\
                 <RefererList><Referer>http://a.example</Referer></RefererList></RefererConfiguration>";
    assert_eq!(running.call(Call::new("PUT", "/?referer").body(rules)).await.status, 200);
    for target in ["/", "/a/", "/a", "/none"] {
        let call = Call::new("GET", target).by(Who::Anonymous).header("Referer", "http://evil.example/");
        running.call(call).await.assert_error(403, "AccessDenied", Some("0003-00000503"));
    }
    assert_eq!(get(&running, "/").await.status, 200);
}
