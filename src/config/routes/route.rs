//! One `[[routes]]` table.

use http::Method;

use super::{action, changes, cors, profile};
use crate::config::key::Read;
use crate::config::problem::{Complaint, nearest_of};
use crate::config::rate;
use crate::config::reader::Place;
use crate::config::section::Section;
use crate::config::value::{Form, TEXT};
use crate::identity::HeaderRules;
use crate::policy::guard::METHODS;
use crate::policy::route::{Action, BadPattern, Pattern, Route};

const PATH: Form = Form { noun: "path of a route", help: r#"write "/wxLogin" or "/api/**""# };
const HOST: Form = Form {
    noun: "host of a route",
    help: r#"write "shop.example.com", in lower case and without a port"#,
};
const METHOD: Form = Form { noun: "method of a route", help: r#"write "GET" or "POST""# };
const POINTER: Form = Form { noun: "JSON pointer", help: r#"write it as "/data/token""# };

/// What a route can refer to.
pub(super) struct Names<'a> {
    pub(super) apps: &'a [String],
    pub(super) upstreams: &'a [String],
    pub(super) rules: &'a HeaderRules,
}

/// Reads a route, with the place of its path. One with a problem is there all the same where it can
/// be told which requests it takes: two routes may still both win.
pub(super) fn read(table: &mut Section<'_>, names: &Names<'_>) -> Option<(Route, Place)> {
    let path = table.key("path").parsed(&PATH, path);
    let host = table.key("host").parsed(&HOST, host);
    let methods = methods(table);
    let apps = apps(table, names.apps);
    let purpose = action::read(table, names.upstreams);
    let timeout = table.key("timeout").timeout();
    let connect_timeout = table.key("connect_timeout").timeout();
    if !purpose.has_upstream {
        timeout.unused("without an upstream");
        connect_timeout.unused("without an upstream");
    }
    let changes = changes::read(table, path.value(), names.rules, purpose.has_upstream);
    let token_at = table.key("token_at").parsed(&POINTER, pointer);
    let is_plain = |action| action != Action::Login || !purpose.has_upstream;
    if purpose.action.is_some_and(is_plain) {
        token_at.misplaced("but at a login with an upstream, whose answer gets the token");
    }
    let profile = profile::read(table, purpose.action);
    let body_size = table.key("body_size").size(1);
    let rate = table.key("rate").table(rate::of_route);
    let cors = table.key("cors").table(cors::read);
    if purpose.action == Some(Action::Authorize) {
        body_size.unused("at action \"authorize\", which reads no body");
        cors.misplaced("at action \"authorize\": pages ask the gateway in front");
    }

    let place = path.place();
    if host.is_wrong() || methods.is_wrong() {
        return None;
    }
    let route = Route {
        position: 0,
        name: String::new(),
        path: path.required(PATH.help)?,
        host: host.optional(),
        methods: methods.optional().unwrap_or_default(),
        action: purpose.action.unwrap_or(Action::Proxy),
        auth: purpose.auth,
        upstream: purpose.upstream,
        apps,
        rewrite: changes.rewrite,
        request_headers: changes.request_headers,
        response_headers: changes.response_headers,
        connect_timeout: connect_timeout.optional(),
        timeout: timeout.optional(),
        body_size: body_size.optional(),
        rate: rate.optional(),
        cors: cors.optional(),
        token_at: token_at.optional(),
        profile,
    };
    Some((route, place))
}

/// The position of a name among those that it can be.
pub(super) fn position(kind: &str, name: &str, names: &[String]) -> Result<usize, Complaint> {
    names.iter().position(|known| known == name).ok_or_else(|| {
        let define = || format!("define it as [{kind}s.NAME]");
        let help = nearest_of(name, names).unwrap_or_else(define);
        Complaint::new(format!("is no {kind} of this file")).help(help)
    })
}

fn path(text: &str) -> Result<Pattern, Complaint> {
    Pattern::parse(text).map_err(|bad| match bad {
        BadPattern::NotCanonical(_) => PATH
            .missed()
            .help("requests are brought into another form before they are matched")
            .suggest(bad.to_string()),
        bad => PATH.missed().help(bad.to_string()),
    })
}

fn host(text: &str) -> Result<String, Complaint> {
    let named =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
    let numbered =
        |c: char| c.is_ascii_hexdigit() && !c.is_ascii_uppercase() || matches!(c, ':' | '.');
    let fits = match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(address) => address.chars().all(numbered),
        None => !text.is_empty() && text.len() <= 253 && text.chars().all(named),
    };
    fits.then(|| text.to_owned()).ok_or_else(|| HOST.missed())
}

fn methods<'r>(table: &mut Section<'r>) -> Read<'r, Vec<Method>> {
    let mut seen = Vec::new();
    table.key("methods").list(&METHOD, |text| {
        let method = METHODS.iter().find(|method| method.as_str() == text).ok_or_else(|| {
            let names = METHODS.each_ref().map(Method::as_str);
            METHOD.missed().help(nearest_of(text, &names).unwrap_or_default())
        })?;
        if seen.contains(method) {
            return Err(Complaint::new("is there already"));
        }
        seen.push(method.clone());
        Ok(method.clone())
    })
}

fn apps(table: &mut Section<'_>, names: &[String]) -> Vec<usize> {
    let mut seen = Vec::new();
    let apps = table.key("app").one_or_more(|item| {
        item.parsed(&TEXT, |name| {
            let app = position("app", name, names)?;
            if seen.contains(&app) {
                return Err(Complaint::new("is there already"));
            }
            seen.push(app);
            Ok(app)
        })
    });
    apps.optional().unwrap_or_else(|| (0..names.len()).collect())
}

/// RFC 6901: segments after `/`, in which `~` stands only in `~0` and `~1`.
fn pointer(text: &str) -> Result<String, Complaint> {
    let escaped = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    match text.starts_with('/') && escaped {
        true => Ok(text.to_owned()),
        false => Err(POINTER.missed()),
    }
}
