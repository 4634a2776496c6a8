//! What is sealed still, byte for byte.

use wxgate::simulator::{OpenData, Overrides, Payload};

use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::open_data::{encoded, sealed_fields};
use crate::support::wechat::APPID;

/// Data of alice's, and the watermark that the simulator put at its end.
fn sealed(gateway: &Gateway, payload: &Payload) -> (OpenData, String) {
    loop {
        let now = gateway.clock.now();
        let data = gateway.wechat.sealed("alice", payload);
        // Else it is of the one second or of the other.
        if gateway.clock.now() == now {
            let watermark = format!(r#""watermark":{{"timestamp":{now},"appid":"{APPID}"}}"#);
            return (data, watermark);
        }
    }
}

#[tokio::test]
async fn every_kind_of_open_data_comes_out_whole() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    gateway.wechat.set(|settings| settings.unionid = true);
    let token = gateway.log_in("alice").await;
    let openid = gateway.wechat.openid("alice");
    for (payload, begin) in [
        (Payload::UserInfo, format!(r#"{{"openId":"{openid}","nickName":"alice","gender":0,"#)),
        (Payload::UserProfile, r#"{"nickName":"alice","gender":0,"language":"zh_CN","#.to_owned()),
        (Payload::WeRun, r#"{"stepInfoList":[{"timestamp":"#.to_owned()),
        (Payload::ShareInfo, r#"{"openGId":"tG"#.to_owned()),
        (Payload::InvoiceTitle, r#"{"type":"1","title":"alice","taxNumber":"","#.to_owned()),
    ] {
        let (data, watermark) = sealed(&gateway, &payload);
        let answer = gateway.send_sealed("/openData", &token, &data).await;
        assert_eq!(answer.status, 200, "{payload:?}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let text = answer.text();
        assert!(text.starts_with(&begin), "{payload:?}: {text}");
        assert!(text.ends_with(&format!(",{watermark}}}")), "{payload:?}: {text}");
    }
}

#[tokio::test]
async fn numbers_order_spaces_and_unknown_fields_stay_as_wechat_wrote_them() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    for inner in [
        r#""stepInfoList":[{"timestamp":1445866601,"step":12345678901234567890123456789}]"#,
        r#""z":1.50e3,"a":-0.0,"m":1E+2,"b":0.10000000000000000000001"#,
        r#" "new" : { "deep" : [ 1 , 2.0 , [ ] , { } , null , true ] } "#,
        r#""nickName":"\u5c0f\/\ud83d\ude00 小程序 \"😀\"","":"empty name""#,
        r#""openGId":"tGxyz""#,
    ] {
        let payload = Payload::Json(format!("{{{inner}}}"));
        let (data, watermark) = sealed(&gateway, &payload);
        let expected = format!("{{{inner},{watermark}}}");
        let by_json = gateway.send_sealed("/openData", &token, &data).await;
        assert_eq!((by_json.status, by_json.text()), (200, expected.clone()), "{inner}");
        let fields = [("encryptedData", data.encrypted_data.as_str()), ("iv", data.iv.as_str())];
        let by_query = gateway.get(&format!("/openData?{}", encoded(&fields))).token(&token).await;
        assert_eq!((by_query.status, by_query.text()), (200, expected), "{inner}");
    }
}

#[tokio::test]
async fn a_sealed_phone_number_comes_out_and_its_country_code_is_a_string() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let (data, watermark) = sealed(&gateway, &Payload::Phone);
    let number = gateway.wechat.phone_number("alice");
    let fields = format!(r#""phoneNumber":"{number}","purePhoneNumber":"{number}","countryCode":"#);
    let answer = gateway.send_sealed("/phone", &token, &data).await;
    assert_eq!(answer.text(), format!(r#"{{{fields}"86",{watermark}}}"#));
    let payload = Payload::Json(format!(r#"{{{fields}86,"n":1.0e1}}"#));
    let (data, watermark) = sealed(&gateway, &payload);
    let answer = gateway.send_sealed("/phone", &token, &data).await;
    assert_eq!(answer.text(), format!(r#"{{{fields}"86","n":1.0e1,{watermark}}}"#));
    assert_eq!(gateway.wechat.calls("getuserphonenumber").len(), 0);
}

#[tokio::test]
async fn raw_data_with_its_signature_comes_back_as_it_was_sent() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    for payload in [Payload::UserInfo, Payload::UserProfile] {
        let data = gateway.wechat.sealed("alice", &payload);
        let (raw, signature) = (data.raw_data.unwrap(), data.signature.unwrap());
        let fields = [("rawData", raw.as_str()), ("signature", signature.as_str())];
        for request in [
            gateway.get(&format!("/openData?{}", encoded(&fields))),
            gateway.post("/openData").form(&encoded(&fields)),
            gateway
                .post("/openData")
                .json(&serde_json::json!({ "rawData": raw, "signature": signature })),
        ] {
            let answer = request.token(&token).await;
            assert_eq!((answer.status, answer.text()), (200, raw.clone()), "{payload:?}");
        }
    }
}

#[tokio::test]
async fn with_both_the_sealed_data_is_the_answer() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let data = gateway.wechat.sealed("alice", &Payload::UserInfo);
    let mut fields = sealed_fields(&data);
    fields["rawData"] = data.raw_data.clone().unwrap().into();
    fields["signature"] = data.signature.clone().unwrap().into();
    let answer = gateway.post("/openData").token(&token).json(&fields).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["openId"], gateway.wechat.openid("alice"));
}

#[tokio::test]
async fn any_age_is_taken_where_the_configuration_says_so() {
    let config = Config::with_open_data().key("session", r#"open_data_max_age = "0s""#);
    let gateway = Gateway::with(config).await;
    let token = gateway.log_in("alice").await;
    let old = Overrides { timestamp: Some(1_000_000_000), ..Overrides::default() };
    let data = gateway.wechat.sealed_but("alice", &Payload::Phone, &old);
    let answer = gateway.send_sealed("/phone", &token, &data).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    // The same session gets it again, for as long as it lives; another never.
    gateway.clock.advance(crate::support::seconds(23 * 3600));
    assert_eq!(gateway.send_sealed("/phone", &token, &data).await.status, 200);
    let other = gateway.log_in("alice").await;
    assert_eq!(gateway.send_sealed("/phone", &other, &data).await.status, 409);
}
