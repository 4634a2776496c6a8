//! The `phone_info` object, opened from `encryptedData` or answered by getuserphonenumber.
//!
//! WeChat's samples write `countryCode` as a string and as a number; it is made a string.
//! Everything else stays as it came: members that are not known yet, their order, and the spelling
//! of numbers.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

/// The object is no `phone_info`.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("not a phone_info object")]
pub struct NotPhoneInfo;

/// A phone number, and the whole object that it stands in.
#[derive(Clone)]
pub struct PhoneInfo {
    json: Box<RawValue>,
    phone_number: String,
    pure_phone_number: String,
    country_code: String,
    watermark: Option<Watermark>,
}

/// Whose data they are, and of when.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Watermark {
    /// The app.
    pub appid: String,
    /// Seconds since 1970.
    pub timestamp: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    phone_number: String,
    pure_phone_number: String,
    #[serde(borrow)]
    country_code: &'a RawValue,
    watermark: Option<Watermark>,
}

impl PhoneInfo {
    /// Reads the object. Whether its numbers agree is not asked: what WeChat answers over TLS is
    /// believed, and what was sealed was asked on opening.
    pub fn parse(json: &str) -> Result<Self, NotPhoneInfo> {
        let fields: Fields<'_> = serde_json::from_str(json).map_err(|_| NotPhoneInfo)?;
        let country = fields.country_code.get();
        let (country_code, json) = if country.starts_with('"') {
            let code: Cow<'_, str> = serde_json::from_str(country).map_err(|_| NotPhoneInfo)?;
            (code.into_owned(), Cow::Borrowed(json))
        } else {
            let code: u32 = serde_json::from_str(country).map_err(|_| NotPhoneInfo)?;
            (code.to_string(), Cow::Owned(quoted(json, country).ok_or(NotPhoneInfo)?))
        };
        Ok(Self {
            json: RawValue::from_string(json.into_owned()).map_err(|_| NotPhoneInfo)?,
            phone_number: fields.phone_number,
            pure_phone_number: fields.pure_phone_number,
            country_code,
            watermark: fields.watermark,
        })
    }

    /// The object, with `countryCode` as a string.
    pub fn json(&self) -> &RawValue {
        &self.json
    }

    /// The number; a foreign one with its country code.
    pub fn phone_number(&self) -> &str {
        &self.phone_number
    }

    /// The number without a country code.
    pub fn pure_phone_number(&self) -> &str {
        &self.pure_phone_number
    }

    /// The country code.
    pub fn country_code(&self) -> &str {
        &self.country_code
    }

    /// The watermark.
    pub fn watermark(&self) -> Option<&Watermark> {
        self.watermark.as_ref()
    }

    /// The object, taken out.
    pub fn into_json(self) -> Box<RawValue> {
        self.json
    }
}

impl fmt::Debug for PhoneInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PhoneInfo").finish_non_exhaustive()
    }
}

/// The text with quotes around the part of it that `part` borrows.
fn quoted(text: &str, part: &str) -> Option<String> {
    let start = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let (before, rest) = text.split_at_checked(start)?;
    let after = rest.strip_prefix(part)?;
    Some(format!("{before}\"{part}\"{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_left_alone() {
        let text = r#"{"phoneNumber":"13580006666","purePhoneNumber":"13580006666","countryCode":"86","watermark":{"timestamp":1637744274,"appid":"wx1"}}"#;
        let info = PhoneInfo::parse(text).unwrap();
        assert_eq!(info.json().get(), text);
        assert_eq!(info.phone_number(), "13580006666");
        assert_eq!(info.pure_phone_number(), "13580006666");
        assert_eq!(info.country_code(), "86");
        let watermark = Watermark { appid: "wx1".to_owned(), timestamp: 1_637_744_274 };
        assert_eq!(info.watermark(), Some(&watermark));
    }

    #[test]
    fn a_number_becomes_a_string_and_nothing_else_changes() {
        let info = PhoneInfo::parse(
            r#"{"x":86, "new":{"countryCode":86,"n":1.0e3},"countryCode": 86 ,"phoneNumber":"+852\u0031","purePhoneNumber":"1","z":12345678901234567890123}"#,
        )
        .unwrap();
        assert_eq!(
            info.json().get(),
            r#"{"x":86, "new":{"countryCode":86,"n":1.0e3},"countryCode": "86" ,"phoneNumber":"+852\u0031","purePhoneNumber":"1","z":12345678901234567890123}"#,
        );
        assert_eq!(info.country_code(), "86");
        assert_eq!(info.phone_number(), "+8521");
        assert_eq!(info.watermark(), None);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"phoneNumber":"1","purePhoneNumber":"1"}"#,
            r#"{"phoneNumber":1,"purePhoneNumber":"1","countryCode":"86"}"#,
            r#"{"phoneNumber":"1","purePhoneNumber":"1","countryCode":8.6}"#,
            r#"{"phoneNumber":"1","purePhoneNumber":"1","countryCode":-86}"#,
            r#"{"phoneNumber":"1","purePhoneNumber":"1","countryCode":null}"#,
            r#"{"phoneNumber":"1","phoneNumber":"1","purePhoneNumber":"1","countryCode":86}"#,
        ] {
            assert_eq!(PhoneInfo::parse(text).err(), Some(NotPhoneInfo), "{text}");
        }
    }
}
