//! Lifecycle rules over the OSS dialect.

use super::harness::{Call, Running, Who};

const RULE: &str = "<Rule><ID>old</ID><Prefix>logs/</Prefix><Status>Enabled</Status>\
    <Expiration><Days>3</Days></Expiration></Rule>";

fn document(rules: &str) -> String {
    format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>")
}

#[tokio::test]
async fn lifecycle_rules_are_put_read_and_removed() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let get = || Call::new("GET", "/?lifecycle");
    let put = |rules: &str| Call::new("PUT", "/?lifecycle").body(document(rules)).md5();
    socket.call(get()).await.assert_error(404, "NoSuchLifecycle", None);
    socket.call(put(RULE)).await.assert_empty(200);
    assert!(socket.call(get()).await.text().ends_with(&document(RULE)));
    socket.call(put(&RULE.replace("<ID>old</ID>", ""))).await.assert_empty(200);
    assert_eq!(socket.call(get()).await.element("ID"), "rule-1", "an id is made up");
    for _ in 0..2 {
        socket.call(Call::new("DELETE", "/?lifecycle")).await.assert_empty(204);
    }
    socket.call(get()).await.assert_error(404, "NoSuchLifecycle", None);
}

#[tokio::test]
async fn rules_that_break_a_rule_leave_those_before() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let put = |body: String| Call::new("PUT", "/?lifecycle").body(body);
    socket.call(put(document(RULE))).await.assert_empty(200);
    let overlapping = document(&format!("{RULE}{}", RULE.replace("old", "new")));
    for (body, code) in [
        (document(""), "MalformedXML"),
        ("<Lifecycle/>".into(), "MalformedXML"),
        (document(&RULE.replace("<Days>3</Days>", "")), "MalformedXML"),
        (document(&RULE.replace(">3<", ">0<")), "InvalidArgument"),
        (document(&format!("{RULE}{RULE}")), "InvalidArgument"),
        (overlapping.clone(), "InvalidArgument"),
    ] {
        socket.call(put(body)).await.assert_error(400, code, None);
    }
    let none = RULE.replace("<Expiration><Days>3</Days></Expiration>", "");
    socket.call(put(document(&none))).await.assert_error(400, "InvalidArgument", None);
    assert!(socket.call(Call::new("GET", "/?lifecycle")).await.text().ends_with(&document(RULE)));
    let meant = put(overlapping).header("x-oss-allow-same-action-overlap", "true");
    socket.call(meant).await.assert_empty(200);
}

#[tokio::test]
async fn only_the_owner_reads_and_sets_rules() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    for who in [Who::Other, Who::Anonymous] {
        for method in ["GET", "PUT", "DELETE"] {
            let call = Call::new(method, "/?lifecycle").by(who).body(if method == "PUT" {
                document(RULE)
            } else {
                String::new()
            });
            socket.call(call).await.assert_error(403, "AccessDenied", None);
        }
    }
    socket.call(Call::new("GET", "/a?lifecycle")).await.assert_error(400, "InvalidArgument", None);
}
