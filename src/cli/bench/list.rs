//! `livebucket bench list`: how long pages of a large bucket take.
//!
//! The bucket was filled by `livebucket bench put --url http://HOST:PORT/BUCKET/%k --requests KEYS` and answers anonymous
//! listings. Each kind of page is asked for from many places, one request after another, and its entries are counted, so
//! that an empty answer is not taken for a fast one.

use clap::ValueEnum;

use super::http::{BUFFER, Connection, HttpUrl, key};
use super::process::Usage;
use super::{Failure, ServerArgs, failed, micros, percentiles};
use crate::clock::Clock;

/// Entries of a page.
const PAGE: u32 = 1_000;

/// Arguments of `livebucket bench list`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// http://HOST:PORT/BUCKET
    #[arg(long)]
    url: String,
    /// Keys in it, 1 up to this number
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..=999_999_999))]
    keys: u32,
    /// Pages of each kind
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pages: u32,
    /// Whose listing
    #[arg(long, value_enum, default_value_t = Dialect::Oss)]
    dialect: Dialect,
    #[command(flatten)]
    server: ServerArgs,
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Dialect {
    /// ListObjectsV2 of OSS
    Oss,
    /// ListObjectsV2 of S3
    S3,
}

/// A kind of page, and how many entries one of them has.
struct Kind {
    name: &'static str,
    /// The query from the place of the key `n`.
    query: fn(n: u32) -> String,
    /// At least so many entries, wherever it begins.
    entries_min: usize,
    entries_max: usize,
}

/// Keys begin `000/` below a million, so that a delimiter at the top rolls nearly the whole bucket up.
const KINDS: &[Kind] = &[
    Kind { name: "from the beginning", query: |_| String::new(), entries_min: 1_000, entries_max: 1_000 },
    Kind { name: "from anywhere", query: |n| format!("&start-after={}", key(n)), entries_min: 1, entries_max: 1_000 },
    Kind { name: "a folder", query: |n| format!("&prefix={}", folder(n)), entries_min: 1, entries_max: 1_000 },
    Kind { name: "ten keys of a prefix", query: |n| format!("&prefix={}", tens(n)), entries_min: 1, entries_max: 10 },
    Kind { name: "nothing", query: |n| format!("&prefix={}-none", key(n)), entries_min: 0, entries_max: 0 },
    Kind { name: "the top, rolled up", query: |_| "&delimiter=/".to_owned(), entries_min: 1, entries_max: 1_000 },
    Kind {
        name: "folders, rolled up",
        query: |_| "&prefix=000/&delimiter=/".to_owned(),
        entries_min: 2,
        entries_max: 1_000,
    },
    Kind {
        name: "folders from anywhere, rolled up",
        query: |n| format!("&prefix={}&delimiter=/&start-after={}", top(n), key(n)),
        entries_min: 0,
        entries_max: 1_000,
    },
];

fn top(n: u32) -> String {
    key(n)[..4].to_owned()
}

fn folder(n: u32) -> String {
    key(n)[..8].to_owned()
}

fn tens(n: u32) -> String {
    key(n)[..10].to_owned()
}

/// Lists.
pub(super) fn run(args: &ListArgs, clock: &dyn Clock) -> Result<serde_json::Value, Failure> {
    let base = HttpUrl::parse(&args.url)?;
    let mut connection = Connection::open(&base.address, BUFFER).map_err(|error| failed(&args.url, error))?;
    let before = Usage::of(&args.server.pid)?;
    let mut kinds = serde_json::Map::new();
    for kind in KINDS {
        let (mut waits, mut entries) = (Vec::new(), 0);
        for page in 0..args.pages {
            // A large odd step visits places all over the bucket in no order.
            let n = 1 + (u64::from(page) * 618_033_989 % u64::from(args.keys.saturating_sub(PAGE).max(1))) as u32;
            let own = if args.dialect == Dialect::S3 { "&x-id=ListObjectsV2" } else { "" };
            let target = format!("{}?list-type=2&max-keys={PAGE}{}{own}", base.target, (kind.query)(n));
            let url = HttpUrl { target, ..base.clone() };
            let asked = clock.monotonic();
            let answer = connection.request("GET", &url, &[], &[]).map_err(|error| failed(&url.target, error))?;
            waits.push(micros(clock.monotonic() - asked));
            let found = entries_of(&answer.body);
            if answer.status != 200 || !(kind.entries_min..=kind.entries_max).contains(&found) {
                let wanted = format!("{}..={} entries", kind.entries_min, kind.entries_max);
                return Err(Failure::failed(format!(
                    "{}: {} with {found} entries, not {wanted}",
                    url.target, answer.status
                )));
            }
            entries += found;
        }
        let average = entries as f64 / f64::from(args.pages);
        kinds.insert(kind.name.to_owned(), serde_json::json!({ "entries": average, "wait_ms": percentiles(waits) }));
    }
    let after = Usage::of(&args.server.pid)?;
    let pages = args.pages as usize * KINDS.len();
    Ok(serde_json::json!({
        "bench": "list",
        "keys": args.keys,
        "server": after.report(&before, "cpu_seconds_per_thousand_pages", pages as f64 / 1e3),
        "pages": kinds,
    }))
}

/// Objects and rolled-up prefixes of a page; the prefix asked for stands outside of these elements.
fn entries_of(document: &[u8]) -> usize {
    let text = String::from_utf8_lossy(document);
    let prefixes = text.split("<CommonPrefixes>").skip(1).map(|rest| {
        let inside = rest.split("</CommonPrefixes>").next().unwrap_or_default();
        inside.matches("<Prefix>").count()
    });
    text.matches("<Contents>").count() + prefixes.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_and_prefixes_are_entries() {
        let one = "<L><Prefix>p</Prefix><Contents><Key>a</Key></Contents><CommonPrefixes><Prefix>b/</Prefix>\
                   <Prefix>c/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes></L>";
        assert_eq!(entries_of(one.as_bytes()), 4);
        assert_eq!(entries_of(b"<L><Prefix>p</Prefix></L>"), 0);
    }

    #[test]
    fn keys_sort_as_their_numbers_and_lie_in_their_folders() {
        assert_eq!(
            (key(1), key(1_002), key(1_000_000)),
            ("000/000/001".into(), "000/001/002".into(), "001/000/000".into())
        );
        assert_eq!((top(1_002), folder(1_002), tens(1_012)), ("000/".into(), "000/001/".into(), "000/001/01".into()));
        assert!((1..3_000).all(|n| key(n) < key(n + 1)));
    }
}
