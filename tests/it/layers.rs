//! The walls of `ARCHITECTURE.md`: parses every path in `src/` and fails on an edge that the table does not allow, and on
//! unsafe code where the page names none.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// Our own rooms, and which rooms each may import. A room may always import itself.
const BASE: &[&str] = &["clock", "task", "limits", "net"];
const STORE: &[&str] = &["store"];

fn allowed(room: &str) -> Vec<&'static str> {
    let up_to_store = [&["media", "auth"], BASE, STORE].concat();
    match room {
        "media" | "auth" | "clock" | "task" | "limits" => vec![],
        "net" => BASE.to_vec(),
        "codec" => vec!["media"],
        "store" => [&["media", "auth"], BASE].concat(),
        "store::backend" => [BASE, STORE].concat(),
        "live" => [&["media", "codec"], BASE, STORE].concat(),
        "http" | "rtmp" => [&["codec", "live"], up_to_store.as_slice()].concat(),
        // Configuration checks names and hosts; it hands plain values to rooms and is handed to none.
        "config" => vec!["limits", "net", "store"],
        "app" | "cli" | "lib" | "main" => {
            [&["app", "cli", "config", "codec", "live", "http", "rtmp", "store::backend"], up_to_store.as_slice()]
                .concat()
        }
        other => panic!("a new room `{other}`: give it a row here and in ARCHITECTURE.md"),
    }
}

/// The room of a module path below the crate: backends are a room of their own.
fn room_of(path: &[String]) -> String {
    match path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["store", "blob" | "meta", _, ..] => "store::backend".into(),
        [first, ..] => (*first).to_owned(),
        [] => "lib".into(),
    }
}

/// Module path of a file below `src/`.
fn module_of(file: &Path) -> Vec<String> {
    let mut parts: Vec<String> =
        file.with_extension("").iter().map(|part| part.to_str().expect("UTF-8").to_owned()).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib")) {
        parts.pop();
    }
    parts
}

struct Paths<'a> {
    module: &'a [String],
    rooms: &'a BTreeSet<String>,
    found: Vec<(usize, Vec<String>)>,
}

impl Paths<'_> {
    /// Resolves `crate::`, `super::` and `self::`; other paths are of no interest.
    fn add(&mut self, line: usize, segments: &[String]) {
        let mut base = self.module.to_vec();
        let mut rest = segments;
        let Some(first) = rest.first() else { return };
        match first.as_str() {
            "crate" | "livebucket" => {
                base.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|s| s == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            _ => return,
        }
        base.extend(rest.iter().cloned());
        if base.first().is_some_and(|room| self.rooms.contains(room)) {
            self.found.push((line, base));
        }
    }

    fn use_tree(&mut self, line: usize, prefix: &mut Vec<String>, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.use_tree(line, prefix, &path.tree);
                prefix.pop();
            }
            syn::UseTree::Name(name) => self.use_leaf(line, prefix, name.ident.to_string()),
            syn::UseTree::Rename(name) => self.use_leaf(line, prefix, name.ident.to_string()),
            syn::UseTree::Glob(_) => self.add(line, prefix),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.use_tree(line, prefix, item)),
        }
    }

    fn use_leaf(&mut self, line: usize, prefix: &mut Vec<String>, name: String) {
        prefix.push(name);
        self.add(line, prefix);
        prefix.pop();
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    /// Tests may reach anywhere.
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !item.attrs.iter().any(is_cfg_test) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !item.attrs.iter().any(is_cfg_test) {
            self.use_tree(item.span().start().line, &mut Vec::new(), &item.tree);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.add(path.span().start().line, &segments);
        visit::visit_path(self, path);
    }
}

fn is_cfg_test(attr: &syn::Attribute) -> bool {
    attr.path().is_ident("cfg") && attr.parse_args::<syn::Ident>().is_ok_and(|ident| ident == "test")
}

/// Modules of test builds only: declared behind `#[cfg(test)]`. What lies below them is, too.
fn test_modules(module: &[String], text: &str) -> Vec<Vec<String>> {
    let file = syn::parse_file(text).expect("src parses");
    let declared = file.items.iter().filter_map(|item| match item {
        syn::Item::Mod(item) if item.content.is_none() && item.attrs.iter().any(is_cfg_test) => Some(item),
        _ => None,
    });
    declared.map(|item| [module, &[item.ident.to_string()]].concat()).collect()
}

fn sources(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("src is readable") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            // What is built, or fetched, is not ours.
            if !["target", "node_modules"].iter().any(|name| path.ends_with(name)) {
                sources(&path, into);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

fn edges_of(module: &[String], text: &str, rooms: &BTreeSet<String>) -> Vec<(usize, Vec<String>)> {
    let file = syn::parse_file(text).expect("src parses");
    let mut paths = Paths { module, rooms, found: Vec::new() };
    paths.visit_file(&file);
    paths.found
}

/// A breach in words; `None` when the edge is allowed.
fn breach(module: &[String], target: &[String]) -> Option<String> {
    let (from, to) = (room_of(module), room_of(target));
    // `store/mod.rs` and `blob/mod.rs` declare their backends; naming one is another matter.
    let allowed = from == to || allowed(&from).contains(&to.as_str());
    (!allowed).then(|| format!("`{from}` may not import `{to}` ({})", target.join("::")))
}

#[test]
fn every_edge_is_in_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let modules: Vec<Vec<String>> =
        files.iter().map(|file| module_of(file.strip_prefix(&root).expect("below src"))).collect();
    let rooms: BTreeSet<String> = modules.iter().filter_map(|module| module.first().cloned()).collect();
    let texts: Vec<String> = files.iter().map(|file| fs::read_to_string(file).expect("readable")).collect();
    let for_tests: Vec<Vec<String>> = modules.iter().zip(&texts).flat_map(|(m, text)| test_modules(m, text)).collect();
    let mut breaches = Vec::new();
    for ((file, module), text) in files.iter().zip(&modules).zip(&texts) {
        if for_tests.iter().any(|test| module.starts_with(test)) {
            continue;
        }
        for (line, target) in edges_of(module, text, &rooms) {
            if let Some(why) = breach(module, &target) {
                breaches.push(format!("{}:{line}: {why}", file.display()));
            }
        }
    }
    assert!(files.len() > 40, "the walk must see the tree, it saw {} files", files.len());
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn a_forbidden_edge_is_seen_in_every_spelling() {
    let rooms: BTreeSet<String> = ["codec", "store", "http", "rtmp", "live"].map(String::from).into();
    let module = vec!["codec".to_owned(), "flv".to_owned()];
    for (text, breaches) in [
        ("use crate::store::BlobStore;", 1),
        ("use crate::{live::vod, store::{records, meta}};", 3),
        ("use super::super::store;", 1),
        ("fn f() { crate::http::server::serve(); }", 1),
        ("fn f(x: crate::store::BlobId) -> Option<crate::rtmp::conn::Conn> { None }", 2),
        ("use super::h264;", 0),
        ("#[cfg(test)] mod tests { use crate::store::BlobStore; }", 0),
    ] {
        let found = edges_of(&module, text, &rooms);
        let count = found.iter().filter(|(_, target)| breach(&module, target).is_some()).count();
        assert_eq!(count, breaches, "{text}: {found:?}");
    }
    let backend = vec!["store".to_owned(), "meta".to_owned(), "sqlite".to_owned(), "Store".to_owned()];
    let objects = vec!["store".to_owned(), "objects".to_owned()];
    assert!(breach(&objects, &backend).is_some(), "the object service may not name a backend");
    assert!(breach(&["app".to_owned()], &backend).is_none(), "app picks the backends");
}

// ---- unsafe code ---------------------------------------------------------------------------------------------

/// Lines of a source with the word `unsafe`, in macros, too: blocks, and what else it may mark. Attributes are none.
#[derive(Debug, Default, PartialEq, Eq)]
struct Unsafe {
    blocks: Vec<usize>,
    items: Vec<usize>,
}

impl Unsafe {
    fn of(text: &str) -> Unsafe {
        let mut found = Unsafe::default();
        found.walk(text.parse().expect("a source has tokens"));
        found
    }

    fn walk(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match &token {
                TokenTree::Group(group) => self.walk(group.stream()),
                TokenTree::Ident(word) if word == "unsafe" => {
                    let line = word.span().start().line;
                    match tokens.peek() {
                        Some(TokenTree::Group(next)) if next.delimiter() == Delimiter::Brace => self.blocks.push(line),
                        // `#[unsafe(no_mangle)]`: what it marks is unsafe itself.
                        Some(TokenTree::Group(_)) => {}
                        _ => self.items.push(line),
                    }
                }
                _ => {}
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.blocks.is_empty() && self.items.is_empty()
    }

    /// Blocks without a comment above that says why they are sound.
    fn unexplained(&self, text: &str) -> Vec<usize> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let is_explained = |line: usize| {
            let above = lines[..line - 1].iter().rev().take_while(|line| line.starts_with("//"));
            above.into_iter().any(|line| line.starts_with("// SAFETY: "))
        };
        self.blocks.iter().copied().filter(|line| !is_explained(*line)).collect()
    }
}

/// The first cells of the table in the page's part on unsafe code.
fn unsafe_rooms(page: &str) -> BTreeSet<String> {
    let (_, part) = page.split_once("## Unsafe code\n").expect("the page has the part");
    let part = part.split_once("\n## ").map_or(part, |(part, _)| part);
    part.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(room, _)| room.to_owned()).collect()
}

#[test]
fn unsafe_code_stands_only_in_the_rooms_that_the_page_names_and_each_block_says_why_it_is_sound() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches", "compat-tests", "clients"] {
        sources(&root.join(folder), &mut files);
    }
    assert!(files.len() > 300, "the walk must see the tree, it saw {} files", files.len());
    let (mut rooms, mut faults) = (BTreeSet::new(), Vec::new());
    for file in &files {
        let text = fs::read_to_string(file).expect("readable");
        if !text.contains("unsafe") {
            continue;
        }
        let found = Unsafe::of(&text);
        let name = file.strip_prefix(root).expect("below the root").to_str().expect("UTF-8").to_owned();
        faults.extend(found.unexplained(&text).iter().map(|line| format!("{name}:{line} has no `// SAFETY: `")));
        if !found.is_empty() {
            rooms.insert(name);
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let page = fs::read_to_string(root.join("ARCHITECTURE.md")).expect("the page");
    assert_eq!(rooms, unsafe_rooms(&page), "the sources, and what ARCHITECTURE.md names");
}

#[test]
fn unsafe_code_is_seen_wherever_it_stands() {
    let text = "fn a() {\n// SAFETY: b\n// goes on\nlet x = unsafe { b() };\n}\nmacro_rules! m { () => { unsafe { c() } } }\n\
                #[unsafe(no_mangle)]\nunsafe extern \"C\" fn d() {}\nunsafe impl Send for E {}\n\
                // unsafe { }\nconst F: &str = \"unsafe { }\";\n// SAFETY: too far away\n\nfn g() { unsafe { h() } }";
    let found = Unsafe::of(text);
    assert_eq!(found, Unsafe { blocks: vec![4, 6, 14], items: vec![8, 9] });
    assert_eq!(found.unexplained(text), [6, 14]);
    assert!(Unsafe::of("#![deny(unsafe_code)] fn a() {}").is_empty());
    assert_eq!(unsafe_rooms("## Unsafe code\n| room |\n| `a.rs` | x |\n## More\n| `b.rs` | y |").len(), 1);
}
