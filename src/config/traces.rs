//! `[traces]`.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri, header};

use super::header_value;
use super::identity::HEADER;
use super::problem::Complaint;
use super::reader::Place;
use super::secret::from_file;
use super::section::Section;
use super::url::Origin;
use super::value::{Form, Item, quoted};
use crate::telemetry::traces::{Ratio, Settings};

const ENDPOINT: Form = Form {
    noun: "URL of a collector of OTLP over HTTP",
    help: r#"write "http://collector:4318", or the whole URL where its path is not /v1/traces"#,
};
/// Where collectors take spans, unless they say otherwise (OTLP 1.x).
const PATH: &str = "/v1/traces";

/// What says how a batch is written and sent.
const OWN: [HeaderName; 6] = [
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::USER_AGENT,
];

pub(super) fn read(traces: &mut Section<'_>) -> Option<Settings> {
    let secret = |complaint: Complaint| complaint.hide_value().without_suggestion();
    let endpoint = traces.key("endpoint").parsed(&ENDPOINT, |text| endpoint(text).map_err(secret));
    let sample = traces.key("sample").number().check(|part| match Ratio::new(*part) {
        Some(_) => Ok(()),
        None => Err(Complaint::new("is not from 0 to 1")),
    });
    let service_name = traces.key("service_name").text();
    let timeout = traces.key("timeout").timeout();
    let tables = ["headers", "headers_file"].map(|table| traces.key(table));
    let headers = headers(traces);
    if !endpoint.is_given() {
        tables.iter().for_each(|table| table.unused("without an endpoint"));
        sample.unused("without an endpoint");
        service_name.unused("without an endpoint");
        timeout.unused("without an endpoint");
    }
    Some(Settings {
        endpoint: endpoint.optional()?,
        sample: sample.optional().and_then(Ratio::new).unwrap_or(Ratio::ALL),
        service_name: service_name.or("wxgate".to_owned()),
        headers,
        timeout: timeout.or(Duration::from_secs(10)),
    })
}

/// A URL without a path is that of a collector; one with a path says where it takes spans.
fn endpoint(text: &str) -> Result<Uri, Complaint> {
    let uri: Uri = text.parse().map_err(|_| ENDPOINT.missed())?;
    if uri.query().is_some() || text.contains('#') {
        return Err(Complaint::new("must end after the path").help(ENDPOINT.help));
    }
    let path = if uri.path() == "/" { PATH } else { uri.path() };
    let origin = Origin::parse(text.strip_suffix(uri.path()).unwrap_or(text), &ENDPOINT)?;
    match origin.scheme.as_str() {
        "http" | "https" => {
            let whole = format!("{}{path}", origin.uri.to_string().trim_end_matches('/'));
            whole.parse().map_err(|_| ENDPOINT.missed())
        }
        _ => Err(ENDPOINT.missed()),
    }
}

/// Their values, or the files of their values: what collectors ask for is a secret as a rule.
fn headers(traces: &mut Section<'_>) -> Vec<(HeaderName, HeaderValue)> {
    let value = |text: &str| header_value::parse(text).map_err(Complaint::hide_value);
    let given = named(traces, "headers", |item| {
        if let Some(complaint) = item.open_secret("headers_file") {
            item.label().warn(complaint.hide_value());
        }
        item.parsed(&header_value::VALUE, value)
    });
    let in_file = named(traces, "headers_file", |item| from_file(item, |_, text| value(text)));
    for (name, place, _) in &in_file {
        if given.iter().any(|(other, ..)| other == name) {
            let twice = Complaint::new("stands in `headers` too").help("keep one of them");
            traces.reader().problem(*place, twice.about(&quoted(name.as_str())));
        }
    }
    given.into_iter().chain(in_file).filter_map(|(name, _, value)| Some((name, value?))).collect()
}

/// The headers of this table, each with its place, and its value unless that has problems.
fn named<'r>(
    traces: &mut Section<'r>,
    table: &str,
    read: impl Fn(&Item<'r>) -> Option<HeaderValue>,
) -> Vec<(HeaderName, Place, Option<HeaderValue>)> {
    let mut headers: Vec<(HeaderName, _, _)> = Vec::new();
    for (name, place, item) in traces.entries(table) {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
            traces.reader().problem(place, HEADER.missed().about(&quoted(name)));
        });
        let value = read(&item);
        let Ok(name) = name else { continue };
        let problem = if OWN.contains(&name) {
            Some(Complaint::new("is the gateway's own to say").help("leave it out"))
        } else if headers.iter().any(|(other, ..)| *other == name) {
            Some(Complaint::new("stands here twice, in other letters").help("keep one of them"))
        } else {
            None
        };
        if let Some(problem) = problem {
            traces.reader().problem(place, problem.about(&quoted(name.as_str())));
        }
        headers.push((name, place, value));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_v1_traces_unless_there_is_another() {
        for (text, whole) in [
            ("http://collector:4318", "http://collector:4318/v1/traces"),
            ("http://collector:4318/", "http://collector:4318/v1/traces"),
            ("https://[::1]:4318", "https://[::1]:4318/v1/traces"),
            ("https://apm.example.com/otlp/x", "https://apm.example.com/otlp/x"),
        ] {
            assert_eq!(endpoint(text).ok().unwrap().to_string(), whole);
        }
        for text in ["collector:4318", "grpc://a", "http://a?x=1", "http://me:x@a", "/v1/traces"] {
            assert!(endpoint(text).is_err(), "{text}");
        }
    }
}
