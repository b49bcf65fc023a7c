//! What must not be told is not told: secrets, tokens and signatures are in no log line, no error and no metric, whatever is
//! asked for and whatever goes wrong.

use livebucket::auth::rtmp_url::publish_query;

use super::support::http::{exchange, hmac_sha1};
use super::support::program::{Program, data, run_ok};
use super::support::rtmp::{Answer, Publisher, capture, signed_query, signed_query_until};
use super::support::{Client, KEY, s3};

/// The value behind a label of a command's output.
fn field(text: &str, name: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {text}"));
    line.trim().to_owned()
}

async fn metrics(addr: std::net::SocketAddr) -> String {
    let request = http::Request::get("/metrics").header("host", addr.to_string());
    exchange(addr, request.body(Default::default()).expect("a request")).await.text()
}

/// The key that encrypts what is stored.
const MASTER_KEY: &str = "9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a0";
/// Far from now, either way.
const FUTURE: i64 = 4_000_000_000;
const PAST: i64 = 1_000_000_000;

/// What went over the wire.
#[derive(Default)]
struct Wire {
    /// What was answered: documents, words of `onStatus`, metrics.
    told: Vec<String>,
    /// What opened something, or would have: whoever reads it in a log can use it. It comes back in the answer to the very
    /// request that held it, at most.
    sent: Vec<String>,
    /// What would have opened something, had it been sent.
    right: Vec<String>,
}

impl Wire {
    /// The signatures of a URL's query.
    fn sent_in(&mut self, query: &str) {
        let parts = query.split(['?', '&']).filter_map(|part| part.split_once('='));
        let signature = parts.filter(|(name, _)| name.ends_with("ignature")).map(|(_, value)| value);
        self.sent.extend(signature.map(|value| percent_encoding::percent_decode_str(value).decode_utf8_lossy().into()));
    }

    async fn publish(&mut self, program: &Program, app: &str, stream: &str, accepted: bool) {
        self.sent_in(app);
        self.sent_in(stream);
        let (mut publisher, answer) = Publisher::open(program.addr, app, stream).await;
        match answer {
            Answer::Published => publisher.send(&capture("ffmpeg_h264_only.flv")).await,
            Answer::Refused(code, description) => self.told.push(format!("{code} {description}")),
            Answer::Closed => panic!("closed without a word"),
        }
        assert_eq!(self.told.last().is_some_and(|told| told.starts_with("NetStream.Publish")), !accepted, "{stream}");
        publisher.finish().await;
        self.told.push(metrics(program.admin).await);
    }
}

/// The longest run of letters and digits: how a text is escaped does not matter to it.
fn core(text: &str) -> &str {
    let core = text.split(|c: char| !c.is_ascii_alphanumeric()).max_by_key(|run| run.len()).unwrap_or_default();
    assert!(core.len() >= 5, "{text} is too short to be looked for");
    core
}

/// Over RTMP: good, forged, out of date, with a token and with a wrong one, in either place of the URL.
async fn publish_in_every_way(wire: &mut Wire, program: &Program, (id, secret, token): (&str, &str, &str)) {
    let configuration = "<LiveChannelConfiguration><Target><Type>HLS</Type></Target></LiveChannelConfiguration>";
    program.client().put("/films/cam1?live", configuration).await.expect(200);
    let with_token = |token: &str| {
        publish_query(id, secret, "films", "cam1", FUTURE, &[("security-token".to_owned(), token.to_owned())])
    };
    wire.sent.push(token.to_owned());
    for (query, accepted) in [
        (signed_query("films", "cam1"), true),
        (with_token(token), true),
        (with_token("another-token"), false),
        (signed_query_until("films", "cam1", FUTURE, (KEY.0, "not the secret")), false),
        (signed_query_until("films", "cam1", PAST, KEY), false),
        (signed_query_until("films", "cam2", FUTURE, KEY), false),
        (signed_query_until("films", "cam1", FUTURE, ("nobody", KEY.1)), false),
    ] {
        wire.publish(program, "films/live", &format!("cam1?{query}"), accepted).await;
        wire.publish(program, &format!("films/live?{query}"), "cam1", accepted).await;
    }
    wire.right.push(hmac_sha1(KEY.1, &format!("{FUTURE}\n/films/cam1")));
}

const BOUNDARY: &str = "a-boundary-of-a-form";

/// Forms: a good one, and one whose signature was guessed.
async fn post_forms(wire: &mut Wire, program: &Program) {
    use base64::Engine;
    let policy = r#"{"expiration":"2096-10-02T07:06:40.000Z","conditions":[["starts-with","$key","posted"]]}"#;
    let policy = base64::engine::general_purpose::STANDARD.encode(policy);
    let right = hmac_sha1(KEY.1, &policy);
    for (id, signature, status) in [
        ("OSSAccessKeyId", right.clone(), 204),
        ("OSSAccessKeyId", hmac_sha1("not the secret", &policy), 403),
        ("AWSAccessKeyId", right.clone(), 204),
        ("AWSAccessKeyId", hmac_sha1("not the secret either", &policy), 403),
    ] {
        let mut body = String::new();
        let fields = [("key", "posted"), (id, KEY.0), ("policy", &policy), ("Signature", &signature)];
        for (name, value) in fields {
            let head = format!("Content-Disposition: form-data; name=\"{name}\"");
            body.push_str(&format!("--{BOUNDARY}\r\n{head}\r\n\r\n{value}\r\n"));
        }
        let head = "Content-Disposition: form-data; name=\"file\"; filename=\"f\"";
        body.push_str(&format!("--{BOUNDARY}\r\n{head}\r\n\r\ncontent\r\n--{BOUNDARY}--\r\n"));
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let posted = Client::anonymous(program.addr).send("POST", "/films/", &[("content-type", &kind)], body).await;
        let posted = posted.expect(status).text();
        if status == 403 {
            assert!(!posted.contains(core(&right)), "the right signature is told to one who guessed: {posted}");
        }
        wire.sent.push(signature);
    }
    // Whoever holds a policy with its signature can post.
    wire.sent.push(policy);
}

/// Signatures in the header, good and guessed, of both dialects.
async fn sign_heads(wire: &mut Wire, program: &Program) {
    let date = httpdate::fmt_http_date(std::time::SystemTime::now());
    let oss = |secret: &str| hmac_sha1(secret, &format!("GET\n\n\n{date}\n/films/k"));
    let amazon = |secret: &str| s3::Client::new(program.addr, (KEY.0, secret));
    let stamp = amazon(KEY.1).signer().timestamp;
    let v4 = |secret: &str| {
        let (signer, payload) = (amazon(secret).signer(), "UNSIGNED-PAYLOAD");
        let signer = s3::Signer { timestamp: stamp.clone(), ..signer };
        let host = program.addr.to_string();
        let headers = [("host", host.as_str()), ("x-amz-content-sha256", payload), ("x-amz-date", stamp.as_str())];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let signature = signer.signature("GET", "/films/k", &[], &headers, payload);
        let scope = format!("{}/{}/{}/s3/aws4_request", signer.access_key_id, &stamp[..8], signer.region);
        let names = "host;x-amz-content-sha256;x-amz-date";
        format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={signature}")
    };
    for (secret, status) in [(KEY.1, 200), ("not the secret", 403)] {
        let anonymous = amazon(secret);
        let v1 = format!("OSS {}:{}", KEY.0, oss(secret));
        let v2 = amazon(secret).authorization_v2("GET", "/films/k", &date);
        let v4_header = v4(secret);
        let sent =
            [("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), ("x-amz-date", &stamp), ("authorization", &v4_header)];
        for headers in [
            &[("date", date.as_str()), ("authorization", v1.as_str())][..],
            &[("date", date.as_str()), ("authorization", v2.as_str())],
            &sent,
        ] {
            let told = anonymous.send_unsigned("GET", "/films/k", headers, "").await.expect(status).text();
            let authorization = headers.last().expect("there").1;
            let signature = authorization.rsplit([':', '=']).find(|part| !part.is_empty()).expect("a signature");
            wire.sent.push(signature.to_owned());
            for right in [oss(KEY.1), v4(KEY.1).rsplit('=').next().expect("a signature").to_owned()] {
                let is_told = told.contains(core(&right));
                assert!(!is_told, "the right signature is told to one who guessed: {told}");
                wire.right.push(right);
            }
        }
    }
}

#[tokio::test]
async fn secrets_reach_no_log_no_error_and_no_metric() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = data(dir.path());
    let data = data.to_str().expect("UTF-8");
    let program = Program::start(dir.path(), &["--log-level", "trace,s3s=trace", "--master-key", MASTER_KEY]);
    let owner = program.client();
    owner.put("/films", "").await.expect(200);
    owner.put("/films/k", "text").await.expect(200);
    let made = run_ok(&["key", "create", "--data", data, "--account", "other"]);
    let (other_id, other_secret) = (field(&made, "access key"), field(&made, "secret key"));
    let made = run_ok(&["key", "session", "--data", data]);
    let (id, secret, token) = (field(&made, "access key"), field(&made, "secret key"), field(&made, "security token"));

    let mut wire = Wire::default();
    post_forms(&mut wire, &program).await;
    sign_heads(&mut wire, &program).await;
    publish_in_every_way(&mut wire, &program, (&id, &secret, &token)).await;
    let policy =
        r#"{"Version":"1","Statement":[{"Effect":"Deny","Principal":["other"],"Action":["*"],"Resource":["*"]}]}"#;
    owner.put("/films?policy", policy).await.expect(200);
    let held = [("x-oss-security-token", token.as_str())];
    let wrong = [("x-oss-security-token", "another-token")];
    for (id, secret) in [KEY, (&other_id, &other_secret), (&id, &secret), (&id, "a-guess"), ("nobody", "x")] {
        let client = Client::new(program.addr, (id, secret));
        for target in ["/films/k", "/films/none", "/films?policy", "/films?bucketInfo", "/none/k", "/"] {
            for headers in [&[][..], &wrong] {
                wire.told.push(client.send("GET", target, headers, "").await.text());
            }
            // The token goes back to whoever sent it, in what should have been signed; nowhere else.
            client.send("GET", target, &held, "").await;
        }
        let amazon = s3::Client::new(program.addr, (id, secret));
        for target in ["/films/k", "/films/none", "/films", "/none/k"] {
            wire.told.push(amazon.get(target).await.text());
            let url = amazon.presign("GET", target, 60);
            wire.sent_in(&url);
            wire.told.push(amazon.send_unsigned("GET", &url, &[], "").await.text());
        }
    }
    let url = run_ok(&["url", "object", "films", "k", "--data", data, "--endpoint", "http://127.0.0.1"]);
    let target = url.trim().strip_prefix("http://127.0.0.1").expect("the endpoint asked for");
    wire.sent_in(target);
    Client::anonymous(program.addr).get(target).await;
    let seen = metrics(program.admin).await;
    assert!(wire.told.iter().any(|text| text.contains("SignatureDoesNotMatch")) && wire.told.len() > 80);
    assert!(wire.sent.len() > 40 && seen.contains("livebucket_publish_refusals_total"), "{seen}");

    let (out, log) = program.terminate();
    assert!(log.contains("InvalidSecurityToken") && log.contains(&id), "it logs what happens: {log}");
    assert!(log.contains("publisher refused") && log.contains("PostObject"), "it logs what happens: {log}");
    let in_log = |hidden: &str| log.lines().find(|line| line.contains(hidden));
    for hidden in
        [KEY.1, &other_secret, &secret, &token, MASTER_KEY].into_iter().chain(wire.right.iter().map(|r| core(r)))
    {
        assert!(!wire.told.iter().any(|text| text.contains(hidden)), "{hidden} in an answer");
        assert!(!out.contains(hidden) && !seen.contains(hidden), "{hidden} on the standard output or in a metric");
        assert_eq!(in_log(hidden), None, "{hidden} in the log");
    }
    let said = |told: &&String| told.starts_with("NetStream.") || told.contains("livebucket_");
    for signature in &wire.sent {
        let hidden = core(signature);
        assert_eq!(in_log(hidden), None, "{hidden} opens what it signs");
        assert!(!seen.contains(hidden) && !out.contains(hidden), "{hidden} opens what it signs");
        assert_eq!(wire.told.iter().filter(said).find(|told| told.contains(hidden)), None, "{hidden}");
    }
}
