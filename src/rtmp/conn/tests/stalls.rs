//! Stores and disks that are slow or stall: the publisher waits, and is told in its time.

use super::*;
use crate::store::blob::faulty::{BlobCall, BlobFault};

#[tokio::test]
async fn a_slow_store_stops_the_reading_of_the_socket() {
    let bed = Bed::new().await;
    let (tasks, stop) = (TaskSet::new(), Stop::new());
    let mut encoder = Encoder::dial(&bed, &tasks, &stop);
    encoder.publish_signed().await;
    encoder.audio(0, 20).await;
    let stall = bed.meta.stall(MetaCall::CommitFragment);
    let (mut ms, mut body) = (20, vec![0x21; 200]);
    body[..2].copy_from_slice(&[0xaf, 0x01]);
    loop {
        encoder.peer.media(MediaKind::Audio, ms, &body).expect("short");
        let Some(ClientOutput::Send(bytes)) = encoder.peer.next_output() else { panic!("bytes to send") };
        let mut write = Box::pin(encoder.stream.write_all(&bytes));
        if poll_immediate(&mut write).await.is_none() {
            settle().await;
            if poll_immediate(&mut write).await.is_none() {
                // The pump no longer reads. Once the store answers it does.
                drop(stall);
                write.await.expect("the pump reads");
                break;
            }
        }
        ms += 20;
        assert!(ms < 600_000, "nothing pushes back");
    }
    encoder.peer.unpublish();
    encoder.flush().await;
    settle().await;
    drop(encoder);
    tasks.join().await;
    let outcome = bed.check_media().await;
    assert_eq!(outcome.faults, []);
    assert_eq!(bed.history().await[0].cause, Some(TerminationCause::Unpublished));
}

/// Sends video until the pump no longer reads; the write that does not fit.
async fn flood(encoder: &mut Encoder<DuplexStream>) {
    let mut body = vec![0x5a; 4_000];
    body[..10].copy_from_slice(&[0xaf, 1, 0x21, 0, 0, 0, 0, 0, 0, 0]);
    encoder.tag(MediaKind::Audio, 0, AAC_CONFIG).await;
    for ms in (0..600_000).step_by(20) {
        encoder.peer.media(MediaKind::Audio, ms, &body).expect("short");
        let Some(ClientOutput::Send(bytes)) = encoder.peer.next_output() else { panic!("bytes to send") };
        let mut write = Box::pin(encoder.stream.write_all(&bytes));
        if poll_immediate(&mut write).await.is_none() {
            settle().await;
            if poll_immediate(&mut write).await.is_none() {
                return;
            }
        }
    }
    panic!("nothing pushes back");
}

#[tokio::test]
async fn a_stalled_disk_stops_the_reading_and_ends_the_stream_at_the_limit() {
    let bed = Bed::with(100).await;
    let (tasks, stop) = (TaskSet::new(), Stop::new());
    let mut encoder = Encoder::dial(&bed, &tasks, &stop);
    encoder.publish_signed().await;
    bed.blobs.on(BlobCall::Append, 1, BlobFault::Stall);
    flood(&mut encoder).await;
    // The encoder waits, and is not the one that is silent.
    bed.advance(limits::STORE_STALL - Duration::from_secs(1)).await;
    assert!(bed.registry.stat(bed.bucket.id, &channel()).is_some());
    bed.advance(Duration::from_secs(1)).await;
    encoder.ended_with(FAILED, "InternalError: ").await;
    drop(encoder);
    bed.advance(limits::STORE_STALL).await;
    tasks.join().await;
    assert_eq!(bed.history().await[0].cause, Some(TerminationCause::StorageError));
    assert_eq!(bed.object("playlist.m3u8").await, None, "never list what was not stored");
    accepted(&bed, "live", TC_URL, &format!("ch?{}", signed(&[]))).await;
}

#[tokio::test]
async fn disabling_is_told_at_once_also_while_the_disk_stalls() {
    let bed = Bed::with(100).await;
    let (tasks, stop) = (TaskSet::new(), Stop::new());
    let mut encoder = Encoder::dial(&bed, &tasks, &stop);
    encoder.publish_signed().await;
    bed.blobs.on(BlobCall::Append, 1, BlobFault::Stall);
    flood(&mut encoder).await;
    bed.registry.disconnect(bed.bucket.id, &channel(), TerminationCause::Disabled);
    encoder.ended_with(DENIED, "LiveChannelDisabled").await;
    bed.blobs.release();
    drop(encoder);
    tasks.join().await;
    assert_eq!(bed.history().await[0].cause, Some(TerminationCause::Disabled));
}
