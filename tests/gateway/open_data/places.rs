//! Where the fields may stand, and what happens to base64 on its way.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use wxgate::simulator::{OpenData, Payload};

use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::open_data::{assert_refused, encoded, percent};

type Damage<'a> = &'a dyn Fn(&str) -> String;

/// Data with a `+` and a `/` in each of its fields.
fn telling(gateway: &Gateway, user: &str) -> OpenData {
    loop {
        let data = gateway.wechat.sealed(user, &Payload::Phone);
        let tells = |text: &str| text.contains('+') && text.contains('/');
        if tells(&data.encrypted_data) && tells(&data.iv) {
            return data;
        }
    }
}

fn both(data: &OpenData, change: impl Fn(&str) -> String) -> String {
    format!("encryptedData={}&iv={}", change(&data.encrypted_data), change(&data.iv))
}

#[tokio::test]
async fn sealed_data_comes_by_query_form_or_json_however_its_base64_was_damaged() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let url_safe = |text: &str| text.replace('+', "-").replace('/', "_");
    let damages: [(&str, Damage<'_>); 7] = [
        ("encoded", &|text| percent(text)),
        // What reads as a form makes a space of it.
        ("not encoded", &|text| text.to_owned()),
        ("encoded twice", &|text| percent(&percent(text))),
        ("url-safe", &|text| url_safe(text)),
        ("url-safe without padding", &|text| url_safe(text).replace('=', "")),
        ("without padding", &|text| percent(text.trim_end_matches('='))),
        ("a space, encoded", &|text| percent(&text.replace('+', " "))),
    ];
    for path in ["/phone", "/openData"] {
        for (what, damage) in damages {
            let data = telling(&gateway, "alice");
            let query = gateway.get(&format!("{path}?{}", both(&data, damage))).token(&token).await;
            assert_eq!(query.status, 200, "{path} {what} by query: {query:?}");
            let data = telling(&gateway, "alice");
            let form = gateway.post(path).form(&both(&data, damage)).token(&token).await;
            assert_eq!(form.status, 200, "{path} {what} by form: {form:?}");
        }
        for change in [
            (&|text: &str| text.to_owned()) as Damage<'_>,
            &|text| text.replace('+', " "),
            &|text| percent(text),
            &|text| percent(&percent(text)),
            &url_safe,
        ] {
            let data = telling(&gateway, "alice");
            let fields =
                json!({ "encryptedData": change(&data.encrypted_data), "iv": change(&data.iv) });
            let answer = gateway.post(path).json(&fields).token(&token).await;
            assert_eq!(answer.status, 200, "{path} {fields}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn damage_in_two_ways_is_the_same_data_and_no_second_opening() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let data = telling(&gateway, "alice");
    let first = gateway.get(&format!("/phone?{}", both(&data, percent))).token(&token).await;
    assert_eq!(first.status, 200);
    let other = gateway.log_in("alice").await;
    for damage in [&|text: &str| text.replace('+', "-").replace('/', "_"), &|text: &str| {
        percent(&percent(text))
    }] as [Damage<'_>; 2]
    {
        let path = format!("/phone?{}", both(&data, damage));
        let again = gateway.get(&path).token(&token).await;
        assert_eq!((again.status, again.text()), (200, first.text()));
        assert_eq!(gateway.get(&path).token(&other).await.status, 409, "replayed: {path}");
    }
}

#[tokio::test]
async fn a_field_that_is_no_base64_missing_doubled_or_of_the_wrong_type_is_a_400() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let data = telling(&gateway, "alice");
    let (sealed, iv) = (data.encrypted_data.as_str(), data.iv.as_str());
    let with = |fields: &[(&str, &str)]| gateway.get(&format!("/openData?{}", encoded(fields)));
    for (what, request) in [
        ("nothing", gateway.get("/openData")),
        ("only iv", with(&[("iv", iv)])),
        ("only encryptedData", with(&[("encryptedData", sealed)])),
        ("an empty iv", with(&[("encryptedData", sealed), ("iv", "")])),
        ("no base64", with(&[("encryptedData", "a!b"), ("iv", iv)])),
        ("no base64 iv", with(&[("encryptedData", sealed), ("iv", "é")])),
        ("a line break", with(&[("encryptedData", &format!("{sealed}\r\n")), ("iv", iv)])),
        (
            "encoded thrice",
            with(&[("encryptedData", &percent(&percent(&percent(sealed)))), ("iv", iv)]),
        ),
        ("iv twice", with(&[("encryptedData", sealed), ("iv", iv), ("iv", iv)])),
        (
            "two places",
            gateway
                .post(&format!("/openData?iv={}", percent(iv)))
                .json(&json!({ "encryptedData": sealed, "iv": STANDARD.encode([0; 16]) })),
        ),
        ("a number", gateway.post("/openData").json(&json!({ "encryptedData": 1, "iv": iv }))),
        (
            "an array",
            gateway.post("/openData").json(&json!({ "encryptedData": sealed, "iv": [iv] })),
        ),
        ("rawData alone", with(&[("rawData", "{}")])),
        ("signature alone", with(&[("signature", "ab")])),
        ("sealed and half of the other", {
            with(&[("encryptedData", sealed), ("iv", iv), ("rawData", "{}")])
        }),
        ("a code", with(&[("code", &"a".repeat(64))])),
        (
            "Wafer headers",
            gateway.get("/openData").header("x-wx-encrypted-data", sealed).header("x-wx-iv", iv),
        ),
    ] {
        assert_refused(&request.token(&token).await, 400, "bad_request", what);
    }
    // None of it was a failure to open data: the key is as good as before.
    gateway.assert_opens(&token, "alice").await;
    assert_eq!(gateway.send_sealed("/openData", &token, &data).await.status, 200);
}

#[tokio::test]
async fn a_body_beyond_64_kib_is_a_413_and_one_below_it_is_opened() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let payload = Payload::Json(format!(r#"{{"long":"{}"}}"#, "x".repeat(45 << 10)));
    let data = gateway.wechat.sealed("alice", &payload);
    let answer = gateway.send_sealed("/openData", &token, &data).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.len() > 45 << 10);
    let payload = Payload::Json(format!(r#"{{"long":"{}"}}"#, "x".repeat(64 << 10)));
    let data = gateway.wechat.sealed("alice", &payload);
    let answer = gateway.send_sealed("/openData", &token, &data).await;
    assert_refused(&answer, 413, "body_too_large", "large");
}
