//! Lifecycle rules from end to end: put over either dialect, carried out by the running service.

use std::time::Duration;

use crate::support::Server;

/// A pass every second.
async fn start() -> Server {
    Server::start_with(|settings| settings.lifecycle_interval = Some(1)).await
}

fn expiring(prefix: &str) -> String {
    format!(
        "<LifecycleConfiguration><Rule><ID>past</ID><Filter><Prefix>{prefix}</Prefix></Filter><Status>Enabled</Status>\
         <Expiration><Date>2020-01-01T00:00:00.000Z</Date></Expiration></Rule></LifecycleConfiguration>"
    )
}

#[tokio::test]
async fn what_is_past_its_date_ends_and_the_rest_stays() {
    let server = start().await;
    let (oss, s3) = (server.client(), server.s3());
    s3.put("/films", "").await.expect(200);
    for key in ["/films/old/1", "/films/old/2", "/films/kept"] {
        s3.put(key, "x".repeat(100_000)).await.expect(200);
    }
    s3.put("/films?lifecycle", expiring("old/")).await.expect(200);
    for _ in 0..200 {
        if s3.get("/films/old/1").await.status == 404 && s3.get("/films/old/2").await.status == 404 {
            break;
        }
        pause().await;
    }
    s3.get("/films/old/1").await.expect(404);
    s3.get("/films/old/2").await.expect(404);
    oss.get("/films/kept").await.expect(200);
    server.stop_and_check().await;
}

#[allow(clippy::disallowed_methods, reason = "the service under test runs on the machine's clock")]
async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn rules_read_back_over_both_dialects() {
    let server = Server::start().await;
    let (oss, s3) = (server.client(), server.s3());
    s3.put("/films", "").await.expect(200);
    let missing = s3.get("/films?lifecycle").await.expect(404).text();
    assert!(missing.contains("<Code>NoSuchLifecycleConfiguration</Code>"), "{missing}");
    s3.put("/films?lifecycle", expiring("old/")).await.expect(200);
    let over_s3 = s3.get("/films?lifecycle").await.expect(200).text();
    assert!(over_s3.contains("<Filter><Prefix>old/</Prefix></Filter>"), "{over_s3}");
    assert!(over_s3.contains("<Date>2020-01-01T00:00:00.000Z</Date>"), "{over_s3}");
    let over_oss = oss.get("/films?lifecycle").await.expect(200).text();
    assert!(over_oss.contains("<ID>past</ID><Prefix>old/</Prefix><Status>Enabled</Status>"), "{over_oss}");

    for (rule, code) in [
        ("<Rule><ID>a</ID><Prefix/><Status>Enabled</Status></Rule>", "InvalidRequest"),
        (
            "<Rule><ID>a</ID><Filter><Prefix>a/</Prefix><And><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>\
             <Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>",
            "MalformedXML",
        ),
        ("<Rule><ID>a</ID><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>", "MalformedXML"),
        (
            "<Rule><ID>a</ID><Prefix/><Status>Enabled</Status><Expiration><Days>0</Days></Expiration></Rule>",
            "InvalidArgument",
        ),
        (
            "<Rule><ID>a</ID><Prefix/><Status>Enabled</Status><Expiration><Date>2020-01-01T05:00:00Z</Date></Expiration></Rule>",
            "InvalidArgument",
        ),
    ] {
        let document = format!("<LifecycleConfiguration>{rule}</LifecycleConfiguration>");
        let refused = s3.put("/films?lifecycle", document).await.expect(400).text();
        assert!(refused.contains(&format!("<Code>{code}</Code>")), "{rule}: {refused}");
    }
    s3.send("DELETE", "/films?lifecycle", &[], "").await.expect(204);
    s3.get("/films?lifecycle").await.expect(404);
    server.stop_and_check().await;
}
