//! No statement of the metadata database walks a whole table, unless it stands here with its reason: what a request costs
//! follows what it asks for, not what the service holds. SQLite's own query plan says so.
//!
//! The statements are found in the sources: every string that begins as SQL does, with the constants that are formatted
//! into it. A new statement is thereby judged, too.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use livebucket::app::Stores;
use livebucket::store::seal::MasterKeys;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use syn::visit::{self, Visit};

/// Beginnings of statements that may walk a table, and why.
const MAY_WALK: &[(&str, &str)] = &[
    ("SELECT count(*) FROM ", "`livebucket check` on a directory at rest proves every row"),
    ("WITH held AS (", "the same: every bucket's counters against what it holds"),
    (
        "SELECT name FROM sqlite_schema WHERE type = 'table'",
        "the same: each table alone, once the file cannot be checked whole",
    ),
    ("SELECT 1, bucket, channel, playlist_name FROM playlist_window ORDER BY", "the checker"),
    ("UPDATE connection SET ended_ms = coalesce", "once at a start; the index holds open connections alone"),
    (
        "SELECT id, secret, 0 FROM access_key UNION ALL",
        "once at a start, to seal secrets; keys are made by hand, so they are few",
    ),
    (
        "SELECT k.id, open_secret(k.secret, k.id), k.account, a.name, k.enabled, k.created_ms FROM access_key k JOIN account \
      a ON a.id = k.account ORDER BY k.id",
        "`livebucket key list`",
    ),
];

/// The parts of a file that matter: named texts, and texts by the line they stand in.
#[derive(Default)]
struct Texts {
    constants: BTreeMap<String, String>,
    statements: Vec<(usize, String)>,
}

const BEGINNINGS: [&str; 6] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "REPLACE ", "WITH "];

impl<'ast> Visit<'ast> for Texts {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        if let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &*item.expr {
            self.constants.insert(item.ident.to_string(), text.value());
        }
        visit::visit_item_const(self, item);
    }

    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.statements.push((text.span().start().line, text.value()));
    }

    /// The arguments of `format!` and its kin are tokens, not expressions.
    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        for token in item.tokens.clone() {
            if let proc_macro2::TokenTree::Literal(literal) = token
                && let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string())
            {
                self.statements.push((literal.span().start().line, text.value()));
            }
        }
    }
}

fn sources(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("src is readable") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if name == "tests" || name == "tests.rs" {
            continue;
        }
        if path.is_dir() {
            sources(&path, into);
        } else if name.ends_with(".rs") {
            into.push(path);
        }
    }
}

/// A statement with what is formatted into it: constants by name, anything else as a column that is always there.
fn filled(text: &str, constants: &BTreeMap<String, String>) -> String {
    let mut filled = text.to_owned();
    for _ in 0..3 {
        for (name, value) in constants {
            filled = filled.replace(&format!("{{{name}}}"), value);
        }
    }
    // `SELECT {} FROM` names columns, and which ones does not change where a row is looked for.
    let mut plain = String::new();
    for (at, piece) in filled.split('{').enumerate() {
        match piece.split_once('}').filter(|_| at > 0) {
            Some((_, rest)) => plain.extend(["1", rest]),
            None => plain.push_str(piece),
        }
    }
    plain
}

/// What SQLite would do; `None` when the text is no whole statement.
fn plan(conn: &Connection, sql: &str) -> Result<Vec<String>, rusqlite::Error> {
    let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
    for index in 1..=statement.parameter_count() {
        statement.raw_bind_parameter(index, 1)?;
    }
    let mut rows = statement.raw_query();
    let mut steps = Vec::new();
    while let Some(row) = rows.next()? {
        steps.push(row.get::<_, String>(3)?);
    }
    Ok(steps)
}

/// The step that walks a table. What walks the rows of a query inside it, walks what that query's own steps have found.
fn walked(steps: &[String]) -> Option<&String> {
    let inner = |name: &str| {
        steps.iter().any(|step| step.strip_prefix("CO-ROUTINE ").or(step.strip_prefix("MATERIALIZE ")) == Some(name))
    };
    let walks =
        |step: &&String| step.strip_prefix("SCAN ").is_some_and(|what| !what.contains("CONSTANT ROW") && !inner(what));
    steps.iter().find(walks)
}

fn database(dir: &Path) -> Connection {
    drop(Stores::open_sealed(dir, true, MasterKeys::default()).expect("a new directory"));
    let conn = Connection::open(dir.join("meta.db")).expect("the database");
    for name in ["seal_inline", "open_inline", "audit_inline", "seal_secret", "open_secret"] {
        let flags = FunctionFlags::SQLITE_UTF8;
        conn.create_scalar_function(name, -1, flags, |_| Ok(0)).expect("a function");
    }
    conn
}

#[test]
fn no_statement_walks_a_table_but_those_with_a_reason() {
    let dir = tempfile::tempdir().expect("a directory");
    let conn = database(dir.path());
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/meta/sqlite"), &mut files);
    let mut constants = BTreeMap::new();
    let mut found = Vec::new();
    for file in &files {
        let mut texts = Texts::default();
        texts.visit_file(&syn::parse_file(&fs::read_to_string(file).expect("readable")).expect("src parses"));
        constants.extend(texts.constants);
        found.extend(texts.statements.into_iter().map(|(line, text)| (file.clone(), line, text)));
    }
    // A constant that is formatted into others is no statement by itself.
    let is_part = |text: &str| {
        let mut names = constants.iter().filter(|(_, value)| *value == text).map(|(name, _)| format!("{{{name}}}"));
        names.any(|name| found.iter().any(|(_, _, other)| other.contains(&name)))
    };
    let (mut judged, mut unread, mut walks) = (0, Vec::new(), Vec::new());
    for (file, line, text) in &found {
        let sql = filled(text, &constants);
        // Rows that are given by value are looked for nowhere.
        let by_value = sql.starts_with("INSERT ") && sql.contains(" VALUES ");
        if by_value || !BEGINNINGS.iter().any(|beginning| sql.starts_with(beginning)) || is_part(text) {
            continue;
        }
        let place = format!("{}:{line}", file.file_name().and_then(|name| name.to_str()).expect("UTF-8"));
        match plan(&conn, &sql) {
            // The name of a column to set may be a matter of the run.
            Err(_) if text.starts_with("UPDATE ") && text.contains(" SET {") => {}
            Err(error) => unread.push(format!("{place}: {error}\n    {sql}")),
            Ok(steps) => {
                judged += 1;
                let Some(step) = walked(&steps) else { continue };
                if !MAY_WALK.iter().any(|(beginning, _)| sql.starts_with(beginning)) {
                    walks.push(format!(
                        "{place}: {step}
    {sql}"
                    ));
                }
            }
        }
    }
    assert!(walks.is_empty(), "{} walk a table:\n{}", walks.len(), walks.join("\n"));
    assert!(unread.is_empty(), "{} could not be judged:\n{}", unread.len(), unread.join("\n"));
    assert!(judged > 50, "the sources have more statements than {judged}");
}

#[test]
fn a_walk_is_seen() {
    let dir = tempfile::tempdir().expect("a directory");
    let conn = database(dir.path());
    let walks = |sql: &str| walked(&plan(&conn, sql).expect("a statement")).is_some();
    assert!(walks("SELECT 1 FROM object WHERE size = ?1"));
    assert!(walks(
        "SELECT 1 FROM (SELECT * FROM object WHERE size = ?1 LIMIT 9) o LEFT JOIN extent e ON e.body = o.body"
    ));
    assert!(!walks("SELECT 1 FROM object WHERE bucket = ?1 AND key >= ?2"));
    assert!(!walks(
        "SELECT 1 FROM (SELECT * FROM object WHERE bucket = ?1 LIMIT 9) o LEFT JOIN extent e ON e.body = o.body"
    ));
}
