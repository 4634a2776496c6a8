//! encryptedData, opened with the session key that the login gave.

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use wxgate::simulator::{OpenData, Overrides, Payload};

use crate::support::{APPID, Wechat};

/// The JSON in the data, if the key opens it.
pub(crate) fn decrypt(data: &OpenData, session_key: &str) -> Option<Value> {
    let bytes = |text: &str| STANDARD.decode(text).unwrap();
    let key: [u8; 16] = bytes(session_key).try_into().unwrap();
    let iv: [u8; 16] = bytes(&data.iv).try_into().unwrap();
    let plain = cbc::Decryptor::<Aes128>::new(&key.into(), &iv.into())
        .decrypt_padded_vec::<Pkcs7>(&bytes(&data.encrypted_data))
        .ok()?;
    serde_json::from_slice(&plain).ok()
}

async fn open(wechat: &Wechat, payload: Payload, overrides: Overrides) -> (OpenData, Value) {
    let (_, key) = wechat.log_in("alice").await;
    let data = wechat.world().encrypt(APPID, "alice", &payload, &overrides).unwrap();
    let opened = decrypt(&data, &key).unwrap();
    (data, opened)
}

#[tokio::test]
async fn each_kind_has_its_members_and_a_watermark() {
    let wechat = Wechat::start().await;
    wechat.set(|settings| settings.unionid = true);
    for (payload, members) in [
        (Payload::Phone, &["phoneNumber", "purePhoneNumber", "countryCode"][..]),
        (Payload::UserInfo, &["openId", "nickName", "avatarUrl", "unionId"]),
        (Payload::UserProfile, &["nickName", "avatarUrl"]),
        (Payload::WeRun, &["stepInfoList"]),
        (Payload::ShareInfo, &["openGId"]),
        (Payload::InvoiceTitle, &["title", "taxNumber"]),
    ] {
        let (_, opened) = open(&wechat, payload.clone(), Overrides::default()).await;
        for member in members {
            assert!(opened.get(*member).is_some(), "{member} of {payload:?} in {opened}");
        }
        assert_eq!(opened["watermark"]["appid"], APPID);
        let age = wechat.clock.now() - opened["watermark"]["timestamp"].as_u64().unwrap();
        assert!(age < 10);
    }
    let (_, profile) = open(&wechat, Payload::UserProfile, Overrides::default()).await;
    assert!(profile.get("openId").is_none() && profile.get("unionId").is_none());
}

#[tokio::test]
async fn raw_data_is_signed_with_the_key() {
    let wechat = Wechat::start().await;
    let (_, key) = wechat.log_in("alice").await;
    let (data, _) = open(&wechat, Payload::UserInfo, Overrides::default()).await;
    let signed = format!("{}{key}", data.raw_data.unwrap());
    let sha1 = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, signed.as_bytes());
    let hex: String = sha1.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(data.signature.unwrap(), hex);
}

#[tokio::test]
async fn the_watermark_can_lie_and_be_missing() {
    let wechat = Wechat::start().await;
    let lie =
        Overrides { appid: Some("wxother".to_owned()), timestamp: Some(1), ..Overrides::default() };
    let (_, opened) = open(&wechat, Payload::Phone, lie).await;
    assert_eq!(opened["watermark"], serde_json::json!({ "timestamp": 1, "appid": "wxother" }));
    let none = Overrides { no_watermark: true, ..Overrides::default() };
    let text = r#"{"my":"own"}"#.to_owned();
    let (_, opened) = open(&wechat, Payload::Json(text), none).await;
    assert_eq!(opened, serde_json::json!({ "my": "own" }));
}

#[tokio::test]
async fn nobody_has_data_before_a_login() {
    let wechat = Wechat::start().await;
    let encrypt = || wechat.world().encrypt(APPID, "bob", &Payload::Phone, &Overrides::default());
    assert!(encrypt().unwrap_err().to_string().contains("bob has not logged in"));
    wechat.log_in("bob").await;
    assert!(encrypt().is_ok());
}
