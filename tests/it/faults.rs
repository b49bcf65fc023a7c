//! `docs/faults.md` speaks of this program: each metric and each log line that it names is one that the sources write, and the
//! files of its last table hold tests.

use std::fs;
use std::path::Path;

use crate::readme::root;

/// Every Rust source below, in one text.
fn sources(directory: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            text.push_str(&sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).expect("readable"));
        }
    }
    text
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The part of the page under a heading.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no section {heading}"));
    rest.split("\n## ").next().expect("it is there")
}

#[test]
fn metrics_log_lines_and_tests_that_the_page_names_are_there() {
    let page = fs::read_to_string(root().join("docs/faults.md")).expect("readable");
    let sources = sources(&root().join("src"));
    let (mut metrics, mut lines) = (0, 0);
    for row in section(&page, "What counts and what is logged").lines().filter(|line| line.starts_with("| ")).skip(1) {
        let row = row.replace("\\|", "/");
        let cells: Vec<&str> = row.split('|').collect();
        let [_, _, counts, logged, _] = cells[..] else { panic!("three columns: {row}") };
        for name in quoted(counts).filter(|name| name.starts_with("livebucket_")) {
            let name = name.split('{').next().expect("a name");
            assert!(sources.contains(&format!("\"{name}\"")), "no metric {name}");
            metrics += 1;
        }
        for line in quoted(logged).filter(|line| line.contains(' ') && !line.contains('=')) {
            assert!(sources.contains(&format!("\"{line}\"")), "nothing logs {line:?}");
            lines += 1;
        }
    }
    assert!(metrics >= 7 && lines >= 15, "{metrics} metrics and {lines} log lines: the table is read as it stands");
    for file in quoted(section(&page, "Tests")) {
        let text = fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(text.contains("test]"), "{file} holds no test");
    }
}
