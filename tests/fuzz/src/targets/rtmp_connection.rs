//! A whole RTMP connection: handshake, messages on interleaved chunk streams and bare bytes, cut anywhere, with answers
//! to publish given at any time; then the FLV bodies. What comes out keeps the peer's promises.

use crate::chunks::{Act, Script};
use crate::source::LIMITS;
use crate::{Choices, pieces};
use livebucket::codec::flv::FlvReader;
use livebucket::codec::rtmp::{MediaKind, Output, PeerEvent, ServerPeer};

/// The far end's own view of what it was told.
#[derive(Default)]
struct Far {
    /// Streams that asked and were not answered.
    asked: Vec<u32>,
    publishing: Option<u32>,
    flv: FlvReader,
}

impl Far {
    fn drain(&mut self, peer: &mut ServerPeer) {
        while let Some(output) = peer.next_output() {
            let Output::Event(event) = output else { continue };
            match event {
                PeerEvent::Connected(_) => {}
                PeerEvent::PublishRequested { stream_id, .. } => {
                    assert!(self.asked.is_empty() && self.publishing.is_none(), "one stream of a socket at a time");
                    self.asked.push(stream_id);
                }
                PeerEvent::Media { stream_id, kind, timestamp, payload } => {
                    assert_eq!(self.publishing, Some(stream_id), "media of the accepted publish only");
                    let _ = match kind {
                        MediaKind::Video => self.flv.video(timestamp, &payload),
                        MediaKind::Audio => self.flv.audio(timestamp, &payload),
                    };
                }
                PeerEvent::Metadata { stream_id, values } => {
                    assert!(self.publishing == Some(stream_id) && values.members().is_some());
                }
                PeerEvent::Unpublished { stream_id } => {
                    assert_eq!(self.publishing.take(), Some(stream_id), "once for each accepted publish");
                }
            }
        }
    }

    fn answer(&mut self, peer: &mut ServerPeer, choice: u8) {
        match (self.asked.pop(), self.publishing) {
            (Some(stream_id), _) if choice & 7 == 7 => {
                peer.refuse_publish(stream_id, "NetStream.Publish.BadName", "no")
            }
            (Some(stream_id), _) => {
                self.publishing = Some(stream_id);
                self.flv = FlvReader::new();
                peer.accept_publish(stream_id, "yes");
            }
            (None, Some(stream_id)) if choice & 7 == 7 => {
                self.publishing = None;
                peer.revoke_publish(stream_id, "NetStream.Publish.Rejected", "no longer");
            }
            // Nobody asked: without effect.
            _ => peer.accept_publish(u32::from(choice), "what?"),
        }
    }
}

/// Takes one input.
pub fn run(input: &[u8]) {
    let mut choices = Choices(input);
    let (mut peer, mut far) = (ServerPeer::new(LIMITS, [7; 1528]), Far::default());
    let mut script = Script::new(&mut choices, "ch?x=1");
    while let Some(act) = script.next(&mut choices) {
        match act {
            Act::Send { seed, bytes } => {
                for piece in pieces(seed, &bytes) {
                    let fed = peer.feed(piece);
                    far.drain(&mut peer);
                    if fed.is_err() {
                        assert_eq!(fed, peer.feed(b"more"), "an error is final");
                        return;
                    }
                }
            }
            Act::Answer(choice) => {
                far.answer(&mut peer, choice);
                far.drain(&mut peer);
            }
        }
    }
}
