//! The vectors of publish URLs, and the habits of those who send them.

use super::*;

const SECRET: &str = "testAccessKeySecret";

fn query(expires: i64, params: &[(&str, &str)], signature: &str) -> PublishQuery {
    let mut raw =
        format!("OSSAccessKeyId=testAccessKeyId&Expires={expires}&Signature={}", encode(signature.as_bytes()));
    for (name, value) in params {
        raw.push_str(&format!("&{}={}", encode(name.as_bytes()), encode(value.as_bytes())));
    }
    PublishQuery::parse(&raw)
}

/// The signature fits this channel, and neither another channel nor another bucket nor another secret.
fn check(expires: i64, channel: &str, params: &[(&str, &str)], signature: &str) {
    let query = query(expires, params, signature);
    assert!(query.matches(SECRET, "examplebucket", channel));
    assert!(!query.matches(SECRET, "examplebucket", "other"));
    assert!(!query.matches(SECRET, "otherbucket", channel));
    assert!(!query.matches("other", "examplebucket", channel));
}

#[test]
fn vector_a_playlist_name() {
    check(1_700_003_600, "test-channel", &[("playlistName", "playlist.m3u8")], "DtHqFd7xOKuTNZTA9HTzGWMbo1M=");
}

#[test]
fn vector_b_no_parameters() {
    check(1_700_003_600, "test-channel", &[], "k1Y7YirPOqvtLJD77HBKSOv7sfA=");
}

#[test]
fn vector_c_security_token_signed() {
    check(
        1_700_003_600,
        "test-channel",
        &[("security-token", "CAISsts+token/=="), ("playlistName", "playlist.m3u8")],
        "Mju4QtxsuBwSTa4TIHLvOfrUTP0=",
    );
}

#[test]
fn vector_d_security_token_unsigned() {
    check(
        1_700_003_600,
        "test-channel",
        &[("security-token", "CAISsts+token/=="), ("playlistName", "playlist.m3u8")],
        "DtHqFd7xOKuTNZTA9HTzGWMbo1M=",
    );
}

#[test]
fn vector_e_two_parameters() {
    check(
        1_700_003_600,
        "test-channel",
        &[("stream-key", "secure-stream-key-123"), ("playlistName", "playlist.m3u8")],
        "Ky49ifKmpEilkS80l2NAjYt4w2o=",
    );
}

#[test]
fn vector_f_byte_order() {
    check(
        1_700_003_600,
        "test-channel",
        &[("playlistName", "p.m3u8"), ("alpha", "2"), ("Zeta", "1")],
        "I/WhKMHhc5j1+XUCe1vy/BLrmWQ=",
    );
}

#[test]
fn vector_g_natural_order_of_php() {
    check(
        1_700_003_600,
        "test-channel",
        &[("playlistName", "p.m3u8"), ("alpha", "2"), ("Zeta", "1")],
        "0DNIL7MQAt0MdepizVxLwBueG6s=",
    );
}

#[test]
fn vector_h_space_in_channel() {
    check(1_700_003_600, "test channel", &[], "715lorTX5/J0XENOSTI3WJfdW+w=");
}

#[test]
fn vector_i_chinese_channel() {
    check(1_700_003_600, "测试 ch", &[("playlistName", "playlist.m3u8")], "ga6ghiykg86dazZ3ig1lLujvlQw=");
}

#[test]
fn vector_j_default_expiry_of_ali_oss() {
    check(1_700_001_800, "test-channel", &[], "wJCUQ/CWhE7cW+wt3E6gnuUPhsk=");
}

#[test]
fn vector_k_literal_of_the_cpp_sdk() {
    let query = query(1_706_289_617, &[("playlistName", "test.m3u8")], "Y1LCM2PzyECssQhTdi+GKra7iXE=");
    assert!(query.matches("sk", "cpp-sdk-live-channel-bucket", "channel"));
    assert!(!query.matches("sk", "cpp-sdk-live-channel-bucket", "channel2"));
}

#[test]
fn signed_url_is_built_as_ali_oss_builds_it() {
    let own = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect()
    };
    let build = |channel, params: &[(&str, &str)]| {
        publish_query("testAccessKeyId", SECRET, "examplebucket", channel, 1_700_003_600, &own(params))
    };
    assert_eq!(
        build("test-channel", &[("playlistName", "playlist.m3u8")]),
        "OSSAccessKeyId=testAccessKeyId&Expires=1700003600&Signature=DtHqFd7xOKuTNZTA9HTzGWMbo1M%3D\
         &playlistName=playlist.m3u8"
    );
    assert_eq!(
        build("test channel", &[]),
        "OSSAccessKeyId=testAccessKeyId&Expires=1700003600&Signature=715lorTX5%2FJ0XENOSTI3WJfdW%2Bw%3D"
    );
    // Parameters are signed in byte order and sent in the caller's.
    let text = build("test-channel", &[("playlistName", "p.m3u8"), ("alpha", "2"), ("Zeta", "1")]);
    assert!(
        text.contains("Signature=I%2FWhKMHhc5j1%2BXUCe1vy%2FBLrmWQ%3D&playlistName=p.m3u8&alpha=2&Zeta=1"),
        "{text}"
    );
}

#[test]
fn query_that_the_encoder_decoded_still_matches() {
    let parse = PublishQuery::parse;
    let sent = parse("OSSAccessKeyId=testAccessKeyId&Expires=1700003600&Signature=715lorTX5/J0XENOSTI3WJfdW+w=");
    assert!(sent.matches(SECRET, "examplebucket", "test channel"));
    // `%2541` on paper is `%41` after librtmp; decoding that again would sign an `A`.
    let params = [("note".to_owned(), "%41+".to_owned())];
    let paper = publish_query("id", SECRET, "b", "c", 5, &params);
    assert!(parse(&paper).matches(SECRET, "b", "c"));
    let decoded = percent_encoding::percent_decode_str(&paper).decode_utf8().expect("ASCII").into_owned();
    assert!(parse(&decoded).matches(SECRET, "b", "c"));
    assert!(!parse(&decoded.replace("%41", "A")).matches(SECRET, "b", "c"));
}

#[test]
fn parameters_signed_in_the_order_of_the_request_match() {
    // `b2` before `a1`: neither byte order nor natural order.
    let string = b"9\nb2:x\na1:y\n/bucket/channel";
    let raw = format!("b2=x&a1=y&OSSAccessKeyId=i&Expires=9&Signature={}", encode(sign("s", string).as_bytes()));
    assert!(PublishQuery::parse(&raw).matches("s", "bucket", "channel"));
}

#[test]
fn every_broken_form_has_its_error() {
    let at = |raw: &str, now: i64| PublishQuery::parse(raw).check_form(now);
    let whole = "OSSAccessKeyId=id&Expires=100&Signature=x";
    for (raw, now, expected) in [
        (whole, 100, Ok(())),
        (whole, 101, Err(RtmpAuthError::Expired)),
        ("Expires=100&Signature=x", 1, Err(RtmpAuthError::AccessKeyIdMissing)),
        ("OSSAccessKeyId=&Expires=100&Signature=x", 1, Err(RtmpAuthError::AccessKeyIdMissing)),
        ("OSSAccessKeyId=id&Signature=x", 1, Err(RtmpAuthError::ExpiresMissing)),
        ("OSSAccessKeyId=id&Expires=soon&Signature=x", 1, Err(RtmpAuthError::ExpiresInvalid)),
        ("OSSAccessKeyId=id&Expires=100", 1, Err(RtmpAuthError::SignatureMissing)),
        ("OSSAccessKeyId=id&Expires=100&Signature=", 1, Err(RtmpAuthError::SignatureMissing)),
        ("SignatureVersion=4&OSSAccessKeyId=id&Expires=100&Signature=x", 1, Err(RtmpAuthError::VersionUnsupported)),
    ] {
        assert_eq!(at(raw, now), expected, "{raw}");
    }
}

#[test]
fn errors_carry_the_documented_detail_codes() {
    use RtmpAuthError::*;
    let all = [
        AccessKeyIdMissing,
        AccessKeyIdUnknown,
        ExpiresMissing,
        ExpiresInvalid,
        Expired,
        SignatureMissing,
        SignatureMismatch,
        VersionUnsupported,
    ];
    for (at, error) in all.into_iter().enumerate() {
        assert_eq!(error.ec(), format!("0002-000008{:02}", at + 1), "{error:?}");
        assert!(!error.code().is_empty() && !error.message().is_empty());
    }
}

#[test]
fn fields_are_read_wherever_they_stand() {
    let query = PublishQuery::parse("playlistName=a%20b.m3u8&Signature=s&OSSAccessKeyId=id&Expires=1&playlistName=c");
    assert_eq!(query.playlist_name(), Some("a b.m3u8"));
    assert_eq!(query.access_key_id(), Some("id"));
    assert!(query.is_signed());
    let bare = PublishQuery::parse("playlistName=");
    assert_eq!((bare.playlist_name(), bare.is_signed()), (None, false));
    assert!(!bare.matches("", "bucket", "channel"), "an unsigned query matches nothing");
}

#[test]
fn natural_order_compares_numbers_and_ignores_case() {
    let mut names: Vec<&[u8]> = vec![b"p10", b"P2", b"a", b"p02x", b"B"];
    names.sort_by(|a, b| natural(a, b));
    assert_eq!(names, [&b"a"[..], b"B", b"P2", b"p02x", b"p10"]);
}

proptest::proptest! {
    #[test]
    fn what_is_signed_here_matches_here(
        channel in "[^/]{1,20}",
        params in proptest::collection::btree_map("[a-zA-Z0-9%+& é-]{1,8}", "\\PC{0,8}", 0..4),
    ) {
        let fields = ["OSSAccessKeyId", "Expires", "Signature", "SecurityToken"];
        let params: Vec<(String, String)> =
            params.into_iter().filter(|(name, _)| !fields.contains(&name.as_str())).collect();
        let query = PublishQuery::parse(&publish_query("id", "secret", "bucket", &channel, 100, &params));
        proptest::prop_assert!(query.matches("secret", "bucket", &channel));
        proptest::prop_assert!(!query.matches("other", "bucket", &channel));
        proptest::prop_assert_eq!(query.check_form(100), Ok(()));
    }

    #[test]
    fn no_query_makes_the_reader_panic(raw in "\\PC{0,80}") {
        let query = PublishQuery::parse(&raw);
        let _ = query.check_form(0);
        query.matches("s", "b", "c");
    }
}
