use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const BOUNDARY: &str = "9431149156168";

/// A form of these parts: head without its last line's end, and content.
fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut form = Vec::new();
    for (head, content) in parts {
        form.extend_from_slice(format!("--{BOUNDARY}\r\n{head}\r\n\r\n").as_bytes());
        form.extend_from_slice(content);
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    form
}

fn field(name: &str) -> String {
    format!("Content-Disposition: form-data; name=\"{name}\"")
}

fn file(filename: &str) -> String {
    format!("Content-Disposition: form-data; name=\"file\"; filename=\"{filename}\"\r\nContent-Type: image/jpeg")
}

/// Everything a form says: its data joined.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    fields: Vec<(String, Vec<u8>)>,
    file: Option<FileHead>,
    data: Vec<u8>,
    file_ended: bool,
    complete: bool,
}

fn read(pieces: &[&[u8]]) -> Result<Said, ReadFault> {
    let mut reader = FormReader::new(BOUNDARY.as_bytes());
    let mut said = Said::default();
    for piece in pieces {
        reader.feed(piece);
        loop {
            match reader.next_event()? {
                Event::Hungry => break,
                Event::Field { name, value } => said.fields.push((name, value.to_vec())),
                Event::File(head) => said.file = Some(head),
                Event::Data(bytes) => {
                    assert!(!bytes.is_empty());
                    said.data.extend_from_slice(&bytes);
                }
                Event::FileEnd => said.file_ended = true,
            }
        }
        assert!(reader.held() <= limits::FORM_FIELDS_BYTES_MAX + piece.len());
    }
    said.complete = reader.is_complete();
    Ok(said)
}

fn jpeg(filename: &str) -> Option<FileHead> {
    Some(FileHead { filename: filename.as_bytes().to_vec(), content_type: Some("image/jpeg".into()) })
}

#[test]
fn fields_then_the_file_then_nothing_that_counts() {
    let form = form(&[
        (&field("KEY"), b"a/${filename}"),
        (&field("x-oss-meta-uuid"), b""),
        (&file("MyFilename.jpg"), b"one\r\n--two\r\n\r\n--943114915616"),
        (&field("submit"), b"Upload to OSS"),
    ]);
    let said = read(&[&form]).expect("a form");
    assert_eq!(said.fields, [("key".into(), b"a/${filename}".to_vec()), ("x-oss-meta-uuid".into(), Vec::new())]);
    assert_eq!(said.file, jpeg("MyFilename.jpg"));
    assert_eq!(String::from_utf8_lossy(&said.data), "one\r\n--two\r\n\r\n--943114915616");
    assert!(said.file_ended && said.complete);
}

#[test]
fn an_empty_file_and_what_stands_around_the_form() {
    let mut bytes = b"\r\n".to_vec();
    bytes.extend_from_slice(&form(&[(&file("a"), b"")]));
    bytes.extend_from_slice(b"an epilogue");
    let said = read(&[&bytes]).expect("a form");
    assert!(said.data.is_empty() && said.file_ended && said.complete);
}

#[test]
fn a_form_that_was_cut_off_is_not_complete() {
    let whole = form(&[(&field("key"), b"k"), (&file("a"), b"content")]);
    let needed = whole.len() - b"\r\n".len();
    for length in 0..whole.len() {
        let said = read(&[&whole[..length]]).expect("nothing wrong yet");
        assert_eq!(said.complete, length >= needed, "{length} of {}", whole.len());
    }
}

#[test]
fn names_are_read_as_browsers_write_them() {
    for (disposition, name, filename) in [
        ("form-data; name=\"file\"; filename=\"a b.txt\"", "file", "a b.txt"),
        ("Form-Data;name=file;filename=a.txt", "file", "a.txt"),
        ("form-data; name=\"file\"; filename=\"C:\\dir\\new.txt\"", "file", "new.txt"),
        ("form-data; name=\"file\"; filename=\"/home/me/x.txt\"", "file", "x.txt"),
        ("form-data; name=\"file\"; filename=\"a%22b%0Ac.txt\"", "file", "a\"b\nc.txt"),
        ("form-data; name=\"file\"; filename=\"a\\\"b; c.txt\"", "file", "a\"b; c.txt"),
        ("form-data; name=\"file\"; filename=\"\u{4e2d}.txt\"", "file", "\u{4e2d}.txt"),
        ("form-data; name=\"file\"; filename*=utf-8''%E4%B8%AD.txt", "file", "\u{4e2d}.txt"),
        ("form-data; name=\"file\"; filename=\"x\"; filename*=UTF-8'en'a%20b", "file", "a b"),
        ("form-data; name=\"file\"", "file", ""),
    ] {
        let head = format!("Content-Disposition: {disposition}");
        let read = read_part_head(head.as_bytes()).unwrap_or_else(|| panic!("{head}"));
        assert_eq!((read.name.as_str(), String::from_utf8_lossy(&read.file.filename).as_ref()), (name, filename));
    }
    for head in [
        "",
        "Content-Type: text/plain",
        "Content-Disposition: form-data",
        "Content-Disposition: attachment; name=\"file\"",
        "Content-Disposition: form-data; name=\"file",
        "Content-Disposition: form-data; name=\"fi\"le",
        "Content-Disposition form-data; name=file",
    ] {
        assert!(read_part_head(head.as_bytes()).is_none(), "{head}");
    }
}

#[test]
fn boundaries() {
    let of = |text: &str| boundary(text.as_bytes()).map(|boundary| String::from_utf8(boundary).expect("ASCII"));
    for (text, expected) in [
        ("multipart/form-data; boundary=abc", Some("abc")),
        ("Multipart/Form-Data; charset=utf-8; Boundary=\"a b'()+_,-./:=?\"", Some("a b'()+_,-./:=?")),
        ("multipart/form-data;boundary=----WebKitFormBoundary7MA4YWxk", Some("----WebKitFormBoundary7MA4YWxk")),
        ("multipart/form-data", None),
        ("multipart/form-data; boundary=", None),
        ("multipart/form-data; boundary=\"a ", None),
        ("multipart/form-data; boundary=\"a \"", None),
        ("multipart/mixed; boundary=abc", None),
        ("text/plain", None),
    ] {
        assert_eq!(of(text).as_deref(), expected, "{text}");
    }
    assert!(of(&format!("multipart/form-data; boundary={}", "b".repeat(70))).is_some());
    assert!(of(&format!("multipart/form-data; boundary={}", "b".repeat(71))).is_none());
}

#[test]
fn a_form_has_so_many_fields_and_no_more() {
    for (count, fits) in [(limits::FORM_FIELDS_MAX, true), (limits::FORM_FIELDS_MAX + 1, false)] {
        let mut parts: Vec<(String, &[u8])> = (0..count).map(|n| (field(&n.to_string()), &b""[..])).collect();
        parts.push((file("a"), b"1"));
        let parts: Vec<(&str, &[u8])> = parts.iter().map(|(head, value)| (head.as_str(), *value)).collect();
        assert_eq!(read(&[&form(&parts)]).is_ok(), fits, "{count}");
    }
}

#[test]
fn what_is_no_form_is_malformed_and_what_is_too_much_is_refused_early() {
    let long = vec![b'x'; limits::FORM_FIELDS_BYTES_MAX + 100];
    let many: Vec<(String, &[u8])> = (0..=limits::FORM_FIELDS_MAX).map(|n| (field(&n.to_string()), &b""[..])).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(head, value)| (head.as_str(), *value)).collect();
    let (key, a) = (field("key"), file("a"));
    for (what, bytes, fault) in [
        ("no boundary", vec![b'x'; limits::FORM_PREAMBLE_BYTES_MAX + 100], ReadFault::Malformed),
        ("junk behind a boundary", format!("--{BOUNDARY}junk\r\n").into_bytes(), ReadFault::Malformed),
        ("a part without a name", form(&[("Content-Type: text/plain", b"")]), ReadFault::Malformed),
        ("a field too long", form(&[(&key, &long)]), ReadFault::FieldsTooLong),
        ("a head too long", form(&[(&field(&"n".repeat(9000)), b"")]), ReadFault::FieldsTooLong),
        ("too many fields", form(&many), ReadFault::FieldsTooLong),
        ("two files", form(&[(&a, b"1"), (&a, b"2")]), ReadFault::SecondFile),
        ("much behind the file", form(&[(&a, b"1"), (&key, &long)]), ReadFault::FieldsTooLong),
        ("an endless epilogue", [form(&[(&a, b"1")]), long.clone()].concat(), ReadFault::FieldsTooLong),
    ] {
        assert_eq!(read(&[&bytes]), Err(fault), "{what}");
        // Also when it drips in.
        assert_eq!(read(&bytes.chunks(7).collect::<Vec<_>>()), Err(fault), "{what}");
    }
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    // Much that looks like a delimiter.
    let part = prop_oneof![
        Just(b"\r\n".to_vec()),
        Just(b"--".to_vec()),
        Just(b"\r\n--9431149156168"[..12].to_vec()),
        Just(b"\r\n--943114915616\r".to_vec()),
        vec(any::<u8>(), 0..20),
    ];
    let whole = vec(part, 0..12).prop_map(|parts| parts.concat());
    whole.prop_filter("contains the boundary", |bytes| memmem::find(bytes, BOUNDARY.as_bytes()).is_none())
}

proptest! {
    #[test]
    fn any_split_says_the_same(
        fields in vec(("[a-z-]{1,10}", content()), 0..5),
        data in content(),
        cuts in vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let fields: Vec<_> = fields.into_iter().filter(|(name, _)| name != "file").collect();
        let heads: Vec<String> = fields.iter().map(|(name, _)| field(name)).collect();
        let mut parts: Vec<(&str, &[u8])> = heads.iter().zip(&fields).map(|(h, (_, v))| (h.as_str(), &v[..])).collect();
        let head = file("f");
        parts.push((&head, &data));
        let whole = form(&parts);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.index(whole.len())).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut at = 0;
        for cut in cuts {
            pieces.push(&whole[at..cut]);
            at = cut;
        }
        pieces.push(&whole[at..]);
        let expected = Said { fields, file: jpeg("f"), data, file_ended: true, complete: true };
        prop_assert_eq!(read(&pieces), Ok(expected));
    }

    #[test]
    fn any_bytes_are_bounded(bytes in vec(any::<u8>(), 0..500)) {
        let mut whole = format!("--{BOUNDARY}\r\n{}\r\n\r\n", field("a")).into_bytes();
        whole.extend_from_slice(&bytes);
        let _ = read(&[&whole]);
        let _ = read(&[&bytes]);
    }
}
