//! Encoders: real RTMP bytes over a socket in memory, with everything that encoders and networks do to a stream.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use livebucket::auth::rtmp_url::publish_query;
use livebucket::codec::rtmp::client::{ClientConfig, ClientEvent, ClientOutput, ClientPeer};
use livebucket::codec::rtmp::message::MediaKind;
use livebucket::limits;
use livebucket::rtmp::conn;
use livebucket::rtmp::server::RtmpDeps;
use livebucket::task::{Stop, TaskSet};
use tokio::io::AsyncWriteExt;

use crate::KEY;
use crate::chance::Chance;
use crate::socket::{End, Meter, pair};
use crate::world::{BEGIN, World};

/// 160 x 120, baseline.
const SPS: &[u8] =
    &[0x67, 0x42, 0xc0, 0x0a, 0xda, 0x0a, 0x3e, 0xc0, 0x44, 0, 0, 3, 0, 4, 0, 0, 3, 0, 0x78, 0x3c, 0x48, 0x9a, 0x80];
/// AAC-LC, 44.1 kHz, stereo.
const AUDIO_CONFIG: &[u8] = &[0x12, 0x10];
/// What a socket's buffers hold.
const WINDOW: usize = 128 * 1024;

/// A way into a process: its RTMP service, and the tasks of its sockets.
#[derive(Clone, Debug)]
pub struct Door {
    pub deps: Arc<RtmpDeps>,
    pub tasks: TaskSet,
    /// Pulled: nobody is let in.
    pub closed: Stop,
    pub stop: Stop,
}

/// Publishers on the air, for those who want to know how much of them was taken.
#[derive(Clone, Debug, Default)]
pub struct OnAir(Arc<Mutex<Vec<Meter>>>);

impl OnAir {
    fn add(&self, meter: Meter) {
        let mut meters = self.0.lock().expect("short");
        meters.retain(|meter| !meter.has_ended());
        meters.push(meter);
    }

    /// Those that are there, and how much was read of each.
    pub fn meters(&self) -> Vec<(Meter, u64)> {
        self.0.lock().expect("short").iter().map(|meter| (meter.clone(), meter.taken())).collect()
    }
}

/// One encoder, which comes again and again until all is quiet.
pub struct Encoder {
    pub world: Arc<World>,
    pub chance: Chance,
    pub doors: Vec<Door>,
    /// Bucket and channel, where it may publish.
    pub targets: Vec<(&'static str, &'static str)>,
    pub on_air: OnAir,
}

/// What one connection sends.
struct Stream {
    /// Milliseconds, as the encoder counts them.
    at_ms: u32,
    frame_ms: u32,
    /// Frames of a group of pictures.
    group: u32,
    frame: u32,
    picture_bytes: usize,
    video: bool,
    audio: bool,
    /// Which of several parameter sets is in force.
    config: u8,
}

/// How a connection ends that nothing else ended.
#[derive(Clone, Copy, Debug)]
enum Leave {
    Unpublish,
    HalfClose,
    Reset,
    Silence,
}

impl Encoder {
    pub async fn run(mut self) {
        while !self.world.is_quiet() {
            self.connect().await;
            let pause = self.chance.below(3_000);
            self.world.sleep_ms(pause).await;
        }
    }

    async fn connect(&mut self) {
        // The second door is another process, which is seldom asked.
        let door = self.doors[usize::from(self.doors.len() > 1 && self.chance.percent(12))].clone();
        if door.closed.is_pulled() {
            return;
        }
        let (bucket, channel) = *self.chance.pick(&self.targets);
        let port = self.world.fresh_port();
        let publisher: SocketAddr = ([192, 0, 2, 1], port).into();
        let (near, far) = pair(WINDOW);
        let stop = door.stop.clone();
        let deps = door.deps.clone();
        door.tasks.spawn("rtmp", async move { conn::serve(&deps, near, publisher, &stop).await });
        self.on_air.add(far.meter());
        let params: Vec<(String, String)> = match self.chance.percent(8) {
            true => vec![("playlistName".into(), "second.m3u8".into())],
            false => Vec::new(),
        };
        let expires = BEGIN.unix_seconds() + 10 * 365 * 86_400;
        let query = publish_query(KEY.0, KEY.1, bucket, channel, expires, &params);
        let chunk_size = *self.chance.pick(&[128, 1_000, 4_096, 60_000]);
        let mut peer = ClientPeer::new(ClientConfig { chunk_size, ..ClientConfig::default() }, [7; 1_528]);
        let app = format!("{bucket}/live");
        peer.publish(&app, &format!("rtmp://media.example.com/{app}"), &format!("{channel}?{query}"));
        let mut link = Link { world: self.world.clone(), peer, socket: far, publisher: publisher.to_string() };
        if link.begin().await {
            self.world.count("publishes");
            self.stream(&mut link).await;
        }
    }

    async fn stream(&mut self, link: &mut Link) {
        let mut stream = Stream::new(&mut self.chance);
        for (kind, tag) in stream.configs() {
            link.media(kind, stream.at_ms, &tag);
        }
        let batch_ms = *self.chance.pick(&[200, 500, 1_000]);
        // Most send as fast as time passes, some much faster: then it is the service that slows them.
        let hurry = if self.chance.percent(3) { 20 } else { 1 };
        let lasts_ms = 500 + self.chance.below(20_000) * hurry;
        let mut sent_ms = 0;
        while sent_ms < lasts_ms && !self.world.is_quiet() {
            for _ in 0..(batch_ms / stream.frame_ms as usize).max(1) {
                self.misbehave(&mut stream, link);
                stream.next_frame(&mut self.chance, link);
            }
            if !link.flush().await {
                return;
            }
            sent_ms += batch_ms;
            self.world.sleep_ms(batch_ms / hurry).await;
        }
        let leave =
            *self.chance.pick(&[Leave::Unpublish, Leave::Unpublish, Leave::HalfClose, Leave::Reset, Leave::Silence]);
        self.leave(link, leave).await;
    }

    /// Once in a while the source's clock jumps, or its parameters change.
    fn misbehave(&mut self, stream: &mut Stream, link: &mut Link) {
        if self.chance.below(400) == 0 {
            self.world.oracle().source_breaks(&link.publisher);
            let by = 11_000 + u32::try_from(self.chance.below(100_000)).expect("small");
            stream.at_ms = match self.chance.percent(50) {
                true => stream.at_ms.wrapping_add(by),
                false => stream.at_ms.wrapping_sub(by),
            };
            self.world.count("source jumps");
        }
        if self.chance.below(500) == 0 {
            self.world.oracle().source_breaks(&link.publisher);
            stream.config = stream.config.wrapping_add(1);
            for (kind, tag) in stream.configs() {
                link.media(kind, stream.at_ms, &tag);
            }
        }
    }

    async fn leave(&mut self, link: &mut Link, leave: Leave) {
        match leave {
            Leave::Unpublish => {
                link.peer.unpublish();
                if link.flush().await {
                    link.wait(Duration::from_secs(5), |event| *event == ClientEvent::Closed).await;
                }
            }
            Leave::HalfClose => {
                let _ = link.socket.shutdown().await;
                self.world.sleep_ms(1_000).await;
            }
            Leave::Reset => link.socket.reset(),
            // Longer than it is waited for.
            Leave::Silence => self.world.sleep(limits::RTMP_READ_TIMEOUT + Duration::from_secs(2)).await,
        }
    }
}

/// The encoder's end of a socket.
struct Link {
    world: Arc<World>,
    peer: ClientPeer,
    socket: End,
    /// Its address, as the service sees it.
    publisher: String,
}

impl Link {
    /// Until the publish is accepted. `false`: it is not.
    async fn begin(&mut self) -> bool {
        let word = self.wait(Duration::from_secs(70), |_| true).await;
        match word {
            Some(ClientEvent::Published { .. }) => true,
            Some(ClientEvent::Refused { description, .. }) => {
                self.world.say(format_args!("{} is refused: {description}", self.publisher));
                self.world.count("publishes refused");
                false
            }
            Some(ClientEvent::Closed) | None => false,
        }
    }

    fn media(&mut self, kind: MediaKind, at_ms: u32, tag: &[u8]) {
        self.peer.media(kind, at_ms, tag).expect("short enough");
    }

    /// Sends what there is to send, as long as the other side takes it within a minute and a half. `false`: it is over.
    async fn flush(&mut self) -> bool {
        let mut lasts = true;
        while let Some(output) = self.peer.next_output() {
            match output {
                ClientOutput::Send(bytes) => {
                    let patience = self.world.clock.clone();
                    let write = self.socket.write_all(&bytes);
                    let sent = livebucket::clock::timeout(&patience, Duration::from_secs(90), write).await;
                    lasts &= matches!(sent, Ok(Ok(())));
                }
                ClientOutput::Event(_) => lasts = false,
            }
        }
        match self.socket.arrived() {
            None => false,
            Some(bytes) if bytes.is_empty() => lasts,
            Some(bytes) => {
                self.peer.feed(&bytes).expect("the service speaks RTMP");
                let mut replies = Vec::new();
                while let Some(output) = self.peer.next_output() {
                    match output {
                        ClientOutput::Send(bytes) => replies.push(bytes),
                        ClientOutput::Event(_) => lasts = false,
                    }
                }
                for reply in replies {
                    lasts &= self.socket.write_all(&reply).await.is_ok();
                }
                lasts
            }
        }
    }

    /// The next word of the service that is `wanted`.
    async fn wait(&mut self, patience: Duration, wanted: impl Fn(&ClientEvent) -> bool) -> Option<ClientEvent> {
        let end = self.world.now() + patience;
        while self.world.now() < end {
            while let Some(output) = self.peer.next_output() {
                match output {
                    ClientOutput::Send(bytes) => self.socket.write_all(&bytes).await.ok()?,
                    ClientOutput::Event(event) if wanted(&event) => return Some(event),
                    ClientOutput::Event(_) => {}
                }
            }
            let bytes = self.socket.arrived()?;
            if bytes.is_empty() {
                self.world.sleep_ms(20).await;
            }
            self.peer.feed(&bytes).expect("the service speaks RTMP");
        }
        None
    }
}

impl Stream {
    fn new(chance: &mut Chance) -> Stream {
        let (video, audio) = *chance.pick(&[(true, true), (true, true), (true, false), (false, true)]);
        Stream {
            at_ms: *chance.pick(&[0, 0, 5_000, 0xff_0000, u32::MAX - 8_000]),
            frame_ms: *chance.pick(&[100, 125, 200]),
            group: *chance.pick(&[1, 5, 8, 10, 20]),
            frame: 0,
            picture_bytes: *chance.pick(&[300, 2_000, 6_000, 6_000, 12_000]),
            video,
            audio,
            config: 0,
        }
    }

    /// Sequence headers of what it has.
    fn configs(&self) -> Vec<(MediaKind, BytesMut)> {
        let mut configs = Vec::new();
        if self.video {
            let pps = [0x68, 0xce, 0x0f, 0xc8 ^ (self.config & 3)];
            let mut tag = BytesMut::from(&[0x17, 0, 0, 0, 0, 1, SPS[1], SPS[2], SPS[3], 0xff, 0xe1][..]);
            tag.put_u16(SPS.len() as u16);
            tag.put_slice(SPS);
            tag.put_u8(1);
            tag.put_u16(pps.len() as u16);
            tag.put_slice(&pps);
            configs.push((MediaKind::Video, tag));
        }
        if self.audio {
            let mut tag = BytesMut::from(&[0xaf, 0][..]);
            tag.put_slice(AUDIO_CONFIG);
            configs.push((MediaKind::Audio, tag));
        }
        configs
    }

    /// One picture and the sound that goes with it.
    fn next_frame(&mut self, chance: &mut Chance, link: &mut Link) {
        if self.audio {
            let steps = (self.frame_ms / 25).max(1);
            for step in 0..steps {
                let mut tag = BytesMut::from(&[0xaf, 1][..]);
                tag.put_bytes(0x21, 40);
                link.media(MediaKind::Audio, self.at_ms.wrapping_add(step * self.frame_ms / steps), &tag);
            }
        }
        if self.video {
            let keyframe = self.frame.is_multiple_of(self.group);
            link.media(MediaKind::Video, self.at_ms, &self.picture(chance, keyframe));
        }
        self.frame += 1;
        self.at_ms = self.at_ms.wrapping_add(self.frame_ms);
    }

    fn picture(&self, chance: &mut Chance, keyframe: bool) -> Bytes {
        let bytes = self.picture_bytes / if keyframe { 1 } else { 2 };
        let mut tag = BytesMut::with_capacity(bytes + 16);
        tag.put_slice(&[if keyframe { 0x17 } else { 0x27 }, 1, 0, 0, 0]);
        tag.put_u32(bytes as u32);
        tag.put_u8(if keyframe { 0x65 } else { 0x41 });
        // Bytes that are found again in no other picture, and no start code among them.
        tag.put_bytes(0x40 | chance.below(64) as u8, bytes - 1);
        tag.freeze()
    }
}
