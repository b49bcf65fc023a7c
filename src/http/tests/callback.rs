//! Upload callbacks over the wire, against an application of the test's own.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::form::Form;
use super::harness::{Call, Reply, Running};
use crate::clock::Clock;
use crate::limits;
use crate::store::digest::Crc64;
use crate::task::{Stop, TaskSet};

/// An application server on loopback: answers one connection after the other, keeps what it was sent.
struct Application {
    address: SocketAddr,
    stop: Stop,
    tasks: TaskSet,
    seen: Arc<Mutex<Vec<String>>>,
}

/// What it answers.
#[derive(Clone)]
enum Says {
    Bytes(String),
    /// It keeps the socket open and is silent.
    Nothing,
}

fn ok(body: &str) -> Says {
    Says::Bytes(format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

impl Application {
    async fn start(answers: impl IntoIterator<Item = Says>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (stop, tasks, seen) = (Stop::new(), TaskSet::new(), Arc::new(Mutex::new(Vec::new())));
        let mut answers: VecDeque<Says> = answers.into_iter().collect();
        let (stopping, heard) = (stop.clone(), seen.clone());
        tasks.spawn("test-application", async move {
            while let Some(answer) = answers.pop_front() {
                let accepted = tokio::select! {
                    biased;
                    () = stopping.pulled() => return,
                    accepted = listener.accept() => accepted,
                };
                let (mut stream, _) = accepted.expect("accepted");
                let request = read_request(&mut stream).await;
                heard.lock().expect("no panic").push(request);
                match answer {
                    Says::Bytes(bytes) => stream.write_all(bytes.as_bytes()).await.expect("written"),
                    Says::Nothing => stopping.pulled().await,
                }
            }
        });
        Application { address, stop, tasks, seen }
    }

    fn url(&self) -> String {
        format!("http://{}/cb?from=oss", self.address)
    }

    /// Everything it was sent.
    async fn end(self) -> Vec<String> {
        self.stop.pull();
        self.tasks.join().await;
        self.seen.lock().expect("no panic").clone()
    }
}

async fn read_request(stream: &mut tokio::net::TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
            if body.len() >= length.parse().expect("a number") {
                return text;
            }
        }
        assert!(stream.read_buf(&mut bytes).await.expect("readable") > 0, "closed in {text}");
    }
}

fn body_of(request: &str) -> &str {
    request.split_once("\r\n\r\n").expect("a head").1
}

/// The argument that asks for this.
fn configuration(url: &str, body: &str, more: &str) -> String {
    let body = serde_json::to_string(body).expect("text");
    BASE64.encode(format!("{{\"callbackUrl\":\"{url}\",\"callbackBody\":{body}{more}}}"))
}

const ALL: &str = "bucket=${bucket}&object=${object}&etag=${etag}&size=${size}&mimeType=${mimeType}&h=${imageInfo.height}\
                   &crc64=${crc64}&md5=${contentMd5}&vpc=${vpcId}&ip=${clientIp}&id=${reqId}&op=${operation}&v=${x:v}";

fn crc(bytes: &[u8]) -> u64 {
    let mut crc = Crc64::new();
    crc.update(bytes);
    crc.value()
}

#[tokio::test]
async fn an_application_is_told_of_a_put_and_its_answer_is_the_uploaders() {
    let running = Running::start().await;
    let app = Application::start([ok("{\"a\":\"b\"}"), ok("[]")]).await;
    let variables = BASE64.encode("{\"x:v\":\"1 & 2\"}");
    let put = || Call::new("PUT", "/a/b%20c.txt").header("Content-Type", "text/plain").body("hello");
    let call = put()
        .header("x-oss-callback", &configuration(&app.url(), ALL, ",\"callbackHost\":\"app.example\""))
        .header("x-oss-callback-var", &variables);
    let first = running.call(call).await;
    assert_eq!((first.status, first.text().as_str()), (200, "{\"a\":\"b\"}"));
    assert_eq!(first.header("content-type"), Some("application/json"));
    let etag = hex::encode_upper(Md5::digest(b"hello"));
    assert_eq!(first.header("etag"), Some(format!("\"{etag}\"").as_str()));

    // The same in the query, as a signed URL has it; a plus that was left as it is.
    let argument = percent_encoding::utf8_percent_encode(
        &configuration(
            &app.url(),
            "{\"o\":${object},\"s\":${size},\"q\":\"${x:v}>>>\"}",
            ",\"callbackBodyType\":\"application/json\"",
        ),
        percent_encoding::NON_ALPHANUMERIC,
    )
    .to_string()
    .replace("%2B", "+");
    assert!(argument.contains('+'), "{argument}");
    let target = format!("/k?callback={argument}&callback-var={}", variables.replace('=', "%3D"));
    let second = running.call(Call::new("PUT", &target).body("x")).await;
    assert_eq!((second.status, second.text().as_str()), (200, "[]"));

    let seen = app.end().await;
    assert_eq!(
        body_of(&seen[0]),
        format!(
            "bucket=examplebucket&object=a%2Fb%20c.txt&etag={etag}&size=5&mimeType=text%2Fplain&h=&crc64={}&\
             md5={}&vpc=&ip=127.0.0.1&id={}&op=PutObject&v=1%20%26%202",
            crc(b"hello"),
            percent_encoding::utf8_percent_encode(
                &BASE64.encode(Md5::digest(b"hello")),
                percent_encoding::NON_ALPHANUMERIC
            ),
            first.header("x-oss-request-id").expect("an id"),
        )
    );
    for line in [
        "POST /cb?from=oss HTTP/1.1\r\n",
        "host: app.example\r\n",
        "content-type: application/x-www-form-urlencoded\r\n",
        "user-agent: aliyun-oss-callback\r\n",
        "x-oss-tag: CALLBACK\r\n",
        "x-oss-bucket: examplebucket\r\n",
        &format!("x-oss-request-id: {}\r\n", first.header("x-oss-request-id").expect("an id")),
    ] {
        assert!(seen[0].contains(line), "{line:?} in {}", seen[0]);
    }
    assert_eq!(body_of(&seen[1]), "{\"o\":\"k\",\"s\":1,\"q\":\"1 & 2>>>\"}");
    assert!(seen[1].contains("content-type: application/json\r\n"));
}

#[tokio::test]
async fn a_form_and_a_completed_upload_call_back_too() {
    let running = Running::start().await;
    let app = Application::start([ok("{}"), ok("{}")]).await;
    let configuration =
        configuration(&app.url(), "${operation} ${object} ${size} ${mimeType} ${contentMd5} ${x:v}", "");
    let form = Form::default()
        .field("key", "form")
        .field("x:V", "from the form")
        .field("callback", &configuration)
        .field("success_action_redirect", "https://app.example/")
        .v1("")
        .file("f.jpg", b"jpeg");
    let reply = running.call(form.call()).await;
    assert_eq!((reply.status, reply.text().as_str(), reply.header("location")), (200, "{}", None));

    let begun = running.call(Call::new("POST", "/m?uploads").header("Content-Type", "video/mp2t")).await;
    let id = begun.element("UploadId");
    let part = Call::new("PUT", &format!("/m?partNumber=1&uploadId={id}")).header("x-oss-callback", "ignored here");
    running.call(part.body("part")).await.assert_empty(200);
    let complete = Call::new("POST", &format!("/m?uploadId={id}"))
        .header("x-oss-complete-all", "yes")
        .header("x-oss-callback", &configuration);
    let reply = running.call(complete).await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "{}"));
    assert!(reply.header("etag").is_some_and(|etag| etag.ends_with("-1\"")));

    let seen = app.end().await;
    let md5 =
        percent_encoding::utf8_percent_encode(&BASE64.encode(Md5::digest(b"jpeg")), percent_encoding::NON_ALPHANUMERIC)
            .to_string();
    assert_eq!(body_of(&seen[0]), format!("PostObject form 4 image%2Fjpeg {md5} from%20the%20form"));
    assert_eq!(body_of(&seen[1]), "CompleteMultipartUpload m 4 video%2Fmp2t  ");
}

fn put(url: &str) -> Call {
    Call::new("PUT", "/k").header("x-oss-callback", &configuration(url, "a=b", "")).body("new")
}

fn assert_failed(reply: &Reply, message: &str, ec: Option<&str>) {
    assert_eq!((reply.status, reply.element("Code").as_str()), (203, "CallbackFailed"), "{}", reply.text());
    assert_eq!((reply.element("Message").as_str(), reply.header("x-oss-ec")), (message, ec));
    assert_eq!(Some(reply.element("RequestId").as_str()), reply.header("x-oss-request-id"));
    assert!(reply.header("etag").is_some(), "it describes an object that is there");
}

#[tokio::test]
async fn a_callback_that_fails_is_told_and_the_object_stays() {
    let running = Running::start().await;
    let long = "9".repeat(limits::CALLBACK_ANSWER_BYTES_MAX + 1);
    let cannot = "Error status : 502.OSS can not connect to your callbackUrl, please check it.";
    for (answer, message, ec) in [
        (Says::Bytes("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}".into()), "Error status : 404.", None),
        (
            Says::Bytes("HTTP/1.1 301 Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n".into()),
            "Error status : 301.",
            None,
        ),
        (Says::Bytes("HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}".into()), "Error status : 201.", None),
        (ok("<html>"), "Response body is not valid json format.", Some("0007-00000205")),
        (ok(""), "Response body is not valid json format.", Some("0007-00000205")),
        (ok(&long), "Error Status : 400.User server return too long content-length value.", None),
        (Says::Bytes("no HTTP\r\n\r\n".into()), cannot, None),
    ] {
        let app = Application::start([answer]).await;
        assert_failed(&running.call(put(&app.url())).await, message, ec);
        assert_eq!(running.call(Call::new("GET", "/k")).await.body, b"new", "{message}");
        running.call(Call::new("DELETE", "/k")).await.assert_empty(204);
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a free port").local_addr().expect("bound");
    assert_failed(&running.call(put(&format!("http://{nobody}"))).await, cannot, None);

    let app = Application::start([Says::Nothing]).await;
    let url = app.url();
    let waiting = async {
        while app.seen.lock().expect("no panic").is_empty() {
            tokio::task::yield_now().await;
        }
        running.clock.advance(limits::CALLBACK_TIMEOUT);
    };
    let (reply, ()) = tokio::join!(running.call(put(&url)), waiting);
    assert_failed(&reply, "Cost too long time.", None);
    assert_eq!(running.call(Call::new("GET", "/k")).await.body, b"new");
    assert!(running.clock.monotonic().0 >= limits::CALLBACK_TIMEOUT);
}

#[tokio::test]
async fn urls_are_tried_in_order_until_one_agrees() {
    let running = Running::start().await;
    let refusing = Application::start([Says::Bytes("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n".into())]).await;
    let agreeing = Application::start([ok("1")]).await;
    let unasked = Application::start([ok("2")]).await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a free port").local_addr().expect("bound");
    let urls = format!("http://{nobody};{};{};{}", refusing.url(), agreeing.url(), unasked.url());
    let reply = running.call(put(&urls)).await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "1"));
    assert_eq!((refusing.end().await.len(), agreeing.end().await.len(), unasked.end().await.len()), (1, 1, 0));
}

#[tokio::test]
async fn a_callback_that_cannot_be_is_refused_before_anything_is_stored() {
    let running = Running::start().await;
    let valid = |url: &str| configuration(url, "a=b", "");
    for (header, ec) in [
        ("x123-*&".to_owned(), Some("0007-00000002")),
        (BASE64.encode("not json"), Some("0007-00000003")),
        (configuration("http://127.0.0.1:1/", "", ""), Some("0007-00000011")),
        (valid("www.callback-example.com:test"), Some("0007-00000004")),
        // Places that no rule of the test's own allows.
        (valid("http://10.0.0.1/"), Some("0007-00000008")),
        (valid("http://[::1]/"), Some("0007-00000008")),
        (valid("http://169.254.169.254/latest/meta-data"), Some("0007-00000008")),
        (valid("http://127.0.0.1:1/;http://192.168.0.1/"), Some("0007-00000008")),
    ] {
        let call = Call::new("PUT", "/k").header("x-oss-callback", &header).body("new");
        running.call(call).await.assert_error(400, "InvalidArgument", ec);
        let form = Form::default().field("key", "k").field("callback", &header).v1("").file("f", b"new");
        running.call(form.call()).await.assert_error(400, "InvalidArgument", ec);
        assert_eq!(running.call(Call::new("GET", "/k")).await.status, 404, "{header}");
    }
    // The body is not even asked for.
    let refused = put("http://10.0.0.1/").header("Expect", "100-continue").withhold_body();
    running.call(refused).await.assert_error(400, "InvalidArgument", Some("0007-00000008"));
    let wrong = put("http://127.0.0.1:1/").header("x-oss-callback-var", &BASE64.encode("{"));
    running.call(wrong).await.assert_error(400, "InvalidArgument", Some("0007-00000103"));
}

#[tokio::test]
async fn a_callback_elsewhere_is_not_lost_in_silence() {
    let running = Running::start().await;
    for call in [
        Call::new("POST", "/a?append&position=0").header("x-oss-callback", "e30="),
        Call::new("PUT", "/c").header("x-oss-copy-source", "/examplebucket/k").header("x-oss-callback", "e30="),
        Call::new("POST", "/a?append&position=0&callback=e30%3D"),
        Call::new("GET", "/k?callback=e30%3D"),
        Call::new("PUT", "/k?acl&callback=e30%3D"),
    ] {
        running.call(call).await.assert_error(501, "NotImplemented", None);
    }
}
