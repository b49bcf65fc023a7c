//! The handshake: three blocks each way before the first chunk (5.2), in its simple and its digest form.
//!
//! The digest form is not in the specification. Flash Player 9 brought it, and ffmpeg and Flash ask for it: C1 hides
//! an HMAC-SHA256 of itself at a place that four of its own bytes name, and the answer proves knowledge of the other
//! side's key. The keys are public, so it authenticates nothing; it is spoken because senders hang up without it.
//! Both schemes (digest in the first or in the second half) are understood, and the answer uses the sender's scheme.
//!
//! What the other side sends in its last block (C2, S2) is skipped unread: senders get it wrong without harm.
//! No RTMPE: TLS is the encryption here.

use bytes::{BufMut, BytesMut};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{Fault, RtmpError};

/// Bytes of C1, C2, S1 and S2.
pub const BLOCK_BYTES: usize = 1536;
/// Random bytes in a block, behind time and version.
pub const RANDOM_BYTES: usize = BLOCK_BYTES - 8;
const VERSION: u8 = 3;
const DIGEST_BYTES: usize = 32;
const SIGNED_BYTES: usize = BLOCK_BYTES - DIGEST_BYTES;

const SERVER_NAME: &[u8] = b"Genuine Adobe Flash Media Server 001";
const CLIENT_NAME: &[u8] = b"Genuine Adobe Flash Player 001";
/// Follows either name in the key that signs the last block.
const KEY_TAIL: [u8; 32] = [
    0xf0, 0xee, 0xc2, 0x4a, 0x80, 0x68, 0xbe, 0xe8, 0x2e, 0x00, 0xd0, 0xd1, 0x02, 0x9e, 0x7e, 0x57, 0x6e, 0xec, 0x5d,
    0x2d, 0x29, 0x80, 0x6f, 0xab, 0x93, 0xb8, 0xe6, 0x36, 0xcf, 0xeb, 0x31, 0xae,
];
/// ffmpeg takes a server whose version begins with less than 3 for one without digests.
const SERVER_VERSION: [u8; 4] = [4, 5, 0, 1];
/// A Flash Player that knows digests (9 or later).
const CLIENT_VERSION: [u8; 4] = [9, 0, 124, 2];

type Block = [u8; BLOCK_BYTES];
type Digest = [u8; DIGEST_BYTES];

/// Which half of a block holds the digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    First,
    Second,
}

impl Scheme {
    const BOTH: [Scheme; 2] = [Scheme::First, Scheme::Second];

    /// Where this scheme puts the digest of `block`.
    fn digest_at(self, block: &Block) -> usize {
        let pointer = match self {
            Scheme::First => 8,
            Scheme::Second => 772,
        };
        let sum: usize = block[pointer..pointer + 4].iter().map(|&byte| usize::from(byte)).sum();
        pointer + 4 + sum % 728
    }
}

fn hmac_sha256(key: &[u8], parts: [&[u8]; 2]) -> Digest {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// The digest of `block`, computed over everything but the place where it stands.
fn digest_of(block: &Block, at: usize, key: &[u8]) -> Digest {
    hmac_sha256(key, [&block[..at], &block[at + DIGEST_BYTES..]])
}

/// The scheme and the digest of a block that the owner of `key` made; `None`: a simple handshake.
fn find_digest(block: &Block, key: &[u8]) -> Option<(Scheme, Digest)> {
    Scheme::BOTH.into_iter().find_map(|scheme| {
        let at = scheme.digest_at(block);
        let digest = digest_of(block, at, key);
        (block[at..at + DIGEST_BYTES] == digest).then_some((scheme, digest))
    })
}

/// C1 or S1. Without a scheme the version is zero, which is how a simple handshake is told.
fn first_block(random: &[u8; RANDOM_BYTES], digest: Option<(Scheme, [u8; 4], &[u8])>) -> Block {
    let mut block = [0; BLOCK_BYTES];
    block[8..].copy_from_slice(random);
    if let Some((scheme, version, key)) = digest {
        block[4..8].copy_from_slice(&version);
        let at = scheme.digest_at(&block);
        let digest = digest_of(&block, at, key);
        block[at..at + DIGEST_BYTES].copy_from_slice(&digest);
    }
    block
}

/// C2 or S2 of a digest handshake: random bytes, signed with a key made of the other side's digest.
fn signed_block(random: &[u8; RANDOM_BYTES], digest: &Digest, name: &[u8]) -> Block {
    let key = hmac_sha256(&[name, &KEY_TAIL].concat(), [digest, &[]]);
    let mut block = [0; BLOCK_BYTES];
    block[..SIGNED_BYTES].copy_from_slice(&random[..SIGNED_BYTES]);
    let signature = hmac_sha256(&key, [&block[..SIGNED_BYTES], &[]]);
    block[SIGNED_BYTES..].copy_from_slice(&signature);
    block
}

/// Collects one version byte and one block from any split, then counts off another block.
#[derive(Debug)]
struct Incoming {
    first: Vec<u8>,
    skipped: usize,
}

enum Step {
    NeedMore,
    FirstBlock(Box<Block>),
    Complete,
}

impl Incoming {
    fn new() -> Self {
        Incoming { first: Vec::with_capacity(1 + BLOCK_BYTES), skipped: 0 }
    }

    fn read(&mut self, input: &mut &[u8]) -> Result<Step, RtmpError> {
        let missing = 1 + BLOCK_BYTES - self.first.len();
        if missing > 0 {
            let (taken, rest) = input.split_at(missing.min(input.len()));
            *input = rest;
            self.first.extend_from_slice(taken);
            check_version(self.first.first().copied())?;
            if taken.len() < missing {
                return Ok(Step::NeedMore);
            }
            let block = self.first[1..].try_into().expect("a whole block was collected");
            return Ok(Step::FirstBlock(Box::new(block)));
        }
        let skip = (BLOCK_BYTES - self.skipped).min(input.len());
        *input = &input[skip..];
        self.skipped += skip;
        Ok(if self.skipped == BLOCK_BYTES { Step::Complete } else { Step::NeedMore })
    }
}

fn check_version(version: Option<u8>) -> Result<(), RtmpError> {
    let fault = match version {
        None | Some(VERSION) => return Ok(()),
        // 6 is RTMPE; 8 and 9 are its later variants.
        Some(version @ (6 | 8 | 9)) => Fault::Encrypted(version),
        Some(version) => Fault::Version(version),
    };
    Err(RtmpError { at: 0, fault })
}

/// The server's side.
#[derive(Debug)]
pub struct ServerHandshake {
    incoming: Incoming,
    random: Box<[u8; RANDOM_BYTES]>,
}

impl ServerHandshake {
    /// Waits for C0.
    pub fn new(random: [u8; RANDOM_BYTES]) -> Self {
        ServerHandshake { incoming: Incoming::new(), random: Box::new(random) }
    }

    /// Takes what belongs to the handshake off `input`; `true` when it is over. S0, S1 and S2 are written at once,
    /// when C1 is complete: S1 depends on it, and three small writes would each wait for an acknowledgement.
    pub fn read(&mut self, input: &mut &[u8], out: &mut BytesMut) -> Result<bool, RtmpError> {
        loop {
            match self.incoming.read(input)? {
                Step::NeedMore => return Ok(false),
                Step::FirstBlock(c1) => self.answer(&c1, out),
                Step::Complete => return Ok(true),
            }
        }
    }

    fn answer(&self, c1: &Block, out: &mut BytesMut) {
        out.reserve(1 + 2 * BLOCK_BYTES);
        out.put_u8(VERSION);
        match find_digest(c1, CLIENT_NAME) {
            Some((scheme, digest)) => {
                out.put_slice(&first_block(&self.random, Some((scheme, SERVER_VERSION, SERVER_NAME))));
                out.put_slice(&signed_block(&self.random, &digest, SERVER_NAME));
            }
            None => {
                out.put_slice(&first_block(&self.random, None));
                // An exact copy: librtmp compares all of it, the time that the specification would have changed too.
                out.put_slice(c1);
            }
        }
    }
}

/// The client's side.
#[derive(Debug)]
pub struct ClientHandshake {
    incoming: Incoming,
    random: Box<[u8; RANDOM_BYTES]>,
    digest: bool,
}

impl ClientHandshake {
    /// With `digest`, as ffmpeg and Flash do it; without, as OBS and the specification.
    pub fn new(random: [u8; RANDOM_BYTES], digest: bool) -> Self {
        ClientHandshake { incoming: Incoming::new(), random: Box::new(random), digest }
    }

    /// Writes C0 and C1.
    pub fn start(&self, out: &mut BytesMut) {
        let digest = self.digest.then_some((Scheme::First, CLIENT_VERSION, CLIENT_NAME));
        out.put_u8(VERSION);
        out.put_slice(&first_block(&self.random, digest));
    }

    /// Takes what belongs to the handshake off `input`; `true` when it is over. C2 is written when S1 is complete.
    pub fn read(&mut self, input: &mut &[u8], out: &mut BytesMut) -> Result<bool, RtmpError> {
        loop {
            match self.incoming.read(input)? {
                Step::NeedMore => return Ok(false),
                Step::FirstBlock(s1) => match find_digest(&s1, SERVER_NAME).filter(|_| self.digest) {
                    Some((_, digest)) => out.put_slice(&signed_block(&self.random, &digest, CLIENT_NAME)),
                    None => out.put_slice(&s1[..]),
                },
                Step::Complete => return Ok(true),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(seed: u8) -> [u8; RANDOM_BYTES] {
        std::array::from_fn(|index| (index as u8).wrapping_mul(31).wrapping_add(seed))
    }

    fn c0_c1(scheme: Option<Scheme>) -> Vec<u8> {
        let digest = scheme.map(|scheme| (scheme, CLIENT_VERSION, CLIENT_NAME));
        [&[VERSION][..], &first_block(&random(7), digest)].concat()
    }

    fn block(bytes: &[u8]) -> Block {
        bytes.try_into().expect("1536 bytes")
    }

    #[test]
    fn simple_handshake_is_answered_with_an_exact_copy() {
        let sent = c0_c1(None);
        let (mut server, mut out) = (ServerHandshake::new(random(1)), BytesMut::new());
        assert_eq!(server.read(&mut &sent[..], &mut out), Ok(false));
        assert_eq!(out.len(), 1 + 2 * BLOCK_BYTES);
        assert_eq!(out[0], 3);
        assert_eq!(out[1..9], [0; 8]);
        assert_eq!(out[1 + BLOCK_BYTES..], sent[1..]);
    }

    #[test]
    fn digest_handshake_is_answered_in_its_own_scheme_and_signed() {
        for scheme in Scheme::BOTH {
            let sent = c0_c1(Some(scheme));
            let (mut server, mut out) = (ServerHandshake::new(random(1)), BytesMut::new());
            assert_eq!(server.read(&mut &sent[..], &mut out), Ok(false));
            let s1 = block(&out[1..1 + BLOCK_BYTES]);
            assert_eq!(find_digest(&s1, SERVER_NAME).map(|found| found.0), Some(scheme));
            assert!(s1[4] >= 3, "ffmpeg expects a version that knows digests");
            let c1 = block(&sent[1..]);
            let (_, digest) = find_digest(&c1, CLIENT_NAME).expect("we wrote one");
            let s2 = block(&out[1 + BLOCK_BYTES..]);
            assert_eq!(s2, signed_block(&random(1), &digest, SERVER_NAME));
            assert_ne!(s2, c1);
        }
    }

    /// RFC 4231, test case 1, in two parts.
    #[test]
    fn hmac_matches_the_published_vector() {
        let mac = hmac_sha256(&[0x0b; 20], [b"Hi ", b"There"]);
        assert_eq!(hex::encode(mac), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    }

    #[test]
    fn every_split_gives_the_same_answer() {
        let mut sent = c0_c1(Some(Scheme::Second));
        sent.extend_from_slice(&[0xAA; BLOCK_BYTES]);
        sent.extend_from_slice(b"chunks");
        let whole = {
            let (mut server, mut out, mut input) = (ServerHandshake::new(random(1)), BytesMut::new(), &sent[..]);
            assert_eq!(server.read(&mut input, &mut out), Ok(true));
            assert_eq!(input, b"chunks");
            out
        };
        for cut in 0..1 + 2 * BLOCK_BYTES {
            let (mut server, mut out) = (ServerHandshake::new(random(1)), BytesMut::new());
            let (mut head, mut tail) = sent.split_at(cut);
            assert_eq!(server.read(&mut head, &mut out), Ok(false), "cut at {cut}");
            assert!(head.is_empty());
            assert_eq!(out.is_empty(), cut < 1 + BLOCK_BYTES, "nothing is said before C1 is complete");
            assert_eq!(server.read(&mut tail, &mut out), Ok(true));
            assert_eq!((tail, &out), (&b"chunks"[..], &whole));
        }
    }

    #[test]
    fn both_peers_agree_in_both_forms() {
        for digest in [false, true] {
            let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
            let mut client = ClientHandshake::new(random(9), digest);
            let mut server = ServerHandshake::new(random(1));
            client.start(&mut up);
            assert_eq!(server.read(&mut &up.split()[..], &mut down), Ok(false));
            assert_eq!(client.read(&mut &down.split()[..], &mut up), Ok(true));
            assert_eq!(up.len(), BLOCK_BYTES);
            assert_eq!(server.read(&mut &up.split()[..], &mut down), Ok(true));
            assert!(down.is_empty());
        }
    }

    /// A foreign implementation, for want of Flash Player: its digests and signatures are not ours.
    #[test]
    fn a_foreign_client_and_a_foreign_server_complete() {
        use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
        let mut foreign = Handshake::new(PeerType::Client);
        let mut server = ServerHandshake::new(random(1));
        let mut out = BytesMut::new();
        let sent = foreign.generate_outbound_p0_and_p1().expect("C0 and C1");
        assert!(find_digest(&block(&sent[1..]), CLIENT_NAME).is_some());
        assert_eq!(server.read(&mut &sent[..], &mut out), Ok(false));
        let HandshakeProcessResult::Completed { response_bytes, .. } = foreign.process_bytes(&out).expect("our answer")
        else {
            panic!("the foreign client still waits");
        };
        assert_eq!(server.read(&mut &response_bytes[..], &mut out), Ok(true));

        let mut foreign = Handshake::new(PeerType::Server);
        let mut client = ClientHandshake::new(random(9), true);
        let (mut up, mut c2) = (BytesMut::new(), BytesMut::new());
        client.start(&mut up);
        let HandshakeProcessResult::InProgress { response_bytes } = foreign.process_bytes(&up).expect("our C1") else {
            panic!("complete without C2");
        };
        let (_, digest) = find_digest(&block(&up[1..]), CLIENT_NAME).expect("we wrote one");
        let s2 = block(&response_bytes[1 + BLOCK_BYTES..]);
        let key = hmac_sha256(&[SERVER_NAME, &KEY_TAIL].concat(), [&digest, &[]]);
        assert_eq!(s2[SIGNED_BYTES..], hmac_sha256(&key, [&s2[..SIGNED_BYTES], &[]]));
        assert_eq!(client.read(&mut &response_bytes[..], &mut c2), Ok(true));
        assert!(matches!(foreign.process_bytes(&c2), Ok(HandshakeProcessResult::Completed { .. })));
    }

    #[test]
    fn other_versions_are_refused_by_name() {
        for (version, fault) in
            [(6, Fault::Encrypted(6)), (8, Fault::Encrypted(8)), (0, Fault::Version(0)), (b'G', Fault::Version(b'G'))]
        {
            let refused = ServerHandshake::new(random(1)).read(&mut &[version][..], &mut BytesMut::new());
            assert_eq!(refused, Err(RtmpError { at: 0, fault }));
        }
    }
}
