//! URLs that name a server and nothing on it.

use std::net::{IpAddr, Ipv6Addr};

use http::Uri;

use super::problem::Complaint;
use super::value::Form;

/// A scheme, a host and perhaps a port.
pub(super) struct Origin {
    pub(super) scheme: String,
    /// In lower case; an IPv6 address without its brackets.
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) uri: Uri,
}

impl Origin {
    /// Reads `scheme://host` or `scheme://host:port`. What may stand there besides is `form`'s to say.
    pub(super) fn parse(text: &str, form: &Form) -> Result<Self, Complaint> {
        let origin = Self::parse_with_user(text, form)?;
        match text.contains('@') {
            true => Err(Complaint::new("must not hold a user or password")),
            false => Ok(origin),
        }
    }

    /// The same, with a user and password before the host.
    pub(super) fn parse_with_user(text: &str, form: &Form) -> Result<Self, Complaint> {
        let uri: Uri = text.parse().map_err(|_| form.missed())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(form.missed());
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() || text.contains('#') {
            return Err(Complaint::new("must end after the host and port").help(form.help));
        }
        let host = plain_host(authority.host()).ok_or_else(|| form.missed())?;
        let port = authority.port_u16();
        let after_user = authority.as_str().rsplit('@').next().unwrap_or_default();
        let has_port_text = after_user.len() > authority.host().len();
        if port == Some(0) || has_port_text && port.is_none() {
            return Err(Complaint::new("has no port from 1 to 65535"));
        }
        Ok(Self { scheme: scheme.to_owned(), host, port, uri })
    }

    pub(super) fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    }
}

/// A host name or address in lower case, an IPv6 address without its brackets.
fn plain_host(host: &str) -> Option<String> {
    if let Some(inner) = host.strip_prefix('[') {
        let address = inner.strip_suffix(']')?;
        return address.parse::<Ipv6Addr>().ok().map(|address| address.to_string());
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (!host.is_empty() && host.chars().all(fits)).then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: Form = Form { noun: "URL", help: "" };

    #[test]
    fn an_origin_is_a_scheme_a_host_and_a_port() {
        for (text, host, port) in [
            ("http://shop", "shop", None),
            ("https://Shop.example.com:8443", "shop.example.com", Some(8443)),
            ("http://127.0.0.1:3000/", "127.0.0.1", Some(3000)),
            ("http://[::1]:3000", "::1", Some(3000)),
            ("http://[fd00::1]", "fd00::1", None),
        ] {
            let origin = Origin::parse(text, &FORM).ok().unwrap();
            assert_eq!((origin.host.as_str(), origin.port), (host, port), "{text}");
        }
    }

    #[test]
    fn anything_more_is_refused() {
        for text in [
            "",
            "shop",
            "shop:3000",
            "http://",
            "http:///x",
            "http://shop/api",
            "http://shop?x=1",
            "http://shop/#x",
            "http://me:pass@shop",
            "http://shop:0",
            "http://shop:65536",
            "http://shop:",
            "http://[::1",
            "http://[zz]",
            "http://a b",
            "http://微信",
            "http://a%41",
            "//shop",
        ] {
            assert!(Origin::parse(text, &FORM).is_err(), "{text}");
        }
    }
}
