//! What the kernel alone costs: `floor ADDRESS DIRECTORY [--tick MS] [--read KIB] [--fsync] [--mux]` takes publishers, reads
//! their bytes and writes them to files as they are. Nothing can be cheaper that does the job with `read` and `write`, so the
//! difference between this and the service, measured by the same `livebucket bench ingest`, is what the service adds.
//!
//! With a tick one thread reads all sockets at each, into one buffer, and writes what each gave at once. `--tick 0` reads each
//! socket on a thread of its own as fast as it goes. A file takes six seconds of a publisher of the bench, then comes the next.
//!
//! With `--mux` what is written are the transport packets and their checksum is made: all that a frame must go through, on one
//! thread, without tasks, locks, metadata or syncs. So it says what any other way of handing frames on could save at most.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use livebucket::codec::flv::{FlvEvent, FlvReader};
use livebucket::codec::mpegts::mux::TsMuxer;
use livebucket::codec::rtmp::message::MediaKind;
use livebucket::codec::rtmp::{Output, PeerEvent, PeerLimits, ServerPeer};
use livebucket::media::{AacConfig, AccessUnit, AvcConfig, CodecConfig, MediaTime, SourceTime, Track};
use livebucket::store::digest::Crc64;

/// Six seconds at 2.63 Mbit/s.
const FILE_BYTES: usize = 1_970_000;

struct Arguments {
    address: String,
    directory: PathBuf,
    tick: Duration,
    read_bytes: usize,
    fsync: bool,
    mux: bool,
}

impl Arguments {
    fn parse() -> Option<Self> {
        // cargo adds an option of its own.
        let mut given = std::env::args().skip(1).filter(|argument| argument != "--bench");
        let (address, directory) = (given.next()?, given.next()?.into());
        let mut arguments = Arguments {
            address,
            directory,
            tick: Duration::from_millis(100),
            read_bytes: 256 * 1024,
            fsync: false,
            mux: false,
        };
        while let Some(option) = given.next() {
            match option.as_str() {
                "--tick" => arguments.tick = Duration::from_millis(given.next()?.parse().ok()?),
                "--read" => arguments.read_bytes = given.next()?.parse::<usize>().ok()? * 1024,
                "--fsync" => arguments.fsync = true,
                "--mux" => arguments.mux = true,
                _ => return None,
            }
        }
        Some(arguments)
    }
}

/// One socket and the file that its bytes go to.
struct Publisher {
    stream: TcpStream,
    file: File,
    in_file: usize,
    name: String,
    files: usize,
    /// With `--mux`.
    frames: Option<Frames>,
}

/// The way of a publisher's frames into transport packets.
struct Frames {
    peer: ServerPeer,
    flv: FlvReader,
    video: Option<AvcConfig>,
    audio: Option<AacConfig>,
    muxer: TsMuxer,
    packets: BytesMut,
    checksum: Crc64,
    begun: bool,
}

impl Frames {
    fn new(peer: ServerPeer) -> Self {
        Frames {
            peer,
            flv: FlvReader::new(),
            video: None,
            audio: None,
            muxer: TsMuxer::new(),
            packets: BytesMut::new(),
            checksum: Crc64::new(),
            begun: false,
        }
    }

    /// Takes what was read; the packets that came of it stand in `packets`.
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.packets.clear();
        self.peer.feed(bytes).map_err(io::Error::other)?;
        while let Some(output) = self.peer.next_output() {
            let Output::Event(PeerEvent::Media { kind, timestamp, payload, .. }) = output else { continue };
            let event = match kind {
                MediaKind::Video => self.flv.video(timestamp, &payload),
                MediaKind::Audio => self.flv.audio(timestamp, &payload),
            };
            match event.map_err(io::Error::other)? {
                FlvEvent::Config(CodecConfig::Avc(config)) => self.video = Some(config),
                FlvEvent::Config(CodecConfig::Aac(config)) => self.audio = Some(config),
                FlvEvent::Unit(unit) | FlvEvent::Reconfigured(_, unit) => self.write(&unit),
                FlvEvent::Nothing => {}
            }
        }
        self.checksum.update(&self.packets);
        Ok(())
    }

    fn write(&mut self, unit: &AccessUnit) {
        let SourceTime::Rtmp(millis) = unit.time else { return };
        let dts = MediaTime::from_millis(i64::from(millis) + 10_000);
        if !std::mem::replace(&mut self.begun, true) {
            self.muxer.begin_fragment(&mut self.packets, true, true);
        }
        match (unit.track, &self.video, &self.audio) {
            (Track::Video, Some(config), _) => {
                let pts = dts + unit.composition_offset;
                let _ = self.muxer.video(&mut self.packets, dts, pts, unit.keyframe, &unit.payload, config);
            }
            (Track::Audio, _, Some(config)) => self.muxer.audio(&mut self.packets, dts, &unit.payload, config),
            _ => {}
        }
    }
}

impl Publisher {
    /// Answers whatever the publisher asks for until it may send media.
    fn accept(mut stream: TcpStream, number: usize, arguments: &Arguments) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let mut peer = ServerPeer::new(PeerLimits::default(), [0; 1528]);
        let mut buffer = [0; 4096];
        loop {
            while let Some(output) = peer.next_output() {
                match output {
                    Output::Send(bytes) => stream.write_all(&bytes)?,
                    Output::Event(PeerEvent::PublishRequested { stream_id, .. }) => {
                        peer.accept_publish(stream_id, "publish");
                        while let Some(Output::Send(bytes)) = peer.next_output() {
                            stream.write_all(&bytes)?;
                        }
                        let name = number.to_string();
                        let file = File::create(arguments.directory.join(format!("{name}-0")))?;
                        // Files end at different times, as fragments do.
                        let in_file = number * 9_850 % FILE_BYTES;
                        let frames = arguments.mux.then(|| Frames::new(peer));
                        return Ok(Publisher { stream, file, in_file, name, files: 0, frames });
                    }
                    Output::Event(_) => {}
                }
            }
            let length = stream.read(&mut buffer)?;
            if length == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            peer.feed(&buffer[..length]).map_err(io::Error::other)?;
        }
    }

    /// One read and one write; `false` at the end of the stream.
    fn pass(&mut self, buffer: &mut [u8], arguments: &Arguments) -> io::Result<bool> {
        let length = match self.stream.read(buffer) {
            Ok(0) => return Ok(false),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
            Err(error) => return Err(error),
        };
        match &mut self.frames {
            None => self.file.write_all(&buffer[..length])?,
            Some(frames) => {
                frames.take(&buffer[..length])?;
                self.file.write_all(&frames.packets)?;
            }
        }
        self.in_file += length;
        if self.in_file >= FILE_BYTES {
            if arguments.fsync {
                self.file.sync_data()?;
            }
            self.files += 1;
            self.in_file = 0;
            self.file = File::create(arguments.directory.join(format!("{}-{}", self.name, self.files)))?;
        }
        Ok(true)
    }
}

#[allow(clippy::disallowed_methods, reason = "a program that measures reads the clock and waits")]
fn tick(listener: &TcpListener, arguments: &Arguments) -> io::Result<()> {
    let mut buffer = vec![0; arguments.read_bytes];
    let mut publishers: Vec<Publisher> = Vec::new();
    let mut accepted = 0;
    listener.set_nonblocking(true)?;
    let mut next = Instant::now();
    loop {
        while let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(false)?;
            accepted += 1;
            // One that only looks whether somebody listens is none.
            let Ok(publisher) = Publisher::accept(stream, accepted, arguments) else { continue };
            publisher.stream.set_nonblocking(true)?;
            publishers.push(publisher);
        }
        let mut ended = Vec::new();
        for (n, publisher) in publishers.iter_mut().enumerate() {
            if !publisher.pass(&mut buffer, arguments)? {
                ended.push(n);
            }
        }
        for n in ended.into_iter().rev() {
            publishers.swap_remove(n);
        }
        // Accepting is quick while nobody publishes.
        next += if publishers.is_empty() { Duration::from_millis(1) } else { arguments.tick };
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

#[allow(clippy::disallowed_methods, reason = "one thread a socket is the point")]
fn flat_out(listener: &TcpListener, arguments: &Arguments) -> io::Result<()> {
    std::thread::scope(|scope| {
        for number in 1.. {
            let (stream, _) = listener.accept()?;
            scope.spawn(move || -> io::Result<()> {
                let mut buffer = vec![0; arguments.read_bytes];
                let mut publisher = Publisher::accept(stream, number, arguments)?;
                while publisher.pass(&mut buffer, arguments)? {}
                Ok(())
            });
        }
        Ok(())
    })
}

fn main() -> io::Result<()> {
    let Some(arguments) = Arguments::parse() else {
        // `cargo bench` runs every bench without arguments.
        return Ok(());
    };
    std::fs::create_dir_all(&arguments.directory)?;
    let listener = TcpListener::bind(&arguments.address)?;
    if arguments.tick.is_zero() { flat_out(&listener, &arguments) } else { tick(&listener, &arguments) }
}
