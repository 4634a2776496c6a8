//! `[session]`.

use std::time::Duration;

use http::HeaderName;

use super::problem::Complaint;
use super::section::Section;
use super::value::{Form, TEXT};
use crate::session::token::SigningKey;
use crate::session::{
    Cookie, LONGEST_LIFETIME, OnStoreOutage, Revocation, SameSite, Settings, TokenSource,
};

const DAY: Duration = Duration::from_secs(86_400);
const SIGNING_KEY: Form =
    Form { noun: "signing key", help: "make one with `openssl rand -base64 32`" };
const SOURCE: Form = Form {
    noun: "place of a token",
    help: r#"write "authorization", the name of a header, "cookie:NAME" or "query:NAME""#,
};

pub(super) fn read(session: &mut Section<'_>, shared: bool) -> Settings {
    let (idle, lifetime) = times(session);
    let sources = sources(session);
    Settings {
        idle,
        lifetime,
        signing_keys: signing_keys(session, shared),
        revocation: session
            .key("revocation")
            .choice(&[("instant", Revocation::Instant), ("none", Revocation::None)])
            .warn(|revocation| (*revocation == Revocation::None).then(without_revocation))
            .or(Revocation::Instant),
        on_store_outage: on_store_outage(session),
        open_data_max_age: Some(
            session.key("open_data_max_age").duration().or(Duration::from_secs(600)),
        )
        .filter(|age| !age.is_zero()),
        cookie: cookie(session, &sources),
        token_from: sources,
    }
}

fn without_revocation() -> Complaint {
    Complaint::new("lets every token live to its end: a logout ends nothing")
        .help("upstreams get no unionid and no claims, which only the session has")
}

fn times(session: &mut Section<'_>) -> (Duration, Duration) {
    let lifetime =
        session.key("lifetime").timeout().check(|lifetime| match *lifetime <= LONGEST_LIFETIME {
            true => Ok(()),
            false => Err(Complaint::new("is longer than 3650d, the longest life of a session")),
        });
    let lifetime = lifetime.or(7 * DAY);
    let idle = session.key("idle").timeout().check(|idle| match *idle <= lifetime {
        true => Ok(()),
        false => Err(Complaint::new("is longer than the lifetime of a session")
            .help("make it shorter, or `lifetime` longer")),
    });
    (idle.or(DAY.min(lifetime)), lifetime)
}

fn signing_keys(session: &mut Section<'_>, shared: bool) -> Vec<SigningKey> {
    let keys = session.secret("signing_keys").list(&SIGNING_KEY, |text| {
        SigningKey::parse(text).map_err(|bad| SIGNING_KEY.missed().help(bad.to_string()))
    });
    if shared && !keys.is_given() {
        let missing = Complaint::new(
            "\"signing_keys\" in [session] are missing: replicas must have the same",
        );
        session.reader().problem(session.place(), missing.help(SIGNING_KEY.help));
    }
    keys.optional().unwrap_or_default()
}

fn on_store_outage(session: &mut Section<'_>) -> OnStoreOutage {
    let choices = [("deny", false), ("allow-signed", true)];
    let allow = session.key("on_store_outage").choice(&choices).or(false);
    let grace = session.key("outage_grace").timeout();
    if !allow {
        grace.unused("without on_store_outage = \"allow-signed\"");
        return OnStoreOutage::Deny;
    }
    OnStoreOutage::AllowSigned(grace.or(Duration::from_secs(300)))
}

fn sources(session: &mut Section<'_>) -> Vec<TokenSource> {
    let mut seen = Vec::new();
    let sources = session.key("token_from").list(&SOURCE, |text| {
        let source = source(text)?;
        if seen.contains(&source) {
            return Err(Complaint::new("is there already"));
        }
        seen.push(source.clone());
        Ok(source)
    });
    sources.optional().unwrap_or_else(|| {
        vec![TokenSource::Authorization, TokenSource::Header(HeaderName::from_static("x-wx-skey"))]
    })
}

fn source(text: &str) -> Result<TokenSource, Complaint> {
    if let Some(name) = text.strip_prefix("cookie:") {
        return cookie_name(name).map(TokenSource::Cookie);
    }
    if let Some(name) = text.strip_prefix("query:") {
        return match name {
            "" => Err(SOURCE.missed()),
            name => Ok(TokenSource::Query(name.to_owned())),
        };
    }
    match text.to_ascii_lowercase().as_str() {
        "authorization" => Ok(TokenSource::Authorization),
        "cookie" => Err(SOURCE.missed().help("write \"cookie:NAME\"")),
        name => HeaderName::from_bytes(name.as_bytes())
            .map(TokenSource::Header)
            .map_err(|_| SOURCE.missed()),
    }
}

fn cookie(session: &mut Section<'_>, sources: &[TokenSource]) -> Option<Cookie> {
    let same_sites =
        [("strict", SameSite::Strict), ("lax", SameSite::Lax), ("none", SameSite::None)];
    let cookie = session.key("cookie").table(|cookie| {
        let name = cookie.key("name").parsed(&TEXT, cookie_name);
        let name =
            name.warn(|name| warning_of_scope(name)).warn(|name| warning_of_use(name, sources));
        let same_site = cookie.key("same_site").choice(&same_sites).or(SameSite::Lax);
        Some(Cookie { name: name.required("write \"__Host-wxgate\"")?, same_site })
    });
    cookie.optional()
}

fn warning_of_scope(name: &str) -> Option<Complaint> {
    (!name.starts_with("__Host-")).then(|| {
        Complaint::new("can be overwritten from other hosts of the domain")
            .help("write a name that begins with \"__Host-\"")
    })
}

fn warning_of_use(name: &str, sources: &[TokenSource]) -> Option<Complaint> {
    let is_read = sources.contains(&TokenSource::Cookie(name.to_owned()));
    (!is_read).then(|| {
        Complaint::new("is set at login but never read").help("add \"cookie:NAME\" to token_from")
    })
}

/// Our cookies are always `Secure` and for `/`, as `__Host-` and `__Secure-` ask for. Browsers know
/// these prefixes in any case, other programs only in this one.
fn cookie_name(name: &str) -> Result<String, Complaint> {
    // The name of a cookie and that of a header are both an RFC 9110 token.
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err(
            Complaint::new("is no name of a cookie").help("write letters, digits, `-` and `_`")
        );
    }
    for prefix in ["__Host-", "__Secure-"] {
        let begins = name.get(..prefix.len());
        if begins.is_some_and(|begins| begins.eq_ignore_ascii_case(prefix) && begins != prefix) {
            return Err(
                Complaint::new("has a prefix in the wrong case").help(format!("write {prefix}"))
            );
        }
        if name == prefix {
            return Err(Complaint::new("is only a prefix").help(format!("write {prefix}NAME")));
        }
    }
    Ok(name.to_owned())
}
