//! `assertion` of `[identity]`.

use std::time::Duration;

use super::{Around, Names};
use crate::config::problem::Complaint;
use crate::config::section::Section;
use crate::config::value::{Form, TEXT};
use crate::identity::assertion::{AssertionKey, Audience, Settings};

const KEY: Form = Form {
    noun: "key for assertions",
    help: "make one with `wxgate keys generate --signing ed25519 --out FILE`, and name it in keys_file",
};
/// Below it, clocks that are a little apart are in the way.
const SHORTEST: Duration = Duration::from_secs(10);
/// So long a user who logged out may still be vouched for.
const LONGEST: Duration = Duration::from_secs(3600);
const DEFAULT_TTL: Duration = Duration::from_secs(300);
const LONGEST_NAME: usize = 255;

pub(super) fn read(
    table: &mut Section<'_>,
    names: &mut Names,
    around: &Around<'_>,
) -> Option<Settings> {
    let header = names.read(table.key("header"), http::HeaderName::from_static("x-wx-assertion"));
    let ttl = table.key("ttl").timeout().check(|ttl| match (SHORTEST..=LONGEST).contains(ttl) {
        true => Ok(()),
        false => Err(Complaint::new("is no time for an assertion")
            .help("one is made for each request: write \"10s\" to \"1h\"")),
    });
    let issuer = table.key("issuer").parsed(&TEXT, party).or("wxgate".to_owned());
    let audience = table
        .key("audience")
        .parsed(&TEXT, party)
        .check(|audience| match around.appids.contains(&audience.as_str()) {
            true => {
                Err(Complaint::new("is an appid, which tokens of sessions have for their `aud`")
                    .help("name the service, or leave the key out for the name of each upstream"))
            }
            false => Ok(()),
        })
        .optional();
    let keys = keys(table, around);
    Some(Settings {
        header,
        ttl: ttl.or(DEFAULT_TTL),
        issuer,
        audience: audience.map_or(Audience::Upstream, Audience::All),
        keys,
    })
}

/// Where the gateway keeps any key over a restart, it keeps these: upstreams have them in their caches,
/// and with other replicas they are the same.
fn keys(table: &mut Section<'_>, around: &Around<'_>) -> Vec<AssertionKey> {
    let mut seen: Vec<AssertionKey> = Vec::new();
    let keys = table.secret("keys").list(&KEY, |text| {
        let key = AssertionKey::parse(text)
            .map_err(|bad| KEY.missed().help(format!("{bad}; {}", KEY.help)))?;
        if around.signing_keys.iter().any(|signing| key.is_also(signing)) {
            return Err(Complaint::new(
                "is in [session] signing_keys too: a token of a session could pass for an assertion",
            )
            .help(KEY.help));
        }
        if seen.contains(&key) {
            return Err(Complaint::new("is there already"));
        }
        seen.push(key.clone());
        Ok(key)
    });
    if !keys.is_given() && (around.shared || !around.signing_keys.is_empty()) {
        let missing = Complaint::new(
            "the keys of assertions are missing: those in [session] sign tokens, and nothing else",
        );
        table.reader().problem(table.place(), missing.help(KEY.help));
    }
    keys.optional().unwrap_or_default()
}

/// A name that `iss` and `aud` can have, as RFC 7519, 2 has it: a URI where there is a colon in it.
fn party(text: &str) -> Result<String, Complaint> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    let is_name = (1..=LONGEST_NAME).contains(&text.len()) && is_plain;
    let is_uri =
        || text.split_once(':').is_none_or(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty());
    match is_name && is_uri() {
        true => Ok(text.to_owned()),
        false => Err(Complaint::new("is no name of a service")
            .help("write one as \"shop\" or \"https://shop.example.com\", without spaces")),
    }
}

/// RFC 3986, 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}
