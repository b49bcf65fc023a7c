//! `x-oss-process=hls/sign`: a private playlist whose fragments are signed as its own URL was, so that a player which
//! knows nothing of signatures plays it.
//!
//! Same key, same expiry, same method, same scheme (V1, V2 or V4); only what the URL names differs. The stored text is kept
//! line by line, because a playlist may hold tags that this service has never heard of.

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::header::{self, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

use super::accept::{Caller, SECURITY_TOKEN_ARGUMENTS, SignaturePlace, credential, security_token};
use super::class;
use super::error::OssError;
use super::object;
use super::operation::Query;
use super::route::{names_sub_resource, object_key};
use super::service::Ask;
use crate::auth::{SignedRequest, oss_v1, oss_v2, oss_v4};
use crate::http::body::Content;
use crate::http::server::Answer;
use crate::limits;
use crate::store::{ObjectKey, ObjectRecord};

const TOKEN_HEADER: &str = "x-oss-hls-sign-token";
const TOKEN_CHARS_MAX: usize = 100;

pub(super) async fn get_signed_playlist(ask: &Ask<'_>, key: &ObjectKey) -> Result<Answer, OssError> {
    let bucket = ask.accepted.existing_bucket()?;
    let (access_key_id, place) = url_signature(&ask.accepted.caller)?;
    check_token(ask)?;
    if !key.as_bytes().ends_with(b".m3u8") {
        return Err(OssError::playlist_name_without_suffix());
    }
    let object = object::readable(ask, bucket, key).await?;
    class::check_readable(ask, &object)?;
    if object.size > limits::HLS_SIGN_BYTES_MAX {
        return Err(OssError::playlist_too_big());
    }
    let text = read_text(ask, &object).await?;
    // It signed this request a moment ago; if it has gone since, it signs nothing more.
    let token = security_token(&ask.head.headers, &ask.accepted.query);
    let secret = credential(ask.deps.meta.as_ref(), access_key_id, token, ask.now).await?.secret;

    let signer = Signer { access_key_id, secret: &secret, bucket: bucket.name.as_str(), place, token };
    let signed = rewrite(&text, key.as_bytes(), |key, query| signer.query(key, query))?;
    let mut answer = Answer::empty(StatusCode::OK);
    object::describe(&object, false, &mut answer.headers);
    class::describe(&object, ask.now, &mut answer.headers);
    // These speak of the stored bytes, which are not the ones sent.
    for name in ["etag", "accept-ranges", "x-oss-hash-crc64ecma", "x-oss-next-append-position"] {
        answer.headers.remove(HeaderName::from_static(name));
    }
    if !answer.headers.contains_key(header::CACHE_CONTROL) {
        // The signatures are one client's; nobody else's cache may keep them.
        answer.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
    answer.content = Content::Bytes(signed);
    Ok(answer)
}

/// Who signed this request's URL, and how.
fn url_signature(caller: &Caller) -> Result<(&str, &SignaturePlace), OssError> {
    match caller {
        Caller::Key { access_key_id, signature, .. } if *signature != SignaturePlace::Header => {
            Ok((access_key_id, signature))
        }
        _ => Err(OssError::hls_sign_needs_url_signature()),
    }
}

/// The token only has to be well formed: it is the client's own mark.
fn check_token(ask: &Ask<'_>) -> Result<(), OssError> {
    let Some(token) = ask.header(TOKEN_HEADER) else { return Ok(()) };
    let known = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    if token.len() > TOKEN_CHARS_MAX || !token.bytes().all(known) {
        return Err(OssError::invalid_hls_sign_token(&token));
    }
    Ok(())
}

async fn read_text(ask: &Ask<'_>, object: &ObjectRecord) -> Result<Bytes, OssError> {
    let mut body = ask.deps.objects.read(object, 0..object.size);
    let mut text = BytesMut::new();
    while let Some(piece) = body.next().await.map_err(|error| ask.key_error(error, &object.key))? {
        text.extend_from_slice(&piece);
    }
    Ok(text.freeze())
}

/// Renews a URL signature for another key of the bucket.
struct Signer<'a> {
    access_key_id: &'a str,
    secret: &'a str,
    bucket: &'a str,
    place: &'a SignaturePlace,
    /// A temporary credential's token: each fragment's URL needs it as well.
    token: Option<&'a [u8]>,
}

impl Signer<'_> {
    /// The whole query of a fragment's URL: what it had, and the signature.
    fn query(&self, key: &[u8], query: &Query) -> Result<String, OssError> {
        let [v4, v1] = SECURITY_TOKEN_ARGUMENTS;
        let name = if matches!(self.place, SignaturePlace::UrlV1 { .. }) { v1 } else { v4 };
        let token = self.token.filter(|token| !token.is_empty());
        let token = token.map(|token| (name.as_bytes().to_vec(), token.to_vec()));
        let query: Vec<_> = query.pairs().iter().cloned().chain(token).collect();
        let request = SignedRequest { method: "GET", bucket: Some(self.bucket), key, headers: &[], query: &query };
        match self.place {
            SignaturePlace::UrlV1 { expires } => {
                Ok(oss_v1::sign_url_query(&request, self.access_key_id, self.secret, *expires))
            }
            SignaturePlace::UrlV2 { expires } => {
                Ok(oss_v2::sign_url_query(&request, self.access_key_id, self.secret, *expires))
            }
            SignaturePlace::UrlV4 { date, expires, scope } => {
                let scope = oss_v4::Scope::read(scope).ok_or_else(OssError::hls_sign_needs_url_signature)?;
                Ok(oss_v4::sign_url_query(&request, self.access_key_id, self.secret, &scope, date, *expires))
            }
            SignaturePlace::Header => Err(OssError::hls_sign_needs_url_signature()),
        }
    }
}

/// The playlist with each fragment's URI signed; `sign` is given the fragment's key and the query its URI has already.
fn rewrite(
    text: &[u8],
    playlist_key: &[u8],
    sign: impl Fn(&[u8], &Query) -> Result<String, OssError>,
) -> Result<Bytes, OssError> {
    let mut signed = BytesMut::with_capacity(text.len() * 2);
    let (mut fragments, mut master) = (0, false);
    for line in text.split_inclusive(|b| *b == b'\n') {
        let content = line.trim_ascii();
        master |= content.starts_with(b"#EXT-X-STREAM-INF");
        let uri = std::str::from_utf8(content).ok().filter(|uri| !uri.is_empty() && !uri.starts_with('#'));
        match uri {
            Some(uri) => {
                fragments += 1;
                signed.extend_from_slice(sign_uri(uri, playlist_key, &sign)?.as_bytes());
                let end = if line.ends_with(b"\r\n") { &b"\r\n"[..] } else { &b"\n"[..] };
                signed.extend_from_slice(if line.ends_with(b"\n") { end } else { b"" });
            }
            None => signed.extend_from_slice(line),
        }
    }
    match (fragments, master) {
        (0, _) => Err(OssError::playlist_without_fragment()),
        (_, true) => Err(OssError::master_playlist_has_fragment()),
        _ => Ok(signed.freeze()),
    }
}

/// One URI with its signature. What points to another host is left alone: this key says nothing there. So is what is no plain
/// object: whoever may write a playlist would get the bucket's listing, or an ACL, signed with somebody else's key.
fn sign_uri(
    uri: &str,
    playlist_key: &[u8],
    sign: impl Fn(&[u8], &Query) -> Result<String, OssError>,
) -> Result<String, OssError> {
    let has_scheme = uri.split(['/', '?', '#']).next().is_some_and(|first| first.contains(':'));
    if has_scheme || uri.starts_with("//") {
        return Ok(uri.to_owned());
    }
    let bare = uri.split('#').next().unwrap_or(uri);
    let (path, query) = bare.split_once('?').unwrap_or((bare, ""));
    let (key, query) = (resolve(playlist_key, path), Query::parse(query));
    if object_key(&key).is_err() || names_sub_resource(&query) {
        return Ok(uri.to_owned());
    }
    Ok(format!("{path}?{}", sign(&key, &query)?))
}

/// The key that a player asks for when it follows `path` from the playlist (RFC 3986, 5.2): beside the playlist, with dot
/// segments removed, percent-decoded once. A leading slash begins at the bucket.
fn resolve(playlist_key: &[u8], path: &str) -> Vec<u8> {
    let mut segments: Vec<Vec<u8>> = match path.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => playlist_key.split(|b| *b == b'/').map(<[u8]>::to_vec).collect(),
    };
    // The playlist's own name.
    segments.pop();
    let path = path.strip_prefix('/').unwrap_or(path);
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match part {
            "." | ".." => {
                if part == ".." {
                    segments.pop();
                }
                if last {
                    segments.push(Vec::new());
                }
            }
            _ => segments.push(percent_decode_str(part).collect()),
        }
    }
    segments.join(&b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &str) -> Result<String, OssError> {
        let signed = rewrite(text.as_bytes(), b"test-channel/playlist.m3u8", |key, query| {
            let has = if query.pairs().is_empty() { "" } else { "+" };
            Ok(format!("[{}{has}]", String::from_utf8_lossy(key)))
        })?;
        Ok(String::from_utf8(signed.to_vec()).expect("text stays text"))
    }

    #[test]
    fn fragments_are_signed_and_tags_are_kept() {
        let text = "#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:7.120,\n1.ts\r\n\n#EXTINF:1.000,\nsub/2.ts?x=1";
        assert_eq!(
            marked(text).expect("a media playlist"),
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:7.120,\n1.ts?[test-channel/1.ts]\r\n\n#EXTINF:1.000,\n\
             sub/2.ts?[test-channel/sub/2.ts+]"
        );
    }

    #[test]
    fn keys_are_resolved_as_a_player_resolves_them() {
        for (path, key) in [
            ("1.ts", "test-channel/1.ts"),
            ("./1.ts", "test-channel/1.ts"),
            ("../other/1.ts", "other/1.ts"),
            ("../../1.ts", "1.ts"),
            ("/other/1.ts", "other/1.ts"),
            ("a%20b+c.ts", "test-channel/a b+c.ts"),
        ] {
            let resolved = resolve(b"test-channel/playlist.m3u8", path);
            assert_eq!(String::from_utf8_lossy(&resolved), key, "{path}");
        }
        assert_eq!(resolve(b"playlist.m3u8", "1.ts"), b"1.ts");
    }

    #[test]
    fn another_host_is_left_alone() {
        let text = "#EXTM3U\nhttps://cdn.example/1.ts\n//cdn.example/2.ts\n";
        assert_eq!(marked(text).expect("a media playlist"), text);
    }

    #[test]
    fn nothing_but_objects_is_signed() {
        for line in ["/", "/?policy", "../", "../?list-type=2", "1.ts?acl", "?uploads", "1.ts?x=1&tagging"] {
            let text = format!("#EXTM3U\n{line}\n");
            assert_eq!(marked(&text).expect("a media playlist"), text);
        }
    }

    #[test]
    fn limits_are_told_in_their_words() {
        let message = |text| marked(text).expect_err("refused").message;
        assert_eq!(message("#EXTM3U\n#EXT-X-ENDLIST\n"), "No ts found in the playlist.");
        assert_eq!(message("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8\n"), "Master playlist has ts file.");
    }

    /// The fragment beside the playlist of the specification's vectors, signed with the same key and expiry. The strings
    /// are put together here by the published recipe, independently of the code that `Signer` calls.
    #[test]
    fn a_fragment_is_signed_with_the_playlists_key_and_expiry() {
        use base64::Engine as _;
        use hmac::{Hmac, KeyInit, Mac};
        use sha2::Digest as _;
        let none = Query::default();
        let signer = |place| Signer {
            access_key_id: "testAccessKeyId",
            secret: "testAccessKeySecret",
            bucket: "examplebucket",
            place,
            token: None,
        };

        let v1 = SignaturePlace::UrlV1 { expires: 1_700_003_600 };
        let mut mac = Hmac::<sha1::Sha1>::new_from_slice(b"testAccessKeySecret").expect("any length");
        mac.update(b"GET\n\n\n1700003600\n/examplebucket/test-channel/1.ts");
        let signature = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
        let signature = super::super::urls::encode(&signature);
        assert_eq!(
            signer(&v1).query(b"test-channel/1.ts", &none).expect("signed"),
            format!("OSSAccessKeyId=testAccessKeyId&Expires=1700003600&Signature={signature}")
        );

        let v2 = SignaturePlace::UrlV2 { expires: 1_700_003_600 };
        let query = "x-oss-access-key-id=testAccessKeyId&x-oss-expires=1700003600&x-oss-signature-version=OSS2";
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"testAccessKeySecret").expect("any length");
        mac.update(format!("GET\n\n\n1700003600\n\n%2Fexamplebucket%2Ftest-channel%2F1.ts?{query}").as_bytes());
        let signature = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
        assert_eq!(
            signer(&v2).query(b"test-channel/1.ts", &none).expect("signed"),
            format!(
                "x-oss-signature-version=OSS2&x-oss-expires=1700003600&x-oss-access-key-id=testAccessKeyId\
                 &x-oss-signature={}",
                super::super::urls::encode(&signature)
            )
        );

        let scope = "20231114/cn-hangzhou/oss/aliyun_v4_request";
        let v4 = SignaturePlace::UrlV4 { date: "20231114T221320Z".into(), expires: 3_600, scope: scope.into() };
        let query = "x-oss-credential=testAccessKeyId%2F20231114%2Fcn-hangzhou%2Foss%2Faliyun_v4_request\
                     &x-oss-date=20231114T221320Z&x-oss-expires=3600&x-oss-signature-version=OSS4-HMAC-SHA256";
        let canonical = format!("GET\n/examplebucket/test-channel/1.ts\n{query}\n\n\nUNSIGNED-PAYLOAD");
        let digest = hex::encode(sha2::Sha256::digest(canonical));
        let string = format!("OSS4-HMAC-SHA256\n20231114T221320Z\n{scope}\n{digest}");
        let hmac = |key: &[u8], message: &str| {
            let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).expect("any length");
            mac.update(message.as_bytes());
            mac.finalize().into_bytes().to_vec()
        };
        let mut key = hmac(b"aliyun_v4testAccessKeySecret", "20231114");
        for part in ["cn-hangzhou", "oss", "aliyun_v4_request"] {
            key = hmac(&key, part);
        }
        assert_eq!(
            signer(&v4).query(b"test-channel/1.ts", &none).expect("signed"),
            format!("{query}&x-oss-signature={}", hex::encode(hmac(&key, &string)))
        );
    }
}
