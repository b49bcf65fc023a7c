//! FLV tag bodies, as RTMP carries them: one body becomes a codec configuration, an access unit or nothing.
//!
//! Never keeps media, never decides about time: decode times come out as the source states them.
//! Adobe FLV 10.1 annex E.4.2 and E.4.3 (legacy forms); Enhanced RTMP v2, "Enhanced Audio" and "Enhanced Video".
//!
//! Deliberate absence: tracks other than 0, and enhanced messages that hold several tracks in one body.

use bytes::{BufMut, Bytes, BytesMut};

use super::cursor::OutOfBytes;
use super::{aac, h264};
use crate::media::{AacConfig, AccessUnit, AvcConfig, CodecConfig, MediaTime, SourceTime, Track};

mod file;
mod tag;

pub use file::{FlvTag, FlvTags, TagKind};
use tag::{AudioBody, VideoBody, read_audio_body, read_video_body};

/// Parameter sets and SEI that came in a body of their own are held for the next picture up to this many bytes; real
/// ones need a few hundred.
const HELD_BYTES_MAX: usize = 64 * 1024;

/// What one tag body is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlvEvent {
    /// A sequence header. The caller compares it with the one it has.
    Config(CodecConfig),
    /// One access unit.
    Unit(AccessUnit),
    /// One access unit that brings another configuration than the one in use (parameter sets; a stray ADTS header), and the
    /// configuration from it on.
    Reconfigured(CodecConfig, AccessUnit),
    /// An empty body, an end of sequence, an information frame, metadata, another track of a multitrack message, or
    /// NAL units without a picture (they go with the next one).
    Nothing,
}

/// Why a tag body is of no use. The reader goes on after each of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlvError {
    /// A video codec other than H.264. Holds its name.
    #[error("video codec {0} is not supported")]
    UnsupportedVideo(String),
    /// Audio other than AAC, or AAC that ADTS cannot express. Holds its name.
    #[error("audio codec {0} is not supported")]
    UnsupportedAudio(String),
    /// Media came before the sequence header, or the parameter sets, that explain it.
    #[error("media before its sequence header")]
    NoConfig,
    /// The body breaks its format.
    #[error("FLV tag body is malformed at byte {at}: {what}")]
    Malformed {
        /// Offset in the tag body.
        at: usize,
        /// What is wrong.
        what: &'static str,
    },
}

impl From<OutOfBytes> for FlvError {
    fn from(error: OutOfBytes) -> Self {
        FlvError::Malformed { at: error.at, what: "ends early" }
    }
}

/// Reads the tag bodies of one publisher. Keeps the last configuration and, of the media, only a bounded run of NAL units
/// that wait for their picture.
#[derive(Debug, Default)]
pub struct FlvReader {
    /// The parameter sets in use: those of the sequence header, replaced by what access units brought since.
    avc: Option<AvcConfig>,
    /// The last AVC sequence header, to tell a repeated one from a new one.
    avc_header: Bytes,
    /// `avc` was changed by an access unit, and the caller does not know it yet.
    reconfigured: bool,
    /// The configuration in use: the sequence header's, replaced by what ADTS headers before frames said since.
    aac: Option<AacConfig>,
    /// The last AAC sequence header, to tell a repeated one from a new one.
    aac_header: Bytes,
    /// What it says cannot be written.
    aac_refused: bool,
    /// Object type, frequency index and channels of the last ADTS header behind it. ADTS is compared with ADTS: where SBR is
    /// signalled, an AudioSpecificConfig may say something else of the same stream.
    adts: Option<(u8, u8, u8)>,
    /// AVCC bytes of NAL units that came without a picture.
    held: BytesMut,
}

impl FlvReader {
    /// Before the first sequence header.
    pub fn new() -> Self {
        FlvReader::default()
    }

    /// A video tag body with its timestamp in milliseconds.
    pub fn video(&mut self, timestamp: u32, body: &Bytes) -> Result<FlvEvent, FlvError> {
        match read_video_body(body)? {
            VideoBody::Nothing => Ok(FlvEvent::Nothing),
            VideoBody::Config { at } => self.video_config(body, at),
            VideoBody::Coded { at, keyframe, composition_millis } => {
                let composition_offset = MediaTime::from_millis(i64::from(composition_millis));
                self.picture(SourceTime::Rtmp(timestamp), composition_offset, keyframe, body, at)
            }
        }
    }

    /// An audio tag body with its timestamp in milliseconds.
    pub fn audio(&mut self, timestamp: u32, body: &Bytes) -> Result<FlvEvent, FlvError> {
        match read_audio_body(body)? {
            AudioBody::Nothing => Ok(FlvEvent::Nothing),
            AudioBody::Config { at } => self.audio_config(body, at),
            AudioBody::Coded { at } => self.audio_frame(SourceTime::Rtmp(timestamp), body, at),
        }
    }

    fn video_config(&mut self, body: &Bytes, at: usize) -> Result<FlvEvent, FlvError> {
        let record = body.slice(at..);
        self.held.clear();
        if let Some(config) = self.avc.as_ref().filter(|_| record == self.avc_header) {
            // Repeated at each key frame by some encoders; it does not take back what the pictures have brought.
            return Ok(FlvEvent::Config(CodecConfig::Avc(config.clone())));
        }
        let config = h264::parse_decoder_config(&record).map_err(|error| malformed(at, error))?;
        self.avc = Some(config.clone());
        self.avc_header = record;
        self.reconfigured = false;
        Ok(FlvEvent::Config(CodecConfig::Avc(config)))
    }

    fn picture(
        &mut self,
        time: SourceTime,
        composition_offset: MediaTime,
        keyframe: bool,
        body: &Bytes,
        at: usize,
    ) -> Result<FlvEvent, FlvError> {
        // Without a sequence header the picture may explain itself, in the framing that everybody uses.
        let nal_length_size = self.avc.as_ref().map_or(4, |config| config.nal_length_size);
        let unreadable = |error| if self.avc.is_some() { malformed(at, error) } else { FlvError::NoConfig };
        let mut payload = body.slice(at..);
        let facts = match h264::unit_facts(&payload, nal_length_size) {
            Err(h264::H264Error::AnnexB) => {
                // Hardware encoders that copy their byte stream into FLV as it is.
                payload = h264::annex_b_to_avcc(&payload, nal_length_size).map_err(unreadable)?;
                h264::unit_facts(&payload, nal_length_size)
            }
            facts => facts,
        }
        .map_err(unreadable)?;
        if facts.has_parameter_sets
            && let Some(config) = h264::adopt_parameter_sets(self.avc.as_ref(), &payload, nal_length_size)
        {
            self.avc = Some(config);
            self.reconfigured = true;
        }
        let Some(config) = &self.avc else { return Err(FlvError::NoConfig) };
        if !facts.has_slice {
            self.hold(&payload);
            return Ok(FlvEvent::Nothing);
        }
        // Every slice refers to a PPS; a header may leave them to the pictures.
        if config.pps.is_empty() {
            return Err(FlvError::NoConfig);
        }
        let config = std::mem::take(&mut self.reconfigured).then(|| CodecConfig::Avc(config.clone()));
        let payload = self.with_held(payload);
        let keyframe = keyframe || facts.has_idr;
        let unit = AccessUnit { track: Track::Video, time, composition_offset, keyframe, payload };
        Ok(match config {
            Some(config) => FlvEvent::Reconfigured(config, unit),
            None => FlvEvent::Unit(unit),
        })
    }

    /// Keeps NAL units without a picture for the next one: on their own they are no access unit, and a decoder that
    /// is given them as one complains. Beyond the bound they are forgotten.
    fn hold(&mut self, payload: &Bytes) {
        if self.held.len() + payload.len() <= HELD_BYTES_MAX {
            self.held.put_slice(payload);
        }
    }

    fn with_held(&mut self, payload: Bytes) -> Bytes {
        if self.held.is_empty() {
            return payload;
        }
        let mut joined = self.held.split();
        joined.put_slice(&payload);
        joined.freeze()
    }

    fn audio_config(&mut self, body: &Bytes, at: usize) -> Result<FlvEvent, FlvError> {
        let raw = body.slice(at..);
        if let Some(config) = self.aac.as_ref().filter(|_| raw == self.aac_header && !raw.is_empty()) {
            // Repeated at each key frame by some encoders; it does not take back what the frames have brought.
            return Ok(FlvEvent::Config(CodecConfig::Aac(config.clone())));
        }
        let adts = aac::config_from_adts(&raw);
        let said = adts.as_ref().map(adts_facts);
        let config = match adts {
            // Encoders that know ADTS only; no AudioSpecificConfig begins like that.
            Some(config) => Ok(config),
            None => aac::parse_audio_specific_config(&raw),
        };
        match config {
            Ok(config) => {
                (self.aac, self.aac_header, self.aac_refused) = (Some(config.clone()), raw, false);
                self.adts = said;
                Ok(FlvEvent::Config(CodecConfig::Aac(config)))
            }
            Err(aac::AacError::Malformed { at: inner, what }) => Err(FlvError::Malformed { at: at + inner, what }),
            Err(aac::AacError::Unsupported(name)) => {
                // Frames that follow belong to a configuration that cannot be written.
                (self.aac, self.aac_refused) = (None, true);
                Err(FlvError::UnsupportedAudio(name))
            }
        }
    }

    fn audio_frame(&mut self, time: SourceTime, body: &Bytes, at: usize) -> Result<FlvEvent, FlvError> {
        let header_bytes = aac::stray_adts_header_bytes(&body[at..]);
        let frame_at = at + header_bytes;
        let payload = body.slice(frame_at..);
        let is_explained = self.aac.is_some() || (header_bytes > 0 && !self.aac_refused);
        if !is_explained {
            return Err(FlvError::NoConfig);
        }
        if payload.is_empty() {
            return Ok(FlvEvent::Nothing);
        }
        if payload.len() > aac::FRAME_BYTES_MAX {
            return Err(FlvError::Malformed { at: frame_at, what: "AAC frame longer than ADTS can say" });
        }
        let config = aac::config_from_adts(&body[at..frame_at]).and_then(|config| self.adopt_adts(config));
        let composition_offset = MediaTime::ZERO;
        let unit = AccessUnit { track: Track::Audio, time, composition_offset, keyframe: false, payload };
        Ok(match config {
            Some(config) => FlvEvent::Reconfigured(CodecConfig::Aac(config), unit),
            None => FlvEvent::Unit(unit),
        })
    }

    /// What the ADTS header before a frame says, if it is news: there is no configuration yet, or the header before said
    /// otherwise.
    fn adopt_adts(&mut self, config: AacConfig) -> Option<AacConfig> {
        let said = adts_facts(&config);
        let before = self.adts.replace(said);
        let is_news = self.aac.is_none() || before.is_some_and(|before| before != said);
        is_news.then(|| self.aac.insert(config).clone())
    }
}

/// What an ADTS header can say.
fn adts_facts(config: &AacConfig) -> (u8, u8, u8) {
    (config.object_type, config.frequency_index, config.channel_configuration)
}

fn malformed(at: usize, error: h264::H264Error) -> FlvError {
    FlvError::Malformed { at: at + error.at(), what: error.what() }
}

#[cfg(test)]
mod tests;
