//! What must not be told is not told: secrets and tokens are in no log line, no error and no metric, whatever goes wrong.

use super::support::http::exchange;
use super::support::program::{Program, data, run_ok};
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

#[tokio::test]
async fn secrets_reach_no_log_no_error_and_no_metric() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = data(dir.path());
    let data = data.to_str().expect("UTF-8");
    let program = Program::start(dir.path(), &["--log-level", "trace"]);
    let owner = program.client();
    owner.put("/films", "").await.expect(200);
    owner.put("/films/k", "text").await.expect(200);
    let made = run_ok(&["key", "create", "--data", data, "--account", "other"]);
    let (other_id, other_secret) = (field(&made, "access key"), field(&made, "secret key"));
    let made = run_ok(&["key", "session", "--data", data]);
    let (id, secret, token) = (field(&made, "access key"), field(&made, "secret key"), field(&made, "security token"));

    let (mut told, mut signatures) = (Vec::new(), Vec::new());
    let policy =
        r#"{"Version":"1","Statement":[{"Effect":"Deny","Principal":["other"],"Action":["*"],"Resource":["*"]}]}"#;
    owner.put("/films?policy", policy).await.expect(200);
    let held = [("x-oss-security-token", token.as_str())];
    let wrong = [("x-oss-security-token", "another-token")];
    for (id, secret) in [KEY, (&other_id, &other_secret), (&id, &secret), (&id, "a-guess"), ("nobody", "x")] {
        let client = Client::new(program.addr, (id, secret));
        for target in ["/films/k", "/films/none", "/films?policy", "/films?bucketInfo", "/none/k", "/"] {
            for headers in [&[][..], &wrong] {
                told.push(client.send("GET", target, headers, "").await.text());
            }
            // The token goes back to whoever sent it, in what should have been signed; nowhere else.
            client.send("GET", target, &held, "").await;
        }
        let amazon = s3::Client::new(program.addr, (id, secret));
        for target in ["/films/k", "/films/none", "/films", "/none/k"] {
            told.push(amazon.get(target).await.text());
            let url = amazon.presign("GET", target, 60);
            signatures.push(url.rsplit('=').next().expect("a signature").to_owned());
            told.push(amazon.send_unsigned("GET", &url, &[], "").await.text());
        }
    }
    let url = run_ok(&["url", "object", "films", "k", "--data", data, "--endpoint", "http://127.0.0.1"]);
    let target = url.trim().strip_prefix("http://127.0.0.1").expect("the endpoint asked for");
    signatures.extend(target.split("ignature=").nth(1).map(|rest| rest.split('&').next().unwrap_or(rest).to_owned()));
    Client::anonymous(program.addr).get(target).await;
    told.push(metrics(program.admin).await);
    assert!(told.iter().any(|text| text.contains("SignatureDoesNotMatch")) && told.len() > 60);

    let (out, log) = program.terminate();
    assert!(log.contains("InvalidSecurityToken") && log.contains(&id), "it logs what happens: {log}");
    for hidden in [KEY.1, &other_secret, &secret, &token] {
        assert!(!told.iter().any(|text| text.contains(hidden)), "{hidden} in an answer");
        assert!(!out.contains(hidden), "{hidden} on the standard output");
        assert_eq!(log.lines().find(|line| line.contains(hidden)), None, "{hidden} in the log");
    }
    for signature in signatures {
        assert_eq!(log.lines().find(|line| line.contains(&signature)), None, "a signature opens what it signs");
    }
}
