//! `docs/security.md` and the sources name the same tests for the same threats, and none is missing.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy.toml allows them in tests, and this is what helps the tests"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const PAGE: &str = include_str!("../docs/security.md");

/// Every threat of a client or of what it sends. The others are in the page where a test shows them.
const IDS: [(&str, u32); 5] = [("HDR", 10), ("SMG", 9), ("PTH", 6), ("DOS", 6), ("JWT", 5)];
/// What such an id may begin with, in the name of a test.
const KINDS: [&str; 8] = ["hdr", "smg", "pth", "dos", "jwt", "wx", "ses", "rel"];

/// A test, as file and name.
type Test = (String, String);

/// The ids in the beginning of a test's name: `smg_09_rel_05_…` has two.
fn ids(name: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut words = name.split('_');
    while let (Some(kind), Some(number)) = (words.next(), words.next()) {
        let is_number = number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit());
        if !KINDS.contains(&kind) || !is_number {
            break;
        }
        ids.push(format!("{}-{number}", kind.to_uppercase()));
    }
    ids
}

/// The tests of the table by id.
fn listed() -> BTreeMap<String, BTreeSet<Test>> {
    let mut listed = BTreeMap::new();
    for line in PAGE.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        if cells.len() != 3 || ids(&cells[0].to_lowercase().replace('-', "_")).is_empty() {
            continue;
        }
        let mut tests = BTreeSet::new();
        for place in cells[2].split("; ").filter(|place| *place != "not yet") {
            let (file, names) = place.split_once(": ").unwrap_or_else(|| panic!("{line}"));
            for name in names.split(", ") {
                tests.insert((file.replace('`', ""), name.replace('`', "")));
            }
        }
        let before = listed.insert(cells[0].to_owned(), tests);
        assert!(before.is_none(), "{} has two rows", cells[0]);
    }
    assert!(listed.len() > 40, "{} rows are not all of them", listed.len());
    listed
}

/// The functions of a file whose name begins with an id.
fn tests_in(file: &Path, root: &Path) -> Vec<Test> {
    let text = std::fs::read_to_string(file).unwrap();
    let place = file.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
    let names = text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
    let names = names.filter(|name| !ids(name).is_empty());
    names.map(|name| (place.clone(), name.to_owned())).collect()
}

fn sources() -> Vec<Test> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src"), root.join("tests")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.extend(tests_in(&path, &root));
            }
        }
    }
    assert!(found.len() > 60, "{} tests are not all of them", found.len());
    found
}

#[test]
fn every_test_of_a_threat_is_in_its_row() {
    let listed = listed();
    let missing = sources().into_iter().flat_map(|test| {
        let rows = ids(&test.1).into_iter();
        let missing = rows.filter(|id| !listed.get(id).is_some_and(|tests| tests.contains(&test)));
        missing.map(|id| format!("{id}: `{}`: `{}`", test.0, test.1)).collect::<Vec<_>>()
    });
    let missing: Vec<_> = missing.collect();
    assert!(missing.is_empty(), "not in docs/security.md:\n{}", missing.join("\n"));
}

#[test]
fn every_row_names_tests_that_there_are() {
    let sources: BTreeSet<_> = sources().into_iter().collect();
    for (id, tests) in listed() {
        for test in &tests {
            assert!(sources.contains(test), "{id}: {} in {} is no test", test.1, test.0);
            assert!(ids(&test.1).contains(&id), "{id}: {} is a test of something else", test.1);
        }
        assert!(!tests.is_empty(), "{id} has no test");
    }
}

#[test]
fn every_threat_has_a_row() {
    let listed = listed();
    for (kind, count) in IDS {
        for number in 1..=count {
            let id = format!("{kind}-{number:02}");
            assert!(listed.contains_key(&id), "{id} is not in docs/security.md");
        }
        let rows = listed.keys().filter(|id| id.starts_with(kind)).count();
        assert_eq!(rows, count as usize, "{kind} has a row that is no threat");
    }
}
