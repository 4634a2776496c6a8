//! The explanation for people.

use http::header::HOST;
use http::{HeaderMap, Method};

use super::json::place;
use super::{Explained, why};
use crate::cli::output::Output;
use crate::policy::rate::Per;
use crate::policy::route::{Auth, Route};
use crate::proxy::explain::{Decision, Forwarded, Token};
use crate::refusal::{Reason, Refusal};

/// How wide the words on the left are.
const MARGIN: usize = 11;

pub(super) fn of(explained: &Explained<'_>, output: Output) -> String {
    let explanation = &explained.explanation;
    let mut report = Report { text: String::new(), output };
    let args = explained.args;
    let request = format!("{} {}", args.method, args.target);
    report.line("request", &output.strong(request));
    report.line("", &format!("to the host {}, from {}", explained.host, args.from));
    if let Some(path) = explanation.path.as_deref() {
        let written = args.target.split('?').next().unwrap_or_default();
        let is_other = if path == written { "" } else { ", which is what it is read as" };
        report.line("path", &format!("{path}{is_other}"));
    }
    let wins = explanation.outcome.as_ref().ok().map(|decision| &decision.route);
    if let Some(route) = wins {
        report.line("route", &output.good(title(route, explained)));
    }
    for (route, fit) in &explanation.considered {
        let (fit, words) = why(route, *fit, wins);
        if fit != "wins" {
            report.line("", &format!("{} {words}", title(route, explained)));
        }
    }
    match &explanation.outcome {
        Ok(decision) => report.decision(decision, explained),
        Err(refusal) => report.refusal("answer", refusal),
    }
    report.text
}

struct Report {
    text: String,
    output: Output,
}

impl Report {
    fn line(&mut self, word: &str, text: &str) {
        let word = self.output.faint(format!("{word:MARGIN$}"));
        self.text += &format!("{word}{text}\n");
    }

    fn decision(&mut self, decision: &Decision, explained: &Explained<'_>) {
        if decision.preflight {
            self.line("answer", "the gateway's own: 204 to a preflight of a page, without a token");
            return;
        }
        self.token(decision, explained);
        if let Some(rate) = &decision.route.rate {
            let per =
                Per::NAMES.iter().find(|(_, per)| *per == rate.per).map_or("", |(name, _)| name);
            self.line("rate", &format!("limited per {per}; this request is not counted"));
        }
        self.line("body", &format!("at most {}", size(decision.body_limit)));
        let action = decision.route.action;
        match &decision.forwarded {
            Some(forwarded) => self.forwarded(forwarded, explained, decision),
            None => self.line(
                "answer",
                &format!("the gateway's own: action {}", self.output.strong(action.name())),
            ),
        }
    }

    fn token(&mut self, decision: &Decision, explained: &Explained<'_>) {
        let missing = Refusal::from(Reason::TokenMissing);
        let without = format!("{} {}", missing.status(), missing.reason.entry().code);
        let asked = match decision.route.authentication() {
            Auth::None => "not asked for; one of ours would be taken out".to_owned(),
            Auth::Optional => "optional; a bad one is refused".to_owned(),
            Auth::Required => format!("required; without one the answer is {without}"),
        };
        self.line("token", &asked);
        match &decision.token {
            Token::Ignored => {}
            Token::Missing => self.line("", "there is none here; what follows is for a good one"),
            Token::Signed(source, app) => {
                let app = explained.settings.apps.get(*app).map_or("", |app| app.name.as_str());
                let place = place(source);
                self.line("", &format!("found in {place}, signed for a user of {app}"));
                self.line("", "whether its session lives only the running gateway knows");
            }
        }
    }

    fn forwarded(&mut self, forwarded: &Forwarded, explained: &Explained<'_>, decision: &Decision) {
        let Some(upstream) = explained.settings.upstreams.get(forwarded.upstream) else { return };
        let servers: Vec<_> = upstream.servers.iter().map(ToString::to_string).collect();
        let name = self.output.good(&upstream.name);
        self.line("upstream", &format!("{name} at {}", servers.join(", ")));
        let (connect, timeout) = (forwarded.connect_timeout, forwarded.timeout);
        self.line("", &format!("{connect:?} to connect, {timeout:?} to its answer"));
        let method = if forwarded.own_body { "POST" } else { explained.args.method.as_str() };
        self.line("gets", &self.output.strong(format!("{method} {}", forwarded.target)));
        for (name, lines) in by_name(&forwarded.headers) {
            for line in lines {
                let is_host = name == HOST && line == explained.host;
                let given = is_host
                    || explained
                        .args
                        .headers
                        .iter()
                        .any(|(it, value)| it == name && *value == *line);
                let sign = if given { " " } else { "+" };
                self.line("", &format!("{sign} {name}: {line}"));
            }
        }
        if forwarded.own_body {
            let action = decision.route.action.name();
            self.line("", &format!("  and JSON with what the action {action} finds out"));
        }
        for (index, (name, why)) in forwarded.removed.iter().enumerate() {
            let word = if index == 0 { "gets not" } else { "" };
            self.line(word, &format!("{} {name} as it came: {why}", self.output.bad("-")));
        }
    }

    fn refusal(&mut self, word: &str, refusal: &Refusal) {
        let entry = refusal.reason.entry();
        let code = self.output.bad(format!("{} {}", entry.status, entry.code));
        self.line(word, &format!("{code}  {}", entry.detail));
        if let Some(note) = &refusal.note {
            self.line("", note);
        }
        if let Some(allow) = &refusal.allow {
            self.line("", &format!("Allow: {allow}"));
        }
    }
}

/// A route on one line: what it is for, and what it does.
fn title(route: &Route, explained: &Explained<'_>) -> String {
    let methods = route.methods.iter().map(Method::as_str).collect::<Vec<_>>().join(",");
    let methods = if methods.is_empty() { methods } else { format!("{methods} ") };
    let host = route.host.as_deref().unwrap_or_default();
    let upstream = route.upstream.and_then(|position| explained.settings.upstreams.get(position));
    let upstream = upstream.map(|upstream| format!(" to {}", upstream.name)).unwrap_or_default();
    format!("{methods}{host}{} ({}{upstream})", route.path, route.action.name())
}

fn by_name(headers: &HeaderMap) -> impl Iterator<Item = (&http::HeaderName, Vec<String>)> {
    headers.keys().map(|name| {
        let lines = headers.get_all(name).iter();
        (name, lines.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned()).collect())
    })
}

/// A number of bytes as people read it.
fn size(bytes: u64) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let unit = units.into_iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{bytes} bytes"), |(name, unit)| format!("{} {name}", bytes / unit))
}
