//! The `cors` of a route.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::config::identity::HEADER;
use crate::config::problem::Complaint;
use crate::config::section::Section;
use crate::config::url::Origin;
use crate::config::value::Form;
use crate::policy::cors::{Cors, Origins};

const ORIGIN: Form = Form {
    noun: "origin of a page",
    help: r#"write "https://shop.example.com", with the port where it is not the scheme's own, or "*""#,
};
const MAX_AGE: Duration = Duration::from_secs(600);

pub(super) fn read(table: &mut Section<'_>) -> Option<Cors> {
    let origins = table.key("origins").list(&ORIGIN, origin).check(|origins| {
        match origins.len() > 1 && origins.contains(&None) {
            true => Err(Complaint::new("\"*\" is every origin").help("leave the others out")),
            false => Ok(()),
        }
    });
    let is_any = origins.value().is_some_and(|origins| origins.contains(&None));
    let credentials =
        table.key("credentials").boolean().check(|credentials| match *credentials && is_any {
            true => Err(Complaint::new("would let every page act with its visitor's cookies")
                .help("name the origins")),
            false => Ok(()),
        });
    let headers = table.key("headers").list(&HEADER, header).optional().unwrap_or_default();
    let expose = table.key("expose").list(&HEADER, header).optional().unwrap_or_default();
    let max_age = table.key("max_age").duration().or(MAX_AGE);
    let credentials = credentials.or(false);
    let origins: Option<Vec<HeaderValue>> = origins.required(ORIGIN.help)?.into_iter().collect();
    let origins = origins.map_or(Origins::Any, Origins::Listed);
    Some(Cors::new(origins, credentials, &headers, &expose, max_age))
}

/// An origin to the letter as browsers send it, or none for all of them. `null` is what every sandboxed
/// page sends: nobody's.
fn origin(text: &str) -> Result<Option<HeaderValue>, Complaint> {
    if text == "*" {
        return Ok(None);
    }
    let origin = Origin::parse(text, &ORIGIN)?;
    let own_port = match origin.scheme.as_str() {
        "https" => 443,
        "http" => 80,
        _ => return Err(ORIGIN.missed()),
    };
    let host = match origin.host.contains(':') {
        true => format!("[{}]", origin.host),
        false => origin.host,
    };
    let port = origin.port.filter(|port| *port != own_port);
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    let written = format!("{}://{host}{port}", origin.scheme);
    if written != text {
        let complaint = Complaint::new("is not how browsers write it").help(ORIGIN.help);
        return Err(complaint.suggest(format!("write {written:?}")));
    }
    HeaderValue::try_from(written).map(Some).map_err(|_| ORIGIN.missed())
}

/// A `*` would not do what it says: it leaves Authorization out.
fn header(text: &str) -> Result<HeaderName, Complaint> {
    let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| HEADER.missed())?;
    if text.contains('*') { Err(HEADER.missed()) } else { Ok(name) }
}
