//! `wxgate token inspect`.

use wxgate::clock::Clock;
use wxgate::identity::{Call, Identity, Subject};
use wxgate::session::token::{Claims, SigningKey, Tokens, install_crypto_provider};

use crate::{Ended, Folder, SHOP, wxgate};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER: &str = "HwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const FOR_EVER: u64 = 99_999_999_999;

fn token(key: &str, until: u64) -> String {
    install_crypto_provider();
    let claims =
        Claims::new("oAlice", "wx0123456789abcdef", "sid-1", "jti-1".to_owned(), 1, 1, until);
    Tokens::new(vec![SigningKey::parse(key).unwrap()]).sign(&claims).unwrap()
}

fn inspect(arguments: &[&str], stdin: &str) -> Ended {
    let text = format!("[session]\nsigning_keys = [\"{KEY}\"]\n{SHOP}");
    let folder = Folder::with("gateway.toml", &text);
    folder.run_with(&[&["token", "inspect"], arguments].concat(), &[], stdin)
}

#[test]
fn it_says_whose_token_it_is_and_what_the_keys_say_of_it() {
    let good = token(KEY, FOR_EVER);
    let changed = {
        let (head, signature) = good.rsplit_once('.').unwrap();
        format!("{head}.{}", signature.chars().rev().collect::<String>())
    };
    for (token, code, signature) in [
        (good, 0, "good"),
        (token(OTHER, FOR_EVER), 65, "by a key that this configuration does not have"),
        (changed, 65, "wrong: it names a key of this configuration and is not by it"),
    ] {
        let ended = inspect(&["-c", "gateway.toml"], &token);
        assert_eq!(ended.code, code, "{ended:?}");
        assert!(ended.stdout.contains(&format!("signature   {signature}\n")), "{ended:?}");
        assert!(ended.stdout.contains("user        oAlice\n"), "{ended:?}");
        assert!(ended.stdout.contains("app         wx0123456789abcdef ([apps.shop])\n"));
        assert!(ended.stdout.contains("made        Thu, 01 Jan 1970 00:00:01 GMT, "), "{ended:?}");
        assert!(ended.stdout.contains("this is offline"), "{ended:?}");
    }
}

/// What an upstream got from a gateway with this key.
fn assertion(pem: &str) -> String {
    use wxgate::identity::assertion::{AssertionKey, Audience, Settings};
    let assertion = Settings {
        header: http::HeaderName::from_static("x-wx-assertion"),
        ttl: std::time::Duration::from_secs(300),
        issuer: "wxgate".to_owned(),
        audience: Audience::Upstream,
        keys: vec![AssertionKey::parse(pem).unwrap()],
    };
    let settings = wxgate::identity::Settings {
        assertion: Some(assertion),
        ..wxgate::identity::Settings::default()
    };
    let (claims, mut headers) = (std::collections::BTreeMap::new(), http::HeaderMap::new());
    let (openid, id) = ("oAlice".parse().unwrap(), "id-1".parse().unwrap());
    let subject = Subject { openid: &openid, unionid: None, app: 0, claims: &claims };
    let call = Call {
        request_id: &id,
        audience: Some("shop"),
        clock: &Clock::system(),
        assertion: &std::sync::OnceLock::new(),
    };
    Identity::new(settings, &[]).write(&subject, &call, &mut headers);
    headers["x-wx-assertion"].to_str().unwrap().to_owned()
}

#[test]
fn an_assertion_is_told_from_a_token_and_verified_by_its_own_keys() {
    let new = || wxgate(SHOP, &["keys", "generate", "--signing", "es256"]).stdout;
    let (pem, other) = (new(), new());
    let text = format!("identity.assertion.keys = [\"${{KEY}}\"]\n{SHOP}");
    let folder = Folder::with("gateway.toml", &text);
    for (key, code, signature) in
        [(&pem, 0, "good"), (&other, 65, "by a key that this configuration does not have")]
    {
        let arguments = ["token", "inspect", "-c", "gateway.toml"];
        let ended = folder.run_with(&arguments, &[("KEY", pem.trim())], &assertion(key));
        assert_eq!(ended.code, code, "{ended:?}");
        for line in ["user        oAlice\n", "for         shop\n", "token       id-1\n"] {
            assert!(ended.stdout.contains(line), "{line}{ended:?}");
        }
        assert!(ended.stdout.contains(&format!("signature   {signature}\n")), "{ended:?}");
        assert!(ended.stdout.contains("It is an assertion"), "{ended:?}");
    }
}

#[test]
fn it_comes_from_standard_input_or_an_argument_with_bearer_or_without() {
    let token = token(KEY, FOR_EVER);
    let stdin = format!("  Bearer {token}\n");
    let by_stdin = inspect(&["--json"], &stdin).json();
    assert_eq!(by_stdin, inspect(&["-", "--json"], &stdin).json());
    assert_eq!(by_stdin, inspect(&[&token, "--json"], "").json());
    assert_eq!(by_stdin["claims"]["sub"], "oAlice");
    assert_eq!(by_stdin["header"]["alg"], "HS256");
    assert_eq!(by_stdin["signature"], serde_json::Value::Null);
    assert_eq!(by_stdin["revocation"], "unknown");
}

#[test]
fn what_is_over_or_no_token_ends_with_65() {
    let ended = inspect(&["-c", "gateway.toml", "--json"], &token(KEY, 2));
    assert_eq!((ended.code, &ended.json()["expired"]), (65, &true.into()));
    for text in ["", "a.b", "a.b.c", "eyJhIjoxfQ.W10.x", &"x".repeat(5_000)] {
        let ended = inspect(&[], text);
        assert_eq!((ended.code, ended.stdout.as_str()), (65, ""), "{ended:?}");
        assert!(ended.stderr.contains("no token"), "{ended:?}");
    }
}
