//! Where a request came from, as the upstream is told: `X-Forwarded-*`, `Forwarded` (RFC 7239),
//! `X-Real-IP` and the request id. What a client says of it counts only where its peer is trusted.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use uuid::Uuid;

const FORWARDED: HeaderName = HeaderName::from_static("forwarded");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
/// The name of one request in every log that it comes by.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const MAX_REQUEST_ID: usize = 128;
/// Enough for an element of `Forwarded`.
const TEXT_CAPACITY: usize = 128;

/// The peers whose word is taken for where a request came from.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(pub Vec<IpNet>);

/// Where a request came from.
#[derive(Debug)]
pub struct Origin<'a> {
    peer: IpAddr,
    trusted: bool,
    tls: bool,
    host: &'a str,
    headers: &'a HeaderMap,
}

impl TrustedProxies {
    /// Whether an address is one of theirs.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&address.to_canonical()))
    }

    /// Where a request came from. A peer on a unix socket is this machine.
    pub fn origin<'a>(
        &self,
        peer: Option<IpAddr>,
        tls: bool,
        host: &'a str,
        headers: &'a HeaderMap,
    ) -> Origin<'a> {
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.to_canonical());
        Origin { peer, trusted: self.contains(peer), tls, host, headers }
    }

    /// The address of the client itself: the last one that no trusted proxy has.
    pub fn client(&self, origin: &Origin<'_>) -> IpAddr {
        if !origin.trusted {
            return origin.peer;
        }
        let chain = origin.headers.get_all(X_FORWARDED_FOR).iter().rev();
        let chain = chain.filter_map(|line| line.to_str().ok()).flat_map(|line| line.rsplit(','));
        let addresses = chain.map(|text| text.trim().parse::<IpAddr>());
        let mut client = origin.peer;
        for address in addresses {
            // What stands behind a text that is no address was written by nobody we trust.
            let Ok(address) = address else { break };
            client = address.to_canonical();
            if !self.contains(client) {
                break;
            }
        }
        client
    }
}

impl Origin<'_> {
    /// The request id: a trusted peer's, else a new one.
    pub fn request_id(&self) -> HeaderValue {
        let given = self.trusted.then(|| given_request_id(self.headers)).flatten();
        given.unwrap_or_else(new_request_id)
    }

    /// The headers of the request where its peer is trusted.
    pub fn believed(&self) -> Option<&HeaderMap> {
        self.trusted.then_some(self.headers)
    }

    /// Writes the headers.
    pub fn write(&self, client: IpAddr, request_id: &HeaderValue, headers: &mut HeaderMap) {
        let (proto, host) = (self.proto(), self.host());
        // All texts are written into one, which grows once.
        let text = &mut String::with_capacity(TEXT_CAPACITY);
        write_address(client, text);
        let client_value = header_value(text);
        let chain = match self.trusted {
            true => {
                self.begin_list(&X_FORWARDED_FOR, text);
                write_address(self.peer, text);
                header_value(text)
            }
            false => client_value.clone(),
        };
        self.begin_list(&FORWARDED, text);
        write_element(self.peer, host, proto, text);
        headers.insert(X_FORWARDED_FOR, chain);
        headers.insert(FORWARDED, header_value(text));
        headers.insert(X_REAL_IP, client_value);
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(proto));
        headers.insert(X_FORWARDED_HOST, header_value(host));
        headers.insert(X_REQUEST_ID, request_id.clone());
    }

    fn proto(&self) -> &'static str {
        match self.given(&X_FORWARDED_PROTO) {
            Some("https") => "https",
            Some("http") => "http",
            _ if self.tls => "https",
            _ => "http",
        }
    }

    fn host(&self) -> &str {
        self.given(&X_FORWARDED_HOST).unwrap_or(self.host)
    }

    /// A trusted peer's header.
    fn given(&self, name: &HeaderName) -> Option<&str> {
        let value = self.trusted.then(|| self.headers.get(name)).flatten()?;
        value.to_str().ok().filter(|text| !text.is_empty())
    }

    /// Begins a text with the lines of a trusted peer's header, to which one more is added.
    fn begin_list(&self, name: &HeaderName, text: &mut String) {
        text.clear();
        if !self.trusted {
            return;
        }
        let lines = self.headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
        for line in lines.map(str::trim).filter(|line| !line.is_empty()) {
            text.push_str(line);
            text.push_str(", ");
        }
    }
}

/// The request id of these headers, where it can be one.
pub fn given_request_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let fits = |value: &&HeaderValue| {
        let visible = |byte: &u8| byte.is_ascii_graphic();
        (1..=MAX_REQUEST_ID).contains(&value.len()) && value.as_bytes().iter().all(visible)
    };
    headers.get(X_REQUEST_ID).filter(fits).cloned()
}

/// A new request id: its first part is the time, so that ids sort by it.
pub fn new_request_id() -> HeaderValue {
    let mut text = Uuid::encode_buffer();
    let id = Uuid::now_v7().hyphenated().encode_lower(&mut text);
    // A UUID is visible ASCII.
    HeaderValue::from_str(id).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

/// One element of `Forwarded`: an IPv6 address is bracketed and quoted (RFC 7239, 6), and so is a host
/// that is no token.
fn write_element(peer: IpAddr, host: &str, proto: &str, text: &mut String) {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let quote = if host.bytes().all(token) { "" } else { "\"" };
    let (before, after) = if peer.is_ipv6() { ("for=\"[", "]\"") } else { ("for=", "") };
    text.push_str(before);
    write_address(peer, text);
    for part in [after, ";host=", quote, host, quote, ";proto=", proto] {
        text.push_str(part);
    }
}

/// As `Display` does, which for IPv4 costs ten times as much.
fn write_address(address: IpAddr, text: &mut String) {
    match address {
        IpAddr::V4(address) => {
            for (position, octet) in address.octets().into_iter().enumerate() {
                text.push_str(if position > 0 { "." } else { "" });
                text.push_str(itoa::Buffer::new().format(octet));
            }
        }
        // A String takes everything.
        IpAddr::V6(address) => drop(write!(text, "{address}")),
    }
}

/// All of its parts are visible ASCII by now; a value that were not is said to be unknown (RFC 7239, 6).
fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(trusted: &str, peer: &str, headers: &[(&str, &str)]) -> Vec<(String, String)> {
        let nets = trusted.split(',').filter(|net| !net.is_empty());
        let proxies = TrustedProxies(nets.map(|net| net.parse().unwrap()).collect());
        let headers = headers.iter().map(|(name, value)| {
            (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap())
        });
        let headers: HeaderMap = headers.collect();
        let origin = proxies.origin(Some(peer.parse().unwrap()), false, "a.example:8080", &headers);
        let mut written = HeaderMap::new();
        origin.write(proxies.client(&origin), &HeaderValue::from_static("r"), &mut written);
        let names = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip"];
        let names = names.into_iter().chain(["forwarded"]);
        let text = |name: &str| written[name].to_str().unwrap().to_owned();
        names.map(|name| (name.to_owned(), text(name))).collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn an_untrusted_peers_word_counts_for_nothing() {
        let spoofed = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-proto", "https")];
        let expected = [
            ("x-forwarded-for", "9.9.9.9"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", "a.example:8080"),
            ("x-real-ip", "9.9.9.9"),
            ("forwarded", "for=9.9.9.9;host=\"a.example:8080\";proto=http"),
        ];
        assert_eq!(written("10.0.0.0/8", "9.9.9.9", &spoofed), pairs(&expected));
    }

    #[test]
    fn a_trusted_peers_chain_is_kept_and_the_client_is_the_last_untrusted_one() {
        let given = [
            ("x-forwarded-for", "6.6.6.6, 7.7.7.7, 10.1.1.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "shop.example"),
        ];
        let expected = [
            ("x-forwarded-for", "6.6.6.6, 7.7.7.7, 10.1.1.1, 10.2.2.2"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "shop.example"),
            ("x-real-ip", "7.7.7.7"),
            ("forwarded", "for=10.2.2.2;host=shop.example;proto=https"),
        ];
        assert_eq!(written("10.0.0.0/8", "10.2.2.2", &given), pairs(&expected));
    }

    #[test]
    fn addresses_of_version_six_are_bracketed() {
        let written = written("", "2001:db8::1", &[]);
        assert_eq!(
            written.last().unwrap().1,
            "for=\"[2001:db8::1]\";host=\"a.example:8080\";proto=http"
        );
    }

    #[test]
    fn a_request_id_is_taken_over_from_a_trusted_peer_only() {
        let headers: HeaderMap =
            [(X_REQUEST_ID, HeaderValue::from_static("mine"))].into_iter().collect();
        let trusted = TrustedProxies(vec!["10.0.0.0/8".parse().unwrap()]);
        let near = trusted.origin(Some("10.0.0.1".parse().unwrap()), false, "a", &headers);
        assert_eq!(near.request_id(), "mine");
        let far = trusted.origin(Some("9.9.9.9".parse().unwrap()), false, "a", &headers);
        assert_ne!(far.request_id(), "mine");
        assert_eq!(far.request_id().len(), 36);
    }
}
