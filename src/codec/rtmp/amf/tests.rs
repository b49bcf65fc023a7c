use bytes::BytesMut;
use proptest::prelude::*;

use super::*;

fn limits() -> AmfLimits {
    AmfLimits { depth_max: 16, items_max: 1000, bytes_max: 100_000 }
}

fn read_all(bytes: &[u8]) -> Result<Vec<AmfValue>, AmfError> {
    let mut reader = AmfReader::new(bytes, limits())?;
    let mut values = Vec::new();
    while !reader.is_empty() {
        values.push(reader.value()?);
    }
    Ok(values)
}

#[track_caller]
fn check(bytes: &[u8], expected: AmfValue) {
    assert_eq!(read_all(bytes), Ok(vec![expected]));
}

/// An AMF3 value behind the switch marker.
#[track_caller]
fn check3(bytes: &[u8], expected: AmfValue) {
    check(&[&[0x11], bytes].concat(), expected);
}

fn named(members: &[(&str, AmfValue)]) -> Vec<(String, AmfValue)> {
    members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

#[test]
fn every_marker_of_amf0() {
    check(&[0, 0x40, 0x59, 0, 0, 0, 0, 0, 0], AmfValue::Number(100.0));
    check(&[1, 1], AmfValue::Boolean(true));
    check(b"\x02\x00\x03abc", "abc".into());
    check(b"\x03\x00\x01a\x05\x00\x00\x09", AmfValue::Object(named(&[("a", AmfValue::Null)])));
    check(&[6], AmfValue::Undefined);
    check(&[7, 0, 2], AmfValue::Reference(2));
    check(b"\x08\xff\xff\xff\xff\x00\x01a\x01\x00\x00\x00\x09", AmfValue::EcmaArray(named(&[("a", false.into())])));
    check(b"\x0a\x00\x00\x00\x02\x05\x06", AmfValue::Array(vec![AmfValue::Null, AmfValue::Undefined]));
    check(&[0x0B, 0x40, 0x59, 0, 0, 0, 0, 0, 0, 0xFF, 0x88], AmfValue::Date(100.0));
    check(b"\x0c\x00\x00\x00\x02ab", "ab".into());
    check(&[0x0D], AmfValue::Unsupported);
    check(b"\x0f\x00\x00\x00\x04<a/>", AmfValue::Xml("<a/>".to_owned()));
    let members = named(&[("x", AmfValue::Null)]);
    check(b"\x10\x00\x01C\x00\x01x\x05\x00\x00\x09", AmfValue::TypedObject { class: "C".to_owned(), members });
    for marker in [0x04, 0x09, 0x0E, 0x12, 0xFF] {
        assert_eq!(read_all(&[5, marker]), Err(AmfError::Marker { at: 1, marker }));
    }
}

#[test]
fn every_marker_of_amf3() {
    check3(&[0], AmfValue::Undefined);
    check3(&[1], AmfValue::Null);
    check3(&[2], false.into());
    check3(&[3], true.into());
    for (bytes, number) in [
        (&[0x7F][..], 127.0),
        (&[0x81, 0x00], 128.0),
        (&[0x81, 0x80, 0x00], 16_384.0),
        (&[0x80, 0xC0, 0x80, 0x00], 2_097_152.0),
        (&[0xBF, 0xFF, 0xFF, 0xFF], 268_435_455.0),
        (&[0xFF, 0xFF, 0xFF, 0xFF], -1.0),
        (&[0xC0, 0x80, 0x80, 0x00], -268_435_456.0),
    ] {
        check3(&[&[4], bytes].concat(), AmfValue::Number(number));
    }
    check3(&[5, 0x40, 0x59, 0, 0, 0, 0, 0, 0], AmfValue::Number(100.0));
    check3(b"\x06\x07abc", "abc".into());
    check3(b"\x07\x09<a/>", AmfValue::Xml("<a/>".to_owned()));
    check3(b"\x0b\x09<a/>", AmfValue::Xml("<a/>".to_owned()));
    check3(&[8, 1, 0x40, 0x59, 0, 0, 0, 0, 0, 0], AmfValue::Date(100.0));
    check3(&[9, 5, 1, 1, 3], AmfValue::Array(vec![AmfValue::Null, true.into()]));
    check3(b"\x0c\x05\x01\x02", AmfValue::ByteArray(vec![1, 2]));
    assert_eq!(read_all(&[0x11, 0x0D]), Err(AmfError::Marker { at: 1, marker: 0x0D }));
}

#[test]
fn amf3_objects_traits_and_references() {
    // An array with keys and values: the string "k" comes again by reference.
    check3(
        b"\x09\x03\x03k\x06\x00\x01\x04\x07",
        AmfValue::EcmaArray(named(&[("k", "k".into()), ("0", AmfValue::Number(7.0))])),
    );
    // Two objects of one class: sealed member "x", then dynamic members; the second refers to the first one's traits.
    let point = |x: f64, extra: &[(&str, AmfValue)]| AmfValue::TypedObject {
        class: "P".to_owned(),
        members: named(&[&[("x", AmfValue::Number(x))], extra].concat()),
    };
    check3(
        b"\x09\x05\x01\x0a\x1b\x03P\x03x\x04\x01\x03e\x03\x01\x0a\x01\x04\x02\x01",
        AmfValue::Array(vec![point(1.0, &[("e", true.into())]), point(2.0, &[])]),
    );
    // An anonymous object, then the same object by reference, which is not followed.
    let anonymous = AmfValue::Object(named(&[("a", AmfValue::Null)]));
    check3(b"\x09\x05\x01\x0a\x0b\x01\x03a\x01\x01\x0a\x02", AmfValue::Array(vec![anonymous, AmfValue::Reference(1)]));
    // The tables last for the whole message.
    assert_eq!(read_all(b"\x11\x06\x03k\x11\x06\x00"), Ok(vec!["k".into(), "k".into()]));
    let collection = b"\x0a\x07\x43flex.messaging.io.ArrayCollection\x09\x03\x01\x01";
    check3(collection, AmfValue::Array(vec![AmfValue::Null]));
    assert_eq!(read_all(b"\x11\x0a\x07\x03E\x01"), Err(AmfError::External { at: 5, class: "E".to_owned() }),);
    assert_eq!(read_all(b"\x11\x06\x02"), Err(AmfError::Reference { at: 3 }));
    assert_eq!(read_all(b"\x11\x0a\x05"), Err(AmfError::Reference { at: 3 }));
}

#[test]
fn broken_utf8_is_replaced() {
    check(b"\x02\x00\x03a\xe9b", "a\u{FFFD}b".into());
}

#[test]
fn an_object_may_end_with_the_message() {
    check(b"\x08\x00\x00\x00\x01\x00\x01a\x05", AmfValue::EcmaArray(named(&[("a", AmfValue::Null)])));
    // But not within a member.
    assert!(matches!(read_all(b"\x03\x00\x01a"), Err(AmfError::OutOfBytes(_))));
}

#[test]
fn an_empty_name_is_a_name() {
    check(b"\x03\x00\x00\x05\x00\x00\x09", AmfValue::Object(named(&[("", AmfValue::Null)])));
}

#[test]
fn depth_bombs_are_stopped() {
    for bomb in [&b"\x03\x00\x01a"[..], b"\x08\0\0\0\0\x00\x01a", b"\x0a\0\0\0\x01", b"\x10\0\0\0\x01a"] {
        let deep = |depth: usize| [&bomb.repeat(depth)[..], &[5]].concat();
        assert!(read_all(&deep(16)).is_ok(), "{bomb:?}");
        let stopped = read_all(&deep(4000));
        assert!(matches!(stopped, Err(AmfError::Limit { limit: "depth", .. })), "{bomb:?}: {stopped:?}");
    }
    for bomb in [&b"\x09\x03\x01"[..], b"\x09\x01\x03k", b"\x0a\x0b\x01\x03k"] {
        let bytes = [&[0x11][..], &bomb.repeat(4000)].concat();
        let stopped = read_all(&bytes);
        assert!(matches!(stopped, Err(AmfError::Limit { limit: "depth", .. })), "{bomb:?}: {stopped:?}");
    }
}

#[test]
fn items_and_bytes_are_bounded() {
    let nulls = |count: u32| [&[0x0A][..], &count.to_be_bytes(), &vec![5; count as usize]].concat();
    assert!(read_all(&nulls(999)).is_ok());
    assert!(matches!(read_all(&nulls(1000)), Err(AmfError::Limit { limit: "items", .. })));
    // A count without values allocates nothing.
    assert!(matches!(read_all(b"\x0a\xff\xff\xff\xff"), Err(AmfError::OutOfBytes(_))));
    assert_eq!(read_all(&[5; 100_001]), Err(AmfError::Limit { at: 0, limit: "bytes" }));
    // 60 000 bytes of text, named twice in two bytes.
    let mut twice = b"\x11\x06\x87\xa9\x41".to_vec();
    twice.resize(5 + 60_000, b'a');
    assert!(read_all(&twice).is_ok());
    twice.extend_from_slice(b"\x11\x06\x00");
    assert!(matches!(read_all(&twice), Err(AmfError::Limit { limit: "bytes", .. })));
}

#[test]
fn names_are_found_and_the_last_wins() {
    let object = AmfValue::object([("a", 1.0.into()), ("b", "x".into()), ("a", 2.0.into())]);
    assert_eq!(object.get("a").and_then(AmfValue::as_f64), Some(2.0));
    assert_eq!(object.get("b").and_then(AmfValue::as_str), Some("x"));
    assert_eq!((object.get("c"), AmfValue::Null.get("a")), (None, None));
}

#[test]
fn long_text_is_written_as_a_long_string() {
    for length in [65_535, 65_536] {
        let value = AmfValue::String("x".repeat(length));
        let mut out = BytesMut::new();
        write_value(&mut out, &value);
        assert_eq!(out[0], if length > 65_535 { 0x0C } else { 0x02 });
        check(&out, value);
    }
}

fn value() -> impl Strategy<Value = AmfValue> {
    let leaf = prop_oneof![
        (-1e9f64..1e9).prop_map(AmfValue::Number),
        any::<bool>().prop_map(AmfValue::Boolean),
        ".{0,12}".prop_map(AmfValue::String),
        Just(AmfValue::Null),
        Just(AmfValue::Undefined),
        Just(AmfValue::Unsupported),
        (0u32..65_536).prop_map(AmfValue::Reference),
        (0f64..1e13).prop_map(AmfValue::Date),
        ".{0,12}".prop_map(AmfValue::Xml),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let members = proptest::collection::vec((".{0,6}", inner.clone()), 0..6);
        prop_oneof![
            members.clone().prop_map(AmfValue::Object),
            members.clone().prop_map(AmfValue::EcmaArray),
            (".{0,6}", members).prop_map(|(class, members)| AmfValue::TypedObject { class, members }),
            proptest::collection::vec(inner, 0..6).prop_map(AmfValue::Array),
        ]
    })
}

proptest! {
    #[test]
    fn what_was_written_is_read(value in value()) {
        let mut out = BytesMut::new();
        write_value(&mut out, &value);
        prop_assert_eq!(read_all(&out), Ok(vec![value]));
    }

    #[test]
    fn what_was_cut_is_no_panic_and_no_other_value(value in value(), cut in 0usize..200) {
        let mut out = BytesMut::new();
        write_value(&mut out, &value);
        let cut = cut.min(out.len().saturating_sub(1));
        if let Ok(values) = read_all(&out[..cut]) {
            prop_assert!(values.len() <= 1);
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), markers in any::<bool>()) {
        // Small numbers are markers and lengths more often.
        let bytes: Vec<u8> = bytes.into_iter().map(|byte| if markers { byte % 0x14 } else { byte }).collect();
        let _ = read_all(&bytes);
        let _ = read_all(&[&[0x11][..], &bytes].concat());
    }
}
