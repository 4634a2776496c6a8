//! `[identity.assertion]`: keys that can sign and are nothing else's, and names that nothing else has.

use std::time::Duration;

use wxgate::config;
use wxgate::identity::assertion::Audience;

use super::{KEY, file, lines, problems, settings};

/// Two keys, made for these tests and for nothing else.
pub(super) const ED25519: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
    -----END PRIVATE KEY-----";
const P256: &str = "-----BEGIN PRIVATE KEY-----\n\
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgNw4OKSn9C7ycOQd2\n\
    3tVu1UbjuogKbkYaC2ekDosNDaWhRANCAAQDMie1SHnIVwvoFSLHSlErmwLYinWC\n\
    TRHuHqE080YMSDw/0rUwuTRALsFLqLwYg1S2X7nF7es2GpxILNfJQv8Z\n\
    -----END PRIVATE KEY-----";
const RSA: &str = include_str!("../keys/test-only-rsa-2048.pem");
const MAKE: &str =
    "make one with `wxgate keys generate --signing ed25519 --out FILE`, and name it in keys_file";

/// The smallest useful file after these lines of `[identity.assertion]` and of others.
fn with(assertion: &str, others: &str) -> String {
    file(&format!("[identity.assertion]\n{assertion}\n{others}"))
}

/// What is wrong with it, where PEM and other texts are variables.
fn refused(text: &str) -> Vec<String> {
    let variable = |name: &str| {
        let text = match name {
            "ED25519" => ED25519,
            "P256" => P256,
            "RSA" => RSA,
            "HS256" => KEY,
            _ => return None,
        };
        Some(text.to_owned())
    };
    match config::parse("gateway.toml", text, std::path::Path::new(""), &variable) {
        Ok(_) => Vec::new(),
        Err(problems) => lines(&problems),
    }
}

#[test]
fn it_is_off_unless_it_is_there_and_has_defaults() {
    assert_eq!(settings(&file("")).identity.assertion, None);
    let assertion = settings(&with("", "")).identity.assertion.unwrap();
    assert_eq!(assertion.header, "x-wx-assertion");
    assert_eq!(assertion.ttl, Duration::from_secs(300));
    assert_eq!((assertion.issuer.as_str(), assertion.audience), ("wxgate", Audience::Upstream));
    assert_eq!(refused(&with("keys = [\"${ED25519}\", \"${P256}\"]", "")), [] as [&str; 0]);
}

#[test]
fn a_key_that_cannot_sign_assertions_is_refused_with_what_to_do() {
    let bad = "keys: the value is no key for assertions";
    let kind = "the PEM holds no private key for EdDSA (Ed25519) or ES256 (P-256), in PKCS#8";
    let hs256 =
        "it has to be the PEM text of a private key: whoever verifies by HS256 could sign as well";
    for (keys, problem) in [
        ("\"${HS256}\"", format!("2:9: {bad}; {hs256}; {MAKE}")),
        ("\"${RSA}\"", format!("2:9: {bad}; {kind}; {MAKE}")),
        ("\"${ED25519}\", \"${HS256}\"", format!("2:23: {bad}; {hs256}; {MAKE}")),
        ("\"${ED25519}\", \"${ED25519}\"", "2:23: keys: the value is there already".to_owned()),
    ] {
        let text = with(&format!("keys = [{keys}]"), "");
        assert_eq!(refused(&text), [problem], "{keys}");
    }
}

/// A gateway that keeps any key over a restart keeps these too: HS256 alone is not enough for it.
#[test]
fn where_keys_are_given_those_of_assertions_are_too() {
    let missing = "1:1: the keys of assertions are missing: those in [session] sign tokens, and \
                   nothing else";
    let redis = format!("[store]\nurl = \"redis://r\"\nencryption_keys = [\"{KEY}\"]\n");
    for signing in ["HS256", "ED25519"] {
        let session = format!("[session]\nsigning_keys = [\"${{{signing}}}\"]");
        for others in [session.clone(), format!("{redis}{session}")] {
            let text = with("ttl = \"1m\"", &others);
            assert_eq!(refused(&text), [format!("{missing}; {MAKE}")], "{others}");
            let text = with("keys = [\"${P256}\"]", &others);
            assert_eq!(refused(&text), [] as [&str; 0], "{others}");
        }
    }
}

#[test]
fn a_key_of_sessions_signs_no_assertions() {
    for key in ["ED25519", "P256"] {
        let session = format!("[session]\nsigning_keys = [\"${{HS256}}\", \"${{{key}}}\"]");
        assert_eq!(
            refused(&with(&format!("keys = [\"${{{key}}}\"]"), &session)),
            [format!(
                "2:9: keys: the value is in [session] signing_keys too: a token of a session could \
                 pass for an assertion; {MAKE}"
            )]
        );
    }
}

#[test]
fn names_and_times_are_such() {
    let party = "write one as \"shop\" or \"https://shop.example.com\", without spaces";
    let time = "one is made for each request: write \"10s\" to \"1h\"";
    for (line, problem) in [
        (
            "audience = \"wx4f4bc4dec97d474b\"",
            "2:12: audience: \"wx4f4bc4dec97d474b\" is an appid, which tokens of sessions have for \
             their `aud`; name the service, or leave the key out for the name of each upstream"
                .to_owned(),
        ),
        ("issuer = \"\"", format!("2:10: issuer: \"\" is no name of a service; {party}")),
        ("issuer = \"a b\"", format!("2:10: issuer: \"a b\" is no name of a service; {party}")),
        ("audience = \"1:a\"", format!("2:12: audience: \"1:a\" is no name of a service; {party}")),
        ("ttl = \"9s\"", format!("2:7: ttl: \"9s\" is no time for an assertion; {time}")),
        ("ttl = \"61m\"", format!("2:7: ttl: \"61m\" is no time for an assertion; {time}")),
    ] {
        assert_eq!(problems(&with(line, "")), [problem], "{line}");
    }
    for line in ["issuer = \"https://a.example/x\"", "audience = \"urn:shop\"", "ttl = \"10s\""] {
        assert_eq!(problems(&with(line, "")), [] as [&str; 0], "{line}");
    }
}

#[test]
fn the_header_is_an_identity_header_like_the_others() {
    let twice = "two keys of [identity] name one header; upstreams read `_` and `.` as `-`, and any \
                 case; give each key a name of its own";
    assert_eq!(problems(&with("header = \"X_WX.openid\"", "")), [format!("2:10: {twice}")]);
    let taken = "2:10: header: \"Authorization\" has a meaning of its own in HTTP; write a name like \
                 \"X-User-Id\"";
    assert_eq!(problems(&with("header = \"Authorization\"", "")), [taken]);
    let route = "[[routes]]\npath = \"/x\"\nupstream = \"shop\"\n\
                 request_headers = { set = { X-Jwt = \"forged\" } }";
    let text = with("header = \"X-Jwt\"", "") + route;
    let found = problems(&text);
    assert!(found.len() == 1 && found[0].contains("X-Jwt"), "{found:?}");
    let upstream =
        "[upstreams.old]\nservers = [\"http://127.0.0.1:1\"]\npass_headers = [\"X_Jwt\"]";
    let found = problems(&(with("header = \"X-Jwt\"", "") + upstream));
    assert!(found.len() == 1 && found[0].contains("identity header"), "{found:?}");
}

#[test]
fn other_gateways_get_assertions_where_it_is_said_whom_they_are_for() {
    let route = "[[routes]]\npath = \"/authorize\"\naction = \"authorize\"\n";
    let warnings = |assertion: &str| settings(&(with(assertion, "") + route)).warnings;
    let warned = lines(&warnings(""));
    assert!(
        warned.len() == 1 && warned[0].ends_with("write `audience` in [identity.assertion]"),
        "{warned:?}"
    );
    assert_eq!(lines(&warnings("audience = \"shops\"")), [] as [&str; 0]);
    assert_eq!(lines(&settings(&(file("") + route)).warnings), [] as [&str; 0]);
}

#[test]
fn keys_are_published_where_there_are_some_and_to_everybody() {
    let route = "[[routes]]\npath = \"/jwks\"\naction = \"jwks\"\n";
    let found = problems(&(file("") + route));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].ends_with(
            "action \"jwks\" publishes the keys of assertions, of which there are none; \
             write [identity.assertion]"
        ),
        "{found:?}"
    );
    assert_eq!(problems(&(with("", "") + route)), [] as [&str; 0]);
    let found = problems(&(with("", "") + route + "auth = \"required\"\n"));
    assert!(found.len() == 1 && found[0].contains("public keys are for everybody"), "{found:?}");
    let upstream = with("", "") + route + "upstream = \"shop\"\n";
    let warnings = settings(&upstream).warnings;
    assert!(warnings.to_string().contains("does nothing at action \"jwks\""), "{warnings}");
}
