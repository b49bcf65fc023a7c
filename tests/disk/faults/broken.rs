//! `EIO`: the call that meets it fails precisely and alone; nothing that was not acknowledged is there, all that was is.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Bed, code};
use crate::fault::{Effect, Fault, Kind};
use crate::support::http::connect;

fn broken(kinds: &[Kind]) -> Fault {
    Fault::new(kinds, Effect::Errno(libc::EIO))
}

/// Each step of a blob on its way.
const STEPS: &[Kind] = &[Kind::Create, Kind::Write, Kind::Sync, Kind::SyncDirectory];

#[tokio::test]
async fn a_body_that_cannot_be_written_is_refused_with_503_and_the_next_is_taken() {
    let bed = Bed::start().await;
    let (oss, s3) = (bed.oss(), bed.s3());
    oss.put("/films/k", vec![1u8; 200_000]).await.expect(200);
    for step in STEPS {
        let before = bed.faults("blobs", "io").await;
        let fault = bed.watch.inject(broken(&[*step]).on(|path| path.starts_with("data/blobs")));
        let refused = oss.put("/films/k", vec![2u8; 200_000]).await.expect(503);
        assert_eq!((code(&refused.text()), refused.header("retry-after")), ("ServiceUnavailable", "1"), "{step:?}");
        let refused = s3.put("/films/k", vec![2u8; 200_000]).await.expect(503);
        assert_eq!((code(&refused.text()), refused.header("retry-after")), ("SlowDown", "1"), "{step:?}");
        assert!(fault.hits() >= 2, "{step:?}");
        assert!(bed.faults("blobs", "io").await >= before + 2.0, "{step:?}");
        assert_eq!(oss.get("/films/k").await.expect(200).body, vec![1u8; 200_000], "{step:?}: as it was");
        assert_eq!(bed.blob_lengths(), [200_000], "{step:?}: nothing of the refused ones is left");
        fault.lift();
    }
    oss.put("/films/k", vec![3u8; 200_000]).await.expect(200);
    assert_eq!(s3.get("/films/k").await.expect(200).body, vec![3u8; 200_000]);
    bed.restart_and_check().await;
}

/// After a commit whose write or sync failed the object is the old or the new one, whole; so it is after a restart.
#[tokio::test]
async fn a_commit_that_cannot_be_written_is_refused_with_503_and_the_next_is_taken() {
    let bed = Bed::start().await;
    let oss = bed.oss();
    for (kind, number) in [(Kind::Write, 0u8), (Kind::Sync, 1), (Kind::Write, 2), (Kind::Sync, 3)] {
        let key = format!("/films/{number}");
        oss.put(&key, vec![number; 1_000]).await.expect(200);
        let before = bed.faults("metadata", "io").await;
        let fault = bed.watch.inject(broken(&[kind]).on(|path| path.ends_with("meta.db-wal")).times(1));
        let length = if number < 2 { 500 } else { 200_000 };
        let refused = oss.put(&key, vec![number + 100; length]).await.expect(503).text();
        assert_eq!(code(&refused), "ServiceUnavailable", "{kind:?}");
        assert_eq!(fault.hits(), 1, "{kind:?}");
        assert!(bed.faults("metadata", "io").await > before, "{kind:?}");
        assert_eq!(oss.get(&key).await.expect(200).body, vec![number; 1_000], "{kind:?}: as it was");
        oss.put(&format!("{key}-next"), "taken").await.expect(200);
        drop(fault);
    }
    let Bed { watch, server } = bed;
    let crate::support::Server { service, dir } = server;
    service.stop().await;
    let server = super::serve(dir).await;
    for number in 0u8..4 {
        let body = server.client().get(&format!("/films/{number}")).await.expect(200).body;
        assert!(body.iter().all(|byte| *byte == body[0]) && [number, number + 100].contains(&body[0]), "{number}");
        server.client().get(&format!("/films/{number}-next")).await.expect(200);
    }
    server.stop_and_check().await;
    drop(watch);
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_503_or_a_cut_transfer_and_never_other_bytes() {
    let bed = Bed::start().await;
    let (oss, s3) = (bed.oss(), bed.s3());
    let body: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
    oss.put("/films/k", body.clone()).await.expect(200);
    oss.send("PUT", "/films?acl", &[("x-oss-acl", "public-read")], "").await.expect(200);
    let blobs = |path: &str| path.starts_with("data/blobs/");

    let before = bed.faults("blobs", "io").await;
    let fault = bed.watch.inject(broken(&[Kind::Read]).on(blobs));
    let refused = oss.get("/films/k").await.expect(503);
    assert_eq!((code(&refused.text()), refused.header("retry-after")), ("ServiceUnavailable", "1"));
    assert_eq!(code(&s3.get("/films/k").await.expect(503).text()), "SlowDown");
    assert!(bed.faults("blobs", "io").await >= before + 2.0);
    // No byte of the body is needed for these.
    oss.head("/films/k").await.expect(200);
    oss.get("/films").await.expect(200);
    fault.lift();

    // In mid-body there is no status left to say it with: the transfer ends short of its length.
    let fault = bed.watch.inject(broken(&[Kind::Read]).on(blobs).after(3));
    let addr = bed.server.addr();
    let mut socket = connect(addr).await;
    let head = format!("GET /films/k HTTP/1.1\r\nHost: {addr}\r\n\r\n");
    socket.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    // A reset is as good as an end.
    let _ = socket.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    let at = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let got = &answer[at..];
    assert!(got.len() < body.len() && got == &body[..got.len()], "{} bytes", got.len());
    assert!(fault.hits() > 0);
    fault.lift();
    // The client goes on where it was cut off.
    let range = format!("bytes={}-", got.len());
    let rest = oss.send("GET", "/films/k", &[("range", &range)], "").await.expect(206).body;
    assert_eq!([got, &rest].concat(), body);
    assert_eq!(s3.get("/films/k").await.expect(200).body, body);
    bed.restart_and_check().await;
}

/// SQLite reports a page that cannot be read as a damaged one, unless it is the first that a connection reads.
#[tokio::test]
async fn metadata_that_cannot_be_read_is_an_error_until_it_can() {
    let bed = Bed::start().await;
    let (oss, s3) = (bed.oss(), bed.s3());
    oss.put("/films/k", "hello").await.expect(200);
    oss.put("/films/warm", "x").await.expect(200);
    oss.get("/films/warm").await.expect(200);
    // What a reader remembers of the file is outdated by this; of the object nobody has read anything yet.
    oss.put("/films/other", "x").await.expect(200);
    let count = async || bed.faults("metadata", "corrupt").await + bed.faults("metadata", "io").await;
    let before = count().await;
    let fault = bed.watch.inject(broken(&[Kind::Read]).on(|path| path.starts_with("data/meta.db")));
    for (answer, unavailable) in
        [(oss.get("/films/k").await, "ServiceUnavailable"), (s3.get("/films/k").await, "SlowDown")]
    {
        let said = (answer.status, code(&answer.text()).to_owned());
        assert!([(500, "InternalError".into()), (503, unavailable.into())].contains(&said), "{said:?}");
    }
    assert!(count().await >= before + 2.0);
    fault.lift();
    assert_eq!(oss.get("/films/k").await.expect(200).text(), "hello");
    assert_eq!(s3.get("/films/other").await.expect(200).text(), "x");
    bed.restart_and_check().await;
}
