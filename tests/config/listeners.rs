//! `[server]` where listeners differ: what they inherit, and certificates that cannot be used.

use std::path::Path;

use rcgen::{CertificateParams, KeyPair};

use super::{file, problems, settings};

/// Writes a certificate and its key.
fn write_pair(folder: &Path, name: &str) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["a".to_owned()]).unwrap().self_signed(&key);
    std::fs::write(folder.join(format!("{name}.crt")), certificate.unwrap().pem()).unwrap();
    std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
}

/// The one problem of a listener with these files, behind its place.
#[track_caller]
fn problem(folder: &Path, tls: &str) -> String {
    let tls = tls.replace("~", &folder.display().to_string());
    let found = problems(&file(&format!("server.tls = {{ {tls} }}")));
    let [found] = found.as_slice() else { panic!("{found:#?}") };
    found.replace(&folder.display().to_string(), "~")
}

#[test]
fn a_listener_inherits_what_it_does_not_say_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    write_pair(folder.path(), "a");
    write_pair(folder.path(), "b");
    let path = folder.path().display();
    let text = format!(
        r#"[server]
tls = {{ cert = "{path}/a.crt", key = "{path}/a.key" }}
proxy_protocol = true
trusted_proxies = ["10.0.0.0/8"]
listen = ["127.0.0.1:1", {{ address = "127.0.0.1:2", tls = {{ cert = "{path}/b.crt", key = "{path}/b.key", client_ca = "{path}/a.crt" }}, proxy_protocol = false, h2c = false }}]"#
    );
    let listeners = settings(&file(&text)).server.listeners;
    let [one, two] = listeners.as_slice() else { panic!("{listeners:?}") };
    let tls = one.tls.as_ref().unwrap();
    assert_eq!(
        (tls.cert.as_path(), &tls.client_ca),
        (folder.path().join("a.crt").as_path(), &None)
    );
    assert!(one.proxy_protocol && one.h2c);
    let tls = two.tls.as_ref().unwrap();
    assert_eq!((&tls.key, tls.client_ca.is_some()), (&folder.path().join("b.key"), true));
    assert!(!two.proxy_protocol && !two.h2c);
}

#[test]
fn a_certificate_that_cannot_be_used_is_said_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    write_pair(folder.path(), "a");
    write_pair(folder.path(), "b");
    std::fs::write(folder.path().join("x"), "x").unwrap();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(folder.path().join("broken"), broken).unwrap();
    for (tls, expected) in [
        (
            r#"cert = "~/a.crt", key = "~/b.key""#,
            r#"key: "~/b.key" is not the key of the certificate in `cert`"#,
        ),
        (r#"cert = "~/x", key = "~/a.key""#, r#"cert: "~/x" holds no certificate in PEM"#),
        (r#"cert = "~/a.crt", key = "~/x""#, r#"key: "~/x" holds no private key in PEM"#),
        (
            r#"cert = "~/broken", key = "~/a.key""#,
            r#"cert: "~/broken" holds a certificate that cannot be used here"#,
        ),
        (
            r#"cert = "~/a.crt", key = "~/a.key", client_ca = "~/broken""#,
            r#"client_ca: "~/broken" holds a certificate that cannot be used here"#,
        ),
        (r#"cert = "~/a.crt", key = "~/no""#, r#"key: "~/no" cannot be read"#),
        (r#"cert = "~/a.crt""#, r#""key" in [server.tls] is missing"#),
        (r#"key = "~/a.key""#, r#""cert" in [server.tls] is missing"#),
    ] {
        let found = problem(folder.path(), tls);
        assert!(found.contains(expected), "{found}\n{expected}");
    }
}

#[test]
fn proxy_headers_need_somebody_to_take_them_from() {
    let refused = "true lets nobody in without [server] trusted_proxies; name the networks of the \
                   proxies that send PROXY headers there";
    for (text, place) in [
        ("server.proxy_protocol = true", "1:25"),
        (r#"server.listen = [{ address = "0.0.0.0:1", proxy_protocol = true }]"#, "1:60"),
    ] {
        assert_eq!(problems(&file(text)), [format!("{place}: proxy_protocol: {refused}")]);
    }
    settings(&file(
        "[server]\nlisten = [\"unix:/run/x\"]\nproxy_protocol = true\n[admin]\ntoken = \"x\"",
    ));
    let limits = settings(&file("limits.connections_per_address = 0")).limits;
    assert_eq!(limits.connections_per_address, None);
    let limits = settings(&file("limits.connections_per_address = 20")).limits;
    assert_eq!(limits.connections_per_address.map(std::num::NonZero::get), Some(20));
}

#[test]
fn the_checks_of_envoy_have_a_listener_of_their_own() {
    let read = |lines: &str| format!("[ext_authz]\n{lines}\n{}", file(""));
    assert_eq!(settings(&file("")).ext_authz, None);
    for listen in ["127.0.0.1:9191", "[::1]:9191", "unix:/run/checks.sock"] {
        let read = settings(&read(&format!("listen = \"{listen}\""))).ext_authz.unwrap();
        assert_eq!((read.listen.to_string().as_str(), read.token), (listen, None));
    }
    let with_token = "listen = \"0.0.0.0:9191\"\ntoken = \"t\"";
    assert!(settings(&read(with_token)).ext_authz.unwrap().token.is_some());
    for (listen, message) in [
        (
            "0.0.0.0:9191",
            r#"2:10: listen: "0.0.0.0:9191" can be reached from other machines, and there is no token; listen on 127.0.0.1 or a unix socket, or set token"#,
        ),
        (
            "127.0.0.1:9901",
            r#"2:10: listen: "127.0.0.1:9901" is another listener's already; the checks of Envoy have their own"#,
        ),
        (
            "9191",
            r#"2:10: listen: "9191" is no address to listen on; write "0.0.0.0:8080" or "unix:/run/wxgate.sock""#,
        ),
    ] {
        assert_eq!(problems(&read(&format!("listen = \"{listen}\""))), [message]);
    }
}
