//! Tokens: no bytes make reading them panic, and none are accepted that were not signed with the key.
#![no_main]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use wxgate::session::token::{Claims, SigningKey, Tokens, install_crypto_provider};
use wxgate::session::{TokenSource, bearer};

const NOW: u64 = 1_700_000_000;
const KEY: &str = "dGVzdC1vbmx5IHNpZ25pbmcga2V5IG51bWJlciBvbmU=";

static TOKENS: LazyLock<Tokens> = LazyLock::new(|| {
    install_crypto_provider();
    Tokens::new(vec![SigningKey::parse(KEY).expect("a key")])
});

static GOOD: LazyLock<String> = LazyLock::new(|| {
    let claims =
        Claims::new("oALICE", "wx0123456789abcdef", "AAAA", "BBBB".into(), NOW, NOW, NOW + 60);
    TOKENS.sign(&claims).expect("a token")
});

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else { return };
    match kind % 4 {
        0 => assert_not_accepted(&String::from_utf8_lossy(rest)),
        1 => assert_not_accepted(&with_good_signature(rest)),
        2 => assert_not_accepted(&damaged(rest)),
        _ => find_in_a_request(rest),
    }
});

/// What is accepted is, to the letter, what the key signs.
fn assert_not_accepted(token: &str) {
    let _ = TOKENS.is_like_ours(token);
    if let Ok(claims) = TOKENS.verify(token, NOW) {
        assert_eq!(TOKENS.sign(&claims).expect("a token"), token, "accepted without the key");
    }
}

/// A header and claims of any bytes over the signature of a good token.
fn with_good_signature(bytes: &[u8]) -> String {
    let at = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (header, claims) = bytes.split_at(at);
    let good: Vec<_> = GOOD.split('.').collect();
    let part = |given: &[u8], good: &str| match given {
        b"" => good.to_owned(),
        given => URL_SAFE_NO_PAD.encode(given),
    };
    let claims = part(claims.get(1..).unwrap_or_default(), good[1]);
    format!("{}.{claims}.{}", part(header, good[0]), good[2])
}

/// A good token with pairs of (place, byte) written over it.
fn damaged(bytes: &[u8]) -> String {
    let mut token = GOOD.clone().into_bytes();
    for pair in bytes.chunks_exact(2) {
        let place = usize::from(pair[0]) * 2 % token.len();
        token[place] = pair[1];
    }
    String::from_utf8_lossy(&token).into_owned()
}

/// Lines of a request, in the places where tokens may stand.
fn find_in_a_request(bytes: &[u8]) {
    let sources = [
        TokenSource::Authorization,
        TokenSource::Header("x-wx-skey".parse().expect("a name")),
        TokenSource::Cookie("t".to_owned()),
        TokenSource::Query("token".to_owned()),
    ];
    let mut headers = HeaderMap::new();
    let mut query = None;
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let Ok(value) = HeaderValue::from_bytes(line) else { continue };
        match number % 4 {
            0 => drop(headers.append(AUTHORIZATION, value)),
            1 => drop(headers.append("x-wx-skey", value)),
            2 => drop(headers.append(COOKIE, value)),
            _ => query = str::from_utf8(line).ok(),
        }
    }
    let found = bearer::find(&sources, &headers, query);
    let places = bearer::places(&sources, &headers, query, |_| true);
    match found {
        Ok(None) => assert!(places.is_empty(), "a token in a place where none was found"),
        Ok(Some(bearer)) => assert_eq!(places, [bearer.source.clone()]),
        Err(_) => assert!(!places.is_empty()),
    }
    if let Some(rest) = query.and_then(|query| bearer::query_without(query, "token")) {
        let none = HeaderMap::new();
        let again = bearer::find(&sources[3..], &none, Some(&rest));
        assert_eq!(again, Ok(None), "the token is still in the query");
    }
    let mut rest = HeaderMap::new();
    for line in bearer::cookies_without(&headers, &["t"]) {
        rest.append(COOKIE, line.parse().expect("a part of a header"));
    }
    assert_eq!(bearer::find(&sources[2..3], &rest, None), Ok(None), "still in the cookies");
}
