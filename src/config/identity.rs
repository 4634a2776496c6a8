//! `[identity]`.

mod assertion;

use std::collections::BTreeMap;

use http::HeaderName;

use super::key::Key;
use super::problem::Complaint;
use super::reader::{Place, Reader};
use super::section::{Section, check_name};
use super::value::Form;
use crate::identity::{HOP_BY_HOP, Settings};
use crate::session::token::SigningKey;

pub(super) const HEADER: Form =
    Form { noun: "header name", help: r#"write a name like "X-User-Id""# };

/// The fields by which a request is read, routed or authenticated: like the hop-by-hop ones, none of them
/// can say who the user is.
const TAKEN: [&str; 3] = ["authorization", "cookie", "host"];

/// What other tables say that matters here.
pub(super) struct Around<'a> {
    pub(super) appids: Vec<&'a str>,
    /// Those that are given.
    pub(super) signing_keys: &'a [SigningKey],
    /// Whether the store is one for several gateways.
    pub(super) shared: bool,
}

pub(super) fn read(identity: &mut Section<'_>, around: &Around<'_>) -> Settings {
    let default = Settings::default();
    let mut names = Names::default();
    let settings = Settings {
        openid: names.read(identity.key("openid"), default.openid),
        unionid: names.read(identity.key("unionid"), default.unionid),
        appid: names.read(identity.key("appid"), default.appid),
        source: names.read(identity.key("source"), default.source),
        call_id: names.read(identity.key("call_id"), default.call_id),
        env: names.read(identity.key("env"), default.env),
        claims: names.claims(identity),
        assertion: identity
            .key("assertion")
            .table(|table| assertion::read(table, &mut names, around))
            .optional(),
        forward_token: identity.key("forward_token").boolean().or(default.forward_token),
    };
    names.report_doubles(identity.reader());
    settings
}

/// As an upstream may read a name that comes in by CGI's rules: `-`, `_` and `.` are one there.
pub(super) fn folded(name: &HeaderName) -> String {
    name.as_str().replace(['_', '.'], "-")
}

/// The names so far, which have to be distinct.
#[derive(Default)]
struct Names(Vec<Named>);

struct Named {
    header: HeaderName,
    place: Place,
    is_given: bool,
}

impl Names {
    fn read(&mut self, key: Key<'_>, default: HeaderName) -> HeaderName {
        let read = key.parsed(&HEADER, header);
        let (place, is_given) = (read.place(), read.is_given());
        let header = read.or(default);
        self.0.push(Named { header: header.clone(), place, is_given });
        header
    }

    fn claims(&mut self, identity: &mut Section<'_>) -> BTreeMap<String, HeaderName> {
        let mut claims = BTreeMap::new();
        for (name, place, item) in identity.entries("claims") {
            check_name(identity.reader(), place, name);
            if let Some(header) = item.parsed(&HEADER, header) {
                self.0.push(Named { header: header.clone(), place: item.place(), is_given: true });
                claims.insert(name.to_owned(), header);
            }
        }
        claims
    }

    fn report_doubles(&self, reader: &Reader<'_>) {
        for (index, later) in self.0.iter().enumerate() {
            let same = |earlier: &&Named| folded(&earlier.header) == folded(&later.header);
            let Some(earlier) = self.0.iter().take(index).find(same) else { continue };
            let place = if later.is_given { later.place } else { earlier.place };
            let complaint = Complaint::new("two keys of [identity] name one header").help(
                "upstreams read `_` and `.` as `-`, and any case; give each key a name of its own",
            );
            reader.problem(place, complaint);
        }
    }
}

fn header(text: &str) -> Result<HeaderName, Complaint> {
    let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| HEADER.missed())?;
    let plain = folded(&name);
    let taken = TAKEN.contains(&plain.as_str()) || HOP_BY_HOP.contains(&plain.as_str());
    match taken || plain.starts_with("content-") {
        true => Err(Complaint::new("has a meaning of its own in HTTP").help(HEADER.help)),
        false => Ok(name),
    }
}
