//! Browser forms: the reader says the same however its bytes are split and holds no more than its bounds; a policy that is
//! over stays over, and a field that it does not speak of changes nothing.

use crate::{Choices, pieces};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use livebucket::clock::Wall;
use livebucket::http::form::policy::{Policy, PolicyFault};
use livebucket::http::form::reader::{Event, FileHead, FormReader, ReadFault, boundary};
use livebucket::limits;

/// What a form said: its data joined.
#[derive(Debug, Default, PartialEq)]
struct Said {
    fields: Vec<(String, Vec<u8>)>,
    file: Option<FileHead>,
    data: Vec<u8>,
    complete: bool,
}

fn read<'a>(boundary: &[u8], bytes: impl Iterator<Item = &'a [u8]>) -> Result<Said, ReadFault> {
    let mut reader = FormReader::new(boundary);
    let mut said = Said::default();
    let mut field_bytes = 0;
    for piece in bytes {
        reader.feed(piece);
        loop {
            match reader.next_event()? {
                Event::Hungry => break,
                Event::Field { name, value } => {
                    assert!(said.file.is_none(), "a field behind the file");
                    assert_eq!(name, name.to_ascii_lowercase());
                    field_bytes += value.len();
                    said.fields.push((name, value.to_vec()));
                }
                Event::File(head) => assert!(said.file.replace(head).is_none(), "a second file"),
                Event::Data(data) => {
                    assert!(said.file.is_some() && !data.is_empty());
                    said.data.extend_from_slice(&data);
                }
                Event::FileEnd => assert!(said.file.is_some()),
            }
        }
        assert!(said.fields.len() <= limits::FORM_FIELDS_MAX && field_bytes <= limits::FORM_FIELDS_BYTES_MAX);
        assert!(reader.held() <= limits::FORM_FIELDS_BYTES_MAX + 2 * limits::FORM_BOUNDARY_BYTES_MAX + piece.len());
    }
    said.complete = reader.is_complete();
    Ok(said)
}

/// Takes one input.
pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    match choices.u8() {
        0 => {
            let (now, later) = (Wall::from_unix_seconds(i64::from(choices.u32())), i64::from(choices.u16()));
            let key = choices.text();
            let value = |name: &str| (name == "key").then_some(key.as_bytes());
            for text in [String::from_utf8_lossy(choices.0).into_owned(), BASE64.encode(choices.0)] {
                let Ok(policy) = Policy::read(&text) else { continue };
                let judged = policy.judge(now, key.as_bytes(), value);
                if judged == Err(PolicyFault::Expired) {
                    assert_eq!(policy.judge(Wall(now.0 + later), key.as_bytes(), value), judged);
                }
                // A field that no condition speaks of changes nothing.
                if !policy.mentions("bucket") {
                    let more = |name: &str| if name == "bucket" { Some(&b"another"[..]) } else { value(name) };
                    assert_eq!(policy.judge(now, key.as_bytes(), more), judged);
                }
            }
        }
        seed => {
            let content_type = choices.text();
            let boundary = boundary(content_type.as_bytes()).unwrap_or_else(|| b"b".to_vec());
            assert!((1..=limits::FORM_BOUNDARY_BYTES_MAX).contains(&boundary.len()));
            // Inputs are short and bounds are not: somewhere the form is stretched.
            let (at, stretch) = (usize::from(choices.u16()), usize::from(choices.u8()) << 10);
            let mut form = choices.0.to_vec();
            let at = at.min(form.len());
            form.splice(at..at, std::iter::repeat_n(b'x', stretch));
            let whole = read(&boundary, std::iter::once(&form[..]));
            assert_eq!(whole, read(&boundary, pieces(seed, &form)));
        }
    }
}
