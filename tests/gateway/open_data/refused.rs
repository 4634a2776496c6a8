//! Data that is not what WeChat sealed for this user, here and now: one answer for all of it (WX-05).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use wxgate::simulator::{OpenData, Overrides, Payload};

use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::open_data::{assert_stale, sealed_fields};
use crate::support::seconds;
use crate::support::wechat::{APPID, OTHER_APPID};

/// Data of alice with one thing wrong, by which key and however made.
fn spoilt(gateway: &Gateway, payload: &Payload) -> Vec<(&'static str, OpenData)> {
    let wechat = &gateway.wechat;
    let sealed = |overrides: &Overrides| wechat.sealed_but("alice", payload, overrides);
    let sound = || sealed(&Overrides::default());
    let with_appid =
        |appid: &str| sealed(&Overrides { appid: Some(appid.to_owned()), ..Overrides::default() });
    let at =
        |timestamp: u64| sealed(&Overrides { timestamp: Some(timestamp), ..Overrides::default() });
    let now = gateway.clock.now();
    let flipped = |at: usize| {
        let data = sound();
        let mut bytes = STANDARD.decode(&data.encrypted_data).unwrap();
        let at = if at < bytes.len() { at } else { bytes.len() - 1 };
        bytes[at] ^= 1;
        OpenData { encrypted_data: STANDARD.encode(bytes), ..data }
    };
    let resized = |length: usize| {
        let data = sound();
        let mut bytes = STANDARD.decode(&data.encrypted_data).unwrap();
        bytes.truncate(length);
        OpenData { encrypted_data: STANDARD.encode(bytes), ..data }
    };
    let with_iv = |iv: &[u8]| OpenData { iv: STANDARD.encode(iv), ..sound() };
    let text = |text: &str| {
        let none = Overrides { no_watermark: true, ..Overrides::default() };
        wechat.sealed_but("alice", &Payload::Json(text.to_owned()), &none)
    };
    let none = Overrides { no_watermark: true, ..Overrides::default() };
    vec![
        ("another app's watermark", with_appid(OTHER_APPID)),
        ("a prefix of the appid", with_appid(&APPID[..17])),
        ("the appid and more", with_appid(&format!("{APPID}0"))),
        ("an empty appid", with_appid("")),
        ("too old", at(now - 601)),
        ("very old", at(0)),
        ("in the future", at(now + 301)),
        ("no watermark", sealed(&none)),
        ("another user's", wechat.sealed("bob", payload)),
        ("a bit in the first block", flipped(0)),
        ("a bit in a middle block", flipped(40)),
        ("a bit in the last block", flipped(usize::MAX)),
        ("no whole block", resized(31)),
        ("the first block", resized(16)),
        ("one byte", resized(1)),
        ("another iv", with_iv(&[7; 16])),
        ("a short iv", with_iv(&[7; 15])),
        ("a long iv", with_iv(&[7; 17])),
        ("no JSON", text("not json")),
        ("an array", text("[1]")),
        ("nothing", text("")),
        ("half a JSON", text(r#"{"a":"#)),
    ]
}

#[tokio::test]
async fn wx_05_all_failures_of_open_data_are_one_answer() {
    for path in ["/openData", "/phone"] {
        let payload = if path == "/phone" { Payload::Phone } else { Payload::UserInfo };
        let count = {
            let gateway = Gateway::with(Config::with_open_data()).await;
            gateway.log_in("alice").await;
            gateway.log_in("bob").await;
            spoilt(&gateway, &payload).len()
        };
        // Four failures do not burn a key: each fourth case begins anew and shows that it opens.
        for first in (0..count).step_by(4) {
            let gateway = Gateway::with(Config::with_open_data()).await;
            let token = gateway.log_in("alice").await;
            gateway.log_in("bob").await;
            for (what, data) in spoilt(&gateway, &payload).into_iter().skip(first).take(4) {
                let answer = gateway.send_sealed(path, &token, &data).await;
                assert_stale(&answer, &format!("{what} at {path}"));
            }
            gateway.assert_opens(&token, "alice").await;
        }
    }
}

#[tokio::test]
async fn the_same_failures_with_an_upstream_never_reach_it() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    gateway.log_in("bob").await;
    for path in ["/bindPhone", "/import"] {
        for (what, data) in spoilt(&gateway, &Payload::Phone) {
            assert_stale(&gateway.send_sealed(path, &token, &data).await, what);
        }
    }
    assert_eq!(gateway.upstream.requests().len(), 0);
}

#[tokio::test]
async fn a_watermark_at_the_edge_of_its_age_is_taken() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let now = gateway.clock.now();
    for timestamp in [now - 600, now + 300] {
        let overrides = Overrides { timestamp: Some(timestamp), ..Overrides::default() };
        let data = gateway.wechat.sealed_but("alice", &Payload::UserInfo, &overrides);
        let answer = gateway.send_sealed("/openData", &token, &data).await;
        assert_eq!(answer.status, 200, "{timestamp} at {now}: {answer:?}");
    }
}

#[tokio::test]
async fn data_of_another_user_is_refused_even_where_it_opens() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let payload = format!(r#"{{"openId":"{}","nickName":"bob"}}"#, gateway.wechat.openid("bob"));
    let data = gateway.wechat.sealed("alice", &Payload::Json(payload));
    assert_stale(&gateway.send_sealed("/openData", &token, &data).await, "bob's openid");
}

#[tokio::test]
async fn at_phone_only_a_phone_number_opens() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    for (what, payload) in [
        ("a profile", Payload::UserInfo),
        ("another number", {
            Payload::Json(
                r#"{"phoneNumber":"13800000001","purePhoneNumber":"13800000002","countryCode":"86"}"#
                    .to_owned(),
            )
        }),
        ("no country", {
            Payload::Json(
                r#"{"phoneNumber":"13800000001","purePhoneNumber":"13800000001"}"#.to_owned(),
            )
        }),
    ] {
        let token = gateway.log_in(what).await;
        let data = gateway.wechat.sealed(what, &payload);
        assert_stale(&gateway.send_sealed("/phone", &token, &data).await, what);
        gateway.assert_opens(&token, what).await;
        // Opened as what it is, it is no phone number either.
        let data = gateway.wechat.sealed(what, &payload);
        gateway.send_sealed("/openData", &token, &data).await;
        assert_stale(&gateway.send_sealed("/phone", &token, &data).await, what);
    }
}

#[tokio::test]
async fn a_wrong_signature_is_the_same_answer_with_sealed_data_and_without() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    for user in ["alice", "bob"] {
        gateway.log_in(user).await;
    }
    for (number, (what, change)) in [
        (
            "another raw data",
            (&|fields: &mut Value, _: &OpenData| {
                let text = fields["rawData"].as_str().unwrap().replace("carol", "cArol");
                fields["rawData"] = text.into();
            }) as &dyn Fn(&mut Value, &OpenData),
        ),
        ("one space more", &|fields, _| {
            let text = format!("{} ", fields["rawData"].as_str().unwrap());
            fields["rawData"] = text.into();
        }),
        ("another user's signature", &|fields, other| {
            fields["signature"] = other.signature.clone().into();
        }),
        ("a short signature", &|fields, _| fields["signature"] = "75e8".into()),
    ]
    .into_iter()
    .enumerate()
    {
        let user = format!("carol {number}");
        let token = gateway.log_in(&user).await;
        let data = gateway.wechat.sealed(&user, &Payload::UserInfo);
        let bobs = gateway.wechat.sealed("bob", &Payload::UserInfo);
        let mut signed = json!({ "rawData": data.raw_data, "signature": data.signature });
        change(&mut signed, &bobs);
        let answer = gateway.post("/openData").token(&token).json(&signed).await;
        assert_stale(&answer, what);
        let mut all = sealed_fields(&data);
        all["rawData"] = signed["rawData"].clone();
        all["signature"] = signed["signature"].clone();
        let answer = gateway.post("/openData").token(&token).json(&all).await;
        assert_stale(&answer, what);
        // The sealed data itself was not opened by that.
        assert_eq!(gateway.send_sealed("/openData", &token, &data).await.status, 200, "{what}");
    }
}

#[tokio::test]
async fn sealed_data_runs_out_while_it_waits() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let data = gateway.wechat.sealed("alice", &Payload::Phone);
    gateway.clock.advance(seconds(601));
    assert_stale(&gateway.send_sealed("/phone", &token, &data).await, "ten minutes and a second");
    gateway.assert_opens(&token, "alice").await;
}
