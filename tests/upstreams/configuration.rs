//! What cannot work is refused when the configuration is read.

use std::path::Path;

use tempfile::TempDir;

use crate::certificates::Authority;
use crate::support::gateway::{file, parse};

/// What is wrong with an upstream of this server with these keys, without the places.
fn problems(server: &str, keys: &str, routes: &str, folder: &Path) -> Vec<String> {
    let text = file(&[server.to_owned()], keys, routes);
    match parse(&text, folder, "http://127.0.0.1:1") {
        Ok(_) => Vec::new(),
        Err(problems) => problems.list.iter().map(ToString::to_string).collect(),
    }
}

#[track_caller]
fn is_refused(server: &str, keys: &str, message: &str) {
    let found = problems(server, keys, "", Path::new(""));
    assert!(matches!(&found[..], [one] if one.contains(message)), "{keys}: {found:#?}");
}

fn route(keys: &str) -> String {
    format!("[[routes]]\npath = \"/a/**\"\nupstream = \"shop\"\nauth = \"none\"\n{keys}")
}

#[track_caller]
fn route_is_refused(keys: &str, message: &str) {
    let found = problems("http://b", "", &route(keys), Path::new(""));
    assert!(matches!(&found[..], [one] if one.contains(message)), "{keys}: {found:#?}");
}

#[test]
fn keys_of_an_upstream_fit_its_servers() {
    is_refused("http://b", "tls = { server_name = \"b\" }", "without a server of https");
    is_refused("unix:/run/b", "preserve_host = false", "a unix socket has none of its own");
    is_refused("https://b", "tls = { server_name = \"\" }", "is no host name");
    is_refused("https://b", "tls = { server_name = \"10.0.0.1\" }", "is no host name");
    is_refused("https://b", "balance = \"random\"", "is none of the values");
    is_refused("http://b", "health = { interval = \"1s\" }", "\"path\" in [upstreams.shop.health]");
    is_refused("http://b", "health = { path = \"up\" }", "is no path");
    is_refused("http://b", "eject = { failures = -1 }", "is not from 0 to 1000");
    let long = format!("unix:/{}", "a".repeat(108));
    is_refused(&long, "", "too long for a socket");
}

#[test]
fn certificates_are_read_with_the_configuration() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let authority = Authority::new();
    authority.write(&at("ca.crt"));
    authority.sign("one.test").write(&at("one.crt"), &at("one.key"));
    authority.sign("two.test").write(&at("two.crt"), &at("two.key"));
    std::fs::write(at("empty"), "nothing\n").unwrap();
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(at("damaged"), damaged).unwrap();
    let found = |tls: &str| problems("https://b", &format!("tls = {{ {tls} }}"), "", folder.path());
    assert_eq!(found("ca = \"ca.crt\", cert = \"one.crt\", key = \"one.key\""), [] as [&str; 0]);
    for (tls, message) in [
        ("cert = \"one.crt\"", "\"key\" of the client certificate is missing"),
        ("key = \"one.key\"", "\"cert\" of the client certificate is missing"),
        ("cert = \"one.crt\", key = \"two.key\"", "is not the key of the certificate"),
        ("cert = \"one.crt\", key = \"two.crt\"", "holds no private key"),
        ("ca = \"one.key\"", "holds no certificate"),
        ("ca = \"empty\"", "holds no certificate"),
        ("ca = \"damaged\"", "cannot be used"),
        ("ca = \"missing\"", "cannot be read"),
    ] {
        let found = found(tls);
        assert!(matches!(&found[..], [one] if one.contains(message)), "{tls}: {found:#?}");
    }
}

#[test]
fn no_route_changes_what_is_the_gateways() {
    for name in [
        "X-WX-OPENID",
        "x_wx_openid",
        "X-Session-Token",
        "X-Forwarded-For",
        "Forwarded",
        "X-Request-Id",
        "Connection",
        "Transfer-Encoding",
        "Content-Length",
        "Host",
        "Upgrade",
    ] {
        for table in ["request_headers", "response_headers"] {
            let message = "is no header that a route may change";
            route_is_refused(&format!("{table} = {{ remove = [\"{name}\"] }}"), message);
            route_is_refused(&format!("{table} = {{ set = {{ \"{name}\" = \"x\" }} }}"), message);
        }
    }
    let value = "is no header value";
    route_is_refused("request_headers = { set = { X-A = \"a\\r\\nb\" } }", value);
    route_is_refused("request_headers = { set = { X-A = \"\" } }", value);
    route_is_refused("request_headers = { set = { X-A = \"微\" } }", value);
    route_is_refused("request_headers = { add = { X-A = \"1\" } }", "unknown table \"add\"");
}

#[test]
fn rewriting_makes_a_path_that_a_request_could_have() {
    route_is_refused("rewrite = \"/b\"", "the route is a prefix");
    route_is_refused("rewrite = \"/b/../c/**\"", "write it as `/c/**`");
    route_is_refused("rewrite = \"/b//**\"", "write it as `/b/**`");
    route_is_refused("rewrite = \"/b%2f/**\"", "ambiguous");
    route_is_refused("rewrite = \"b/**\"", "must start with `/`");
    assert_eq!(problems("http://b", "", &route("rewrite = \"/**\""), Path::new("")), [""; 0]);
}
