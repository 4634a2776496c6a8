//! encryptedData, rawData and signature, as the client of a user makes them (page "open data").

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::random;
use super::user::{self, User};

/// What the client asked WeChat for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// `wx.chooseInvoiceTitle`.
    InvoiceTitle,
    /// A text given as it is; a watermark is put into it where it is a JSON object.
    Json(String),
    /// `getPhoneNumber`, the old way.
    Phone,
    /// `wx.getShareInfo`.
    ShareInfo,
    /// `wx.getUserInfo`.
    UserInfo,
    /// `wx.getUserProfile`: without openId and unionId.
    UserProfile,
    /// `wx.getWeRunData`: the steps of 31 days.
    WeRun,
}

/// Which session key the data is made with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyChoice {
    /// The valid one.
    #[default]
    Current,
    /// The one before it: the data was made before the last wx.login.
    Previous,
}

/// Ways in which the data differs from what an honest client would send now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Another appid in the watermark.
    pub appid: Option<String>,
    /// Another time in the watermark, in seconds since 1970.
    pub timestamp: Option<u64>,
    /// Leaves the watermark out.
    pub no_watermark: bool,
    /// The key.
    pub key: KeyChoice,
}

/// What the client hands to its backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenData {
    /// The data in AES-128-CBC, in base64.
    pub encrypted_data: String,
    /// The initial vector in base64.
    pub iv: String,
    /// The same data in the open, without what is sensitive, where the call gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_data: Option<String>,
    /// SHA-1 of rawData and the session key, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// Who asks, where and when.
pub(super) struct Context<'a> {
    pub(super) appid: &'a str,
    pub(super) name: &'a str,
    pub(super) user: &'a User,
    pub(super) unionid: Option<String>,
    pub(super) now: u64,
}

/// Makes the data with a session key; none where the key is not 16 bytes of base64.
pub(super) fn seal(
    context: &Context<'_>,
    payload: &Payload,
    overrides: &Overrides,
    session_key: &str,
) -> Option<OpenData> {
    let timestamp = overrides.timestamp.unwrap_or(context.now);
    let appid = overrides.appid.as_deref().unwrap_or(context.appid);
    let watermark = json!({ "timestamp": timestamp, "appid": appid }).to_string();
    let (plain, raw_data) = content(context, payload);
    let plain = if overrides.no_watermark { plain } else { with_watermark(&plain, &watermark) };
    let key: [u8; 16] = STANDARD.decode(session_key).ok()?.try_into().ok()?;
    let iv = random::bytes::<16>();
    Some(OpenData {
        encrypted_data: STANDARD.encode(encrypt(&key, &iv, plain.as_bytes())),
        iv: STANDARD.encode(iv),
        signature: raw_data.as_deref().map(|raw_data| signature_of(raw_data, session_key)),
        raw_data,
    })
}

/// The text before encryption without the watermark, and rawData where the call gives it.
fn content(context: &Context<'_>, payload: &Payload) -> (String, Option<String>) {
    match payload {
        Payload::InvoiceTitle => (invoice_title(context).to_string(), None),
        Payload::Json(text) => (text.clone(), None),
        Payload::Phone => (phone(context.user).to_string(), None),
        Payload::ShareInfo => {
            (json!({ "openGId": user::group_id(context.appid, context.name) }).to_string(), None)
        }
        Payload::UserInfo => {
            let profile = profile(context.user);
            let mut full = json!({ "openId": user::openid(context.appid, context.name) });
            if let (Some(full), Some(profile)) = (full.as_object_mut(), profile.as_object()) {
                full.extend(profile.clone());
                if let Some(unionid) = &context.unionid {
                    full.insert("unionId".to_owned(), unionid.as_str().into());
                }
            }
            (full.to_string(), Some(profile.to_string()))
        }
        Payload::UserProfile => {
            let profile = profile(context.user).to_string();
            (profile.clone(), Some(profile))
        }
        Payload::WeRun => (we_run(context).to_string(), None),
    }
}

/// The members of phone_info without the watermark.
pub(super) fn phone(user: &User) -> Value {
    json!({
        "phoneNumber": user.full_phone_number(),
        "purePhoneNumber": user.phone_number,
        "countryCode": user.country_code,
    })
}

/// Gender and region have been empty since 2021.
fn profile(user: &User) -> Value {
    json!({
        "nickName": user.nick_name,
        "gender": 0,
        "language": "zh_CN",
        "city": "",
        "province": "",
        "country": "",
        "avatarUrl": user.avatar_url,
    })
}

fn invoice_title(context: &Context<'_>) -> Value {
    json!({
        "type": "1",
        "title": context.user.nick_name,
        "taxNumber": "",
        "companyAddress": "",
        "telephone": context.user.phone_number,
        "bankName": "",
        "bankAccount": "",
    })
}

fn we_run(context: &Context<'_>) -> Value {
    let today = context.now / 86_400;
    let steps: Vec<_> = (today.saturating_sub(30)..=today)
        .map(|day| json!({ "timestamp": day * 86_400, "step": user::steps(context.name, day) }))
        .collect();
    json!({ "stepInfoList": steps })
}

/// Puts the watermark at the end of a JSON object; other text is left as it is.
fn with_watermark(text: &str, watermark: &str) -> String {
    match text.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some(members) if members.trim().is_empty() => format!("{{\"watermark\":{watermark}}}"),
        Some(members) => format!("{{{members},\"watermark\":{watermark}}}"),
        None => text.to_owned(),
    }
}

fn encrypt(key: &[u8; 16], iv: &[u8; 16], plain: &[u8]) -> Vec<u8> {
    cbc::Encryptor::<Aes128>::new(key.into(), iv.into()).encrypt_padded_vec::<Pkcs7>(plain)
}

fn signature_of(raw_data: &str, session_key: &str) -> String {
    let text = format!("{raw_data}{session_key}");
    // SHA-1 is WeChat's choice.
    random::hex(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../tests/vectors.json")).unwrap()
    }

    #[test]
    fn encryption_is_that_of_the_official_sample() {
        let sample = &vectors()["open_data"];
        let decoded = |name: &str| -> [u8; 16] {
            STANDARD.decode(sample[name].as_str().unwrap()).unwrap().try_into().unwrap()
        };
        let plain = sample["plaintext"].as_str().unwrap();
        let sealed = encrypt(&decoded("session_key"), &decoded("iv"), plain.as_bytes());
        assert_eq!(STANDARD.encode(sealed), sample["encrypted_data"].as_str().unwrap());
    }

    #[test]
    fn signature_is_that_of_the_official_sample() {
        let sample = &vectors()["raw_data_signature"];
        let text = |name: &str| sample[name].as_str().unwrap();
        assert_eq!(signature_of(text("raw_data"), text("session_key")), text("signature"));
    }

    #[test]
    fn a_text_keeps_its_bytes_around_the_watermark() {
        assert_eq!(with_watermark(r#"{ "a" : 1 }"#, "W"), r#"{ "a" : 1 ,"watermark":W}"#);
        assert_eq!(with_watermark("{}", "W"), r#"{"watermark":W}"#);
        assert_eq!(with_watermark("not json", "W"), "not json");
    }

    #[test]
    fn a_profile_names_nobody_and_user_info_does() {
        let user = User::named("alice");
        let context = Context {
            appid: "wx1",
            name: "alice",
            user: &user,
            unionid: Some(user::unionid("alice")),
            now: 0,
        };
        let (profile, raw_data) = content(&context, &Payload::UserProfile);
        assert!(!profile.contains("openId") && !profile.contains("unionId"));
        assert_eq!(raw_data, Some(profile));
        let (info, raw_data) = content(&context, &Payload::UserInfo);
        let info: Value = serde_json::from_str(&info).unwrap();
        assert_eq!(info["openId"], user::openid("wx1", "alice"));
        assert_eq!(info["unionId"], user::unionid("alice"));
        assert!(!raw_data.unwrap().contains("openId"));
    }
}
