//! A publisher: plays the tags of an FLV capture over RTMP.

use std::net::SocketAddr;

use bytes::Bytes;
use livebucket::codec::rtmp::amf::AmfValue;
use livebucket::codec::rtmp::client::{ClientConfig, ClientEvent, ClientOutput, ClientPeer};
use livebucket::codec::rtmp::message::MediaKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::KEY;
use super::http::{connect, hmac_sha1};

/// One audio or video tag of a capture.
#[derive(Clone, Debug)]
pub struct Tag {
    pub kind: MediaKind,
    pub timestamp: u32,
    pub body: Bytes,
}

/// The media tags of a capture in `tests/golden/`.
pub fn capture(name: &str) -> Vec<Tag> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let file = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut tags = Vec::new();
    let mut rest = &file[9 + 4..];
    while rest.len() >= 11 {
        let number = |at: usize| u32::from_be_bytes([0, rest[at], rest[at + 1], rest[at + 2]]);
        let (size, timestamp) = (number(1) as usize, number(4) | u32::from(rest[7]) << 24);
        let body = Bytes::copy_from_slice(&rest[11..11 + size]);
        match rest[0] {
            8 => tags.push(Tag { kind: MediaKind::Audio, timestamp, body }),
            9 => tags.push(Tag { kind: MediaKind::Video, timestamp, body }),
            _ => {}
        }
        rest = &rest[11 + size + 4..];
    }
    tags
}

/// A signed query that is good for an hour.
pub fn signed_query(bucket: &str, channel: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    signed_query_until(bucket, channel, now as i64 + 3600, KEY)
}

/// A signed query, from the specification and not from the server's code.
pub fn signed_query_until(bucket: &str, channel: &str, expires: i64, key: (&str, &str)) -> String {
    let signature = hmac_sha1(key.1, &format!("{expires}\n/{bucket}/{channel}"));
    let signature = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    format!("OSSAccessKeyId={}&Expires={expires}&Signature={signature}", key.0)
}

/// How a publish was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Published,
    /// `onStatus` code and description.
    Refused(String, String),
    /// The socket closed without a word.
    Closed,
}

/// A publisher's socket.
pub struct Publisher {
    socket: TcpStream,
    peer: ClientPeer,
}

impl Publisher {
    /// Connects and asks to publish `stream` (name and query) to the application `app`.
    pub async fn open(addr: SocketAddr, app: &str, stream: &str) -> (Publisher, Answer) {
        Publisher::open_on(connect(addr).await, addr, app, stream).await
    }

    /// The same on a socket that is connected to `addr` already.
    pub async fn open_on(socket: TcpStream, addr: SocketAddr, app: &str, stream: &str) -> (Publisher, Answer) {
        let mut peer = ClientPeer::new(ClientConfig::default(), [7; 1528]);
        peer.publish(app, &format!("rtmp://{addr}/{app}"), stream);
        let mut publisher = Publisher { socket, peer };
        let answer = publisher.answer().await;
        (publisher, answer)
    }

    /// To `bucket`/`channel` with a good signature; must be accepted.
    pub async fn publish(addr: SocketAddr, bucket: &str, channel: &str) -> Publisher {
        let stream = format!("{channel}?{}", signed_query(bucket, channel));
        let (publisher, answer) = Publisher::open(addr, &format!("{bucket}/live"), &stream).await;
        assert_eq!(answer, Answer::Published);
        publisher
    }

    /// The next word of the server.
    pub async fn answer(&mut self) -> Answer {
        let mut buffer = vec![0u8; 64 * 1024];
        loop {
            if let Some(event) = self.flush().await {
                match event {
                    ClientEvent::Published { .. } => return Answer::Published,
                    ClientEvent::Refused { code, description, .. } => return Answer::Refused(code, description),
                    ClientEvent::Closed => return Answer::Closed,
                }
            }
            match self.socket.read(&mut buffer).await {
                Ok(0) | Err(_) => return Answer::Closed,
                Ok(count) => self.peer.feed(&buffer[..count]).expect("the server speaks RTMP"),
            }
        }
    }

    /// Sends tags as fast as the server takes them.
    pub async fn send(&mut self, tags: &[Tag]) {
        for tag in tags {
            self.peer.media(tag.kind, tag.timestamp, &tag.body).expect("short enough");
            // What the server says in between is read by `answer`.
            self.flush().await;
        }
    }

    /// Sends `onMetaData`.
    pub async fn metadata(&mut self, values: AmfValue) {
        self.peer.metadata(values).expect("short enough");
        self.flush().await;
    }

    /// Ends the publish in order.
    pub async fn finish(mut self) {
        self.peer.unpublish();
        self.flush().await;
        // Half closed, so that the server's last words do not meet a closed socket and reset what is on its way.
        let _ = self.socket.shutdown().await;
        let mut rest = Vec::new();
        let _ = self.socket.read_to_end(&mut rest).await;
    }

    async fn flush(&mut self) -> Option<ClientEvent> {
        while let Some(output) = self.peer.next_output() {
            match output {
                // A socket that the server has closed shows itself at the next read.
                ClientOutput::Send(bytes) => drop(self.socket.write_all(&bytes).await),
                ClientOutput::Event(event) => return Some(event),
            }
        }
        None
    }
}
