//! What comes in with a dependency is what `deny.toml` lets in: licences, bans and sources of all that is built. cargo-deny
//! asks for more (advisories above all), but takes minutes to build where it is not there: `scripts/deny` runs it in CI.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy.toml allows them in tests, and this is what helps the tests"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use spdx::{Expression, Licensee, ParseMode};

/// `deny.toml`, as far as it is looked at here.
#[derive(Clone, serde::Deserialize)]
struct Policy {
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Clone, serde::Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Clone, serde::Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Clone, serde::Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    /// Who may have it all the same.
    #[serde(default)]
    wrappers: BTreeSet<String>,
}

#[derive(Clone, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

/// A package of what is built.
struct Package {
    name: String,
    license: String,
    /// None for our own.
    source: Option<String>,
    /// The names of those that need it.
    needed_by: BTreeSet<String>,
}

fn policy() -> Policy {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml");
    toml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// What cargo resolves for Linux, tests included.
fn packages() -> Vec<Package> {
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", &platform])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let list = |value: &Value| value.as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let names: BTreeMap<_, _> = list(&metadata["packages"])
        .iter()
        .map(|it| (text(&it["id"]).unwrap(), text(&it["name"]).unwrap()))
        .collect();
    let mut needed_by = BTreeMap::<String, BTreeSet<String>>::new();
    for node in list(&metadata["resolve"]["nodes"]) {
        let dependent = &names[node["id"].as_str().unwrap()];
        for dependency in list(&node["dependencies"]) {
            needed_by.entry(text(&dependency).unwrap()).or_default().insert(dependent.clone());
        }
    }
    let package = |it: &Value| Package {
        name: text(&it["name"]).unwrap(),
        license: text(&it["license"]).unwrap_or_default(),
        source: text(&it["source"]),
        needed_by: needed_by.remove(it["id"].as_str().unwrap()).unwrap_or_default(),
    };
    list(&metadata["packages"]).iter().map(package).collect()
}

/// Everything that the policy does not let in, in words.
fn problems(policy: &Policy, packages: &[Package]) -> Vec<String> {
    let mut found = Vec::new();
    for package in packages {
        let name = &package.name;
        if !is_allowed(&package.license, &policy.licenses.allow) {
            found.push(format!("{name}: its licence {:?} is not allowed", package.license));
        }
        let from = package.source.as_deref().map(|it| it.trim_start_matches("registry+"));
        if from.is_some_and(|from| !policy.sources.allow_registry.iter().any(|it| it == from)) {
            found.push(format!("{name}: it comes from {from:?}"));
        }
        for ban in policy.bans.deny.iter().filter(|ban| ban.name == *name) {
            let others: Vec<_> = package.needed_by.difference(&ban.wrappers).collect();
            if !others.is_empty() || package.needed_by.is_empty() {
                found.push(format!("{name}: it is banned, and needed by {others:?}"));
            }
        }
    }
    found
}

fn is_allowed(license: &str, allow: &[String]) -> bool {
    let allow: Vec<_> = allow.iter().map(|it| Licensee::parse(it).unwrap()).collect();
    let is_met = |wanted: &spdx::LicenseReq| allow.iter().any(|it| it.satisfies(wanted));
    // Lax, for the old form `MIT/Apache-2.0`.
    Expression::parse_mode(license, ParseMode::LAX).is_ok_and(|it| it.evaluate(is_met))
}

#[test]
fn nothing_comes_in_that_deny_toml_keeps_out() {
    let found = problems(&policy(), &packages());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn what_is_kept_out_is_noticed() {
    let (policy, packages) = (policy(), packages());
    assert!(packages.len() > 200, "{} packages are not all of them", packages.len());
    let noticed = |policy: &Policy| problems(policy, &packages).join("\n");

    let mut banned = policy.clone();
    banned.bans.deny.push(Ban { name: "ring".to_owned(), wrappers: BTreeSet::new() });
    assert!(noticed(&banned).contains("ring: it is banned, and needed by"), "{}", noticed(&banned));
    let mut unwrapped = policy.clone();
    unwrapped.bans.deny.iter_mut().for_each(|ban| ban.wrappers.clear());
    assert!(noticed(&unwrapped).contains("sha1: it is banned, and needed by [\"tungstenite\"]"));
    let mut strict = policy.clone();
    strict.licenses.allow.retain(|license| license != "ISC");
    assert!(noticed(&strict).contains("untrusted: its licence \"ISC\" is not allowed"));
    let mut elsewhere = policy;
    elsewhere.sources.allow_registry.clear();
    assert!(noticed(&elsewhere).contains("tokio: it comes from"));
}

#[test]
fn licences_are_read_as_their_words_say() {
    let allow = ["MIT", "Zlib"].map(str::to_owned);
    for license in ["MIT", "MIT OR GPL-3.0", "MIT/GPL-3.0", "(GPL-3.0 OR MIT) AND Zlib"] {
        assert!(is_allowed(license, &allow), "{license}");
    }
    for license in ["", "GPL-3.0", "MIT AND GPL-3.0", "MIT WITH LLVM-exception", "as you like"] {
        assert!(!is_allowed(license, &allow), "{license}");
    }
}
