//! The house keeps its plan: the order of the modules in `lib.rs`, who knows which framework, and the
//! size of a file.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy.toml allows them in tests, and this is what helps the tests"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Modules that take values and give values, and know neither pingora nor axum.
const DOMAIN: [&str; 7] =
    ["access", "actions", "identity", "policy", "session", "upstream", "wechat"];
const LONGEST_FILE: usize = 400;

/// One file below `src`, and the part of it that is not its unit tests.
struct Source {
    path: PathBuf,
    /// The module of `lib.rs` that it belongs to.
    module: String,
    lines: usize,
    code: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(source(&path));
            }
        }
    }
    assert!(found.len() > 50, "{} files are not all of them", found.len());
    found
}

fn source(path: &Path) -> Source {
    let text = std::fs::read_to_string(path).unwrap();
    let path = path.strip_prefix(root()).unwrap().to_owned();
    let first = path.iter().next().unwrap().to_str().unwrap();
    let module = first.strip_suffix(".rs").unwrap_or(first).to_owned();
    let is_comment = |line: &&str| line.trim_start().starts_with("//");
    let is_test = path.iter().any(|part| part == "tests.rs" || part == "tests");
    let production = text.split("#[cfg(test)]\nmod ").next().filter(|_| !is_test);
    let production = production.unwrap_or_default();
    let code = production.lines().filter(|line| !is_comment(line)).collect::<Vec<_>>().join("\n");
    Source { path, module, lines: text.lines().count(), code }
}

/// The modules of `lib.rs` in their groups, lowest first.
fn groups() -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(root().join("lib.rs")).unwrap();
    let groups = text.split("\n\n").map(|paragraph| {
        let modules = paragraph.lines().filter_map(|line| line.strip_prefix("pub mod "));
        modules.map(|module| module.trim_end_matches(';').to_owned()).collect::<Vec<_>>()
    });
    groups.filter(|group| !group.is_empty()).collect()
}

/// The modules of the crate that some code names: `crate::NAME`, and `crate::{NAME, …}`.
fn used(code: &str) -> BTreeSet<String> {
    let name = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    };
    let mut used = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        let Some(list) = after.strip_prefix('{') else {
            used.insert(name(after));
            continue;
        };
        let mut depth = 0;
        let mut at_name = true;
        for (index, c) in list.char_indices() {
            if at_name && depth == 0 && (c.is_ascii_alphabetic() || c == '}') {
                used.insert(name(&list[index..]));
                at_name = false;
            }
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' => at_name = true,
                _ => {}
            }
        }
    }
    used.remove("");
    used
}

#[test]
fn arrows_point_down_only() {
    let groups = groups();
    let rank = |module: &str| groups.iter().position(|group| group.iter().any(|it| it == module));
    let known = groups.iter().flatten().count();
    assert!(known > 15, "{known} modules are not all of them: {groups:?}");
    let (mut wrong, mut edges) = (Vec::new(), 0);
    for source in sources() {
        if matches!(source.module.as_str(), "lib" | "main") {
            continue;
        }
        let from = rank(&source.module);
        assert!(from.is_some(), "{} is not in lib.rs", source.module);
        for used in used(&source.code).into_iter().filter(|used| *used != source.module) {
            // A name that is no module is one that lib.rs exports, of which there are none.
            assert!(
                rank(&used).is_some(),
                "crate::{used} in {} is no module",
                source.path.display()
            );
            edges += 1;
            // Neighbours in a group do not know each other either: none comes before the other.
            if rank(&used) >= from {
                wrong.push(format!("{} uses crate::{used}", source.path.display()));
            }
        }
    }
    assert!(edges > 50, "{edges} edges are not all of them");
    wrong.sort();
    assert!(wrong.is_empty(), "arrows that point up or aside:\n{}", wrong.join("\n"));
}

#[test]
fn the_names_that_a_file_uses_are_found() {
    let code = "use crate::a::b;\nuse crate::{c::{d, e}, f as g,\n h};\nlet x = crate::i::J;";
    assert_eq!(used(code).into_iter().collect::<Vec<_>>(), ["a", "c", "f", "h", "i"]);
}

#[test]
fn the_domain_knows_neither_pingora_nor_axum() {
    let names = |text: &str, framework: &str| {
        let starts = |at: usize| {
            let before = text[..at].chars().next_back();
            !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == '"')
        };
        text.match_indices(framework).any(|(at, _)| starts(at))
    };
    let (mut wrong, mut looked_at) = (Vec::new(), BTreeSet::new());
    for source in sources().into_iter().filter(|source| DOMAIN.contains(&source.module.as_str())) {
        for framework in ["pingora_", "axum::", "hyper::", "tonic::", "prost::"] {
            if names(&source.code, framework) {
                wrong.push(format!("{} names {framework}", source.path.display()));
            }
        }
        looked_at.insert(source.module);
    }
    assert_eq!(looked_at.len(), DOMAIN.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_framework_stays_in_its_own_room() {
    for (framework, rooms) in [
        ("pingora_core::", ["listen", "proxy", "telemetry"].as_slice()),
        ("axum::", &["admin", "cli", "simulator"]),
        ("tonic::", &["ext_authz"]),
        ("prost::", &["ext_authz"]),
        ("prometheus_client::", &["telemetry"]),
        ("ratatui::", &["cli"]),
        ("reqwest::", &["cli", "telemetry", "upstream", "wechat"]),
        ("jsonwebtoken::", &["session"]),
        ("toml::", &["config"]),
        ("clap::", &["cli", "main"]),
    ] {
        let users = sources().into_iter().filter(|source| source.code.contains(framework));
        let users: BTreeSet<_> = users.map(|source| source.module).collect();
        assert!(!users.is_empty(), "nobody uses {framework}");
        let strangers: Vec<_> =
            users.iter().filter(|user| !rooms.contains(&user.as_str())).collect();
        assert!(strangers.is_empty(), "{framework} in {strangers:?}");
    }
}

#[test]
fn no_file_is_longer_than_400_lines() {
    let long = sources().into_iter().filter(|source| source.lines > LONGEST_FILE);
    let long: Vec<_> =
        long.map(|source| format!("{}: {}", source.path.display(), source.lines)).collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn nothing_is_unwrapped_without_a_reason() {
    let mut wrong = Vec::new();
    for source in sources() {
        let lines: Vec<_> = source.code.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let unwraps = [".unwrap()", ".expect(", "panic!(", "unreachable!("];
            if unwraps.iter().any(|call| line.contains(call)) {
                let before = &lines[index.saturating_sub(4)..index];
                if !before.iter().any(|line| line.contains("reason = ")) {
                    wrong.push(format!("{}: {}", source.path.display(), line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
