//! What a route changes of requests and answers on their way: `rewrite` and the headers.

use http::HeaderName;

use crate::config::header_value;
use crate::config::identity::HEADER;
use crate::config::key::Read;
use crate::config::problem::Complaint;
use crate::config::section::Section;
use crate::config::value::{Form, quoted};
use crate::identity::HeaderRules;
use crate::policy::route::{BadPattern, BadRewrite, HeaderChanges, Pattern, Rewrite};

const REWRITE: Form = Form { noun: "path for the upstream", help: r#"write "/assets/**""# };
/// The keys of a route, together.
pub(super) struct Changes {
    pub(super) rewrite: Option<Rewrite>,
    pub(super) request_headers: HeaderChanges,
    pub(super) response_headers: HeaderChanges,
}

pub(super) fn read(
    table: &mut Section<'_>,
    path: Option<&Pattern>,
    rules: &HeaderRules,
    has_upstream: bool,
) -> Changes {
    let rewrite = table.key("rewrite").parsed(&REWRITE, |text| rewrite(text, path));
    let request = table.key("request_headers").table(|table| headers(table, rules));
    let response = table.key("response_headers").table(|table| headers(table, rules));
    if !has_upstream {
        without_upstream(&rewrite);
        without_upstream(&request);
        without_upstream(&response);
    }
    Changes {
        rewrite: rewrite.optional().flatten(),
        request_headers: request.optional().unwrap_or_default(),
        response_headers: response.optional().unwrap_or_default(),
    }
}

fn without_upstream<T>(read: &Read<'_, T>) {
    read.unused("without an upstream");
}

/// There is none where the route's own path is wrong, which was said.
fn rewrite(text: &str, path: Option<&Pattern>) -> Result<Option<Rewrite>, Complaint> {
    let complaint = |bad: BadRewrite| match bad {
        BadRewrite::Pattern(BadPattern::NotCanonical(_)) => {
            REWRITE.missed().help("it must be what it is read as").suggest(bad.to_string())
        }
        bad => REWRITE.missed().help(bad.to_string()),
    };
    path.map(|path| Rewrite::parse(text, path).map_err(complaint)).transpose()
}

fn headers(table: &mut Section<'_>, rules: &HeaderRules) -> Option<HeaderChanges> {
    let remove = table.key("remove").list(&HEADER, |text| header(text, rules));
    let mut set = Vec::new();
    for (name, place, item) in table.entries("set") {
        let name = header(name, rules)
            .map_err(|complaint| table.reader().problem(place, complaint.about(&quoted(name))));
        let value = item.parsed(&header_value::VALUE, header_value::parse);
        set.extend(name.ok().zip(value));
    }
    Some(HeaderChanges { remove: remove.optional().unwrap_or_default(), set })
}

fn header(text: &str, rules: &HeaderRules) -> Result<HeaderName, Complaint> {
    let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| HEADER.missed())?;
    match rules.reserves(&name) {
        true => Err(Complaint::new("is no header that a route may change").help(
            "identity, origin, framing, hop-by-hop and Host are the gateway's own; \
             see preserve_host for Host",
        )),
        false => Ok(name),
    }
}
