use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::super::members::{APPID, COUNTRY, OPENID, PHONE, PURE, TIMESTAMP};
use super::*;

fn findings(text: &[u8]) -> Findings {
    scan(text, text.len() as u64)
}

fn sound(text: &[u8]) -> bool {
    findings(text).sound == !0
}

/// What a real parser says: UTF-8, and one object.
fn is_object(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| {
        text.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok()
    })
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::hash_map(any::<String>(), inner, 0..8)
                .prop_map(|members| members.into_iter().collect::<serde_json::Value>()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_a_parser_writes_is_sound(value in json(), pretty in any::<bool>()) {
        let document = serde_json::json!({ "x": value });
        let text = if pretty {
            serde_json::to_vec_pretty(&document).unwrap()
        } else {
            serde_json::to_vec(&document).unwrap()
        };
        prop_assert!(sound(&text));
    }

    #[test]
    fn a_damaged_text_is_sound_where_a_parser_takes_it(
        value in json(),
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut text = serde_json::to_vec(&serde_json::json!({ "x": value })).unwrap();
        for (place, byte) in damages {
            *place.get_mut(&mut text) = byte;
        }
        prop_assert_eq!(sound(&text), is_object(&text));
    }

    #[test]
    fn likely_texts_are_sound_where_a_parser_takes_them(
        text in r#"\{"a":([\[\]{},:"0-9eE+.\-\\ubtrfalsn ]|true|null|"b":|\\u00e9|"c"){0,8}\}"#,
    ) {
        prop_assert_eq!(sound(text.as_bytes()), is_object(text.as_bytes()), "{}", text);
    }

    #[test]
    fn any_bytes_in_a_string_are_sound_where_a_parser_takes_them(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0x80_u8..], 0..5),
    ) {
        let text = [b"{\"a\":\"", &bytes[..], b"\"}"].concat();
        prop_assert_eq!(sound(&text), is_object(&text));
    }
}

#[test]
fn every_utf8_sequence_is_judged_as_the_standard_library_does() {
    for lead in 0x80..=0xff {
        for second in 0x70..=0xff {
            for tail in [&b""[..], b"\x80", b"\x80\x80", b"\xbf\xbf", b"\xc0", b"\x7f"] {
                let text = [b"{\"a\":\"", &[lead, second][..], tail, b"\"}"].concat();
                let expected = std::str::from_utf8(&text).is_ok();
                assert_eq!(sound(&text), expected, "{lead:x} {second:x} {tail:x?}");
            }
        }
    }
}

#[test]
fn only_one_object_is_sound() {
    for text in ["", " ", "[]", "1", "\"a\"", "null", "{}{}", "{},", "{}]", "{]", "{\"a\":[}"] {
        assert!(!sound(text.as_bytes()), "{text}");
    }
    assert!(sound(b" {} \n"));
}

#[test]
fn nesting_has_a_bound() {
    for (depth, expected) in [(1, true), (63, true), (64, false), (200, false)] {
        let text = format!("{{\"a\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(sound(text.as_bytes()), expected, "{depth}");
    }
}

#[test]
fn what_lies_beyond_the_length_is_not_read() {
    assert_eq!(scan(b"{}\x01\x02", 2).sound, !0);
    assert_eq!(scan(b"{}\x01\x02", 3).sound, 0);
}

#[test]
fn members_that_count_are_found_in_their_places_only() {
    let found = findings(
        br#"{"appid":"no","o":{"appid":"no","phoneNumber":"no"},"a":[{"appid":"no"}],
            "watermark":{"x":{"appid":"no"},"appid":"wx1","y":[1],"timestamp":12},
            "openId":"o1","phoneNumber":"1","purePhoneNumber":"2","countryCode":3}"#,
    );
    assert_eq!(found.sound, !0);
    assert_eq!(Some(found.values.of(APPID)), Token::string("wx1"));
    assert_eq!(found.values.of(TIMESTAMP).digits().value(), 12);
    assert_eq!(Some(found.values.of(OPENID)), Token::string("o1"));
    assert_eq!(Some(found.values.of(PHONE)), Token::string("1"));
    assert_eq!(Some(found.values.of(PURE)), Token::string("2"));
    assert_eq!(found.values.of(COUNTRY).digits().value(), 3);
}

#[test]
fn objects_in_their_place_leave_them_empty() {
    let found = findings(
        br#"{"watermark":["appid","wx1"],"phoneNumber":{"a":"1"},"countryCode":["86"],
            "purePhoneNumber":null,"openId":true,"b":"2"}"#,
    );
    assert_eq!(found.sound, !0);
    for token in [
        found.values.of(APPID),
        found.values.of(TIMESTAMP),
        found.values.of(OPENID),
        found.values.of(PHONE),
        found.values.of(PURE),
    ] {
        assert_eq!(token, Token::default());
    }
    assert_eq!(found.values.of(COUNTRY), Token::default());
}

#[test]
fn a_member_that_counts_may_not_be_there_twice() {
    assert!(!sound(br#"{"openId":"a","openId":"a"}"#));
    assert!(!sound(br#"{"watermark":{"appid":"a","appid":"a"}}"#));
    assert!(!sound(br#"{"watermark":{"appid":"a"},"watermark":{"timestamp":1}}"#));
    assert!(sound(br#"{"x":"a","x":"a"}"#));
}

#[test]
fn what_the_iv_reaches_is_seen() {
    let reached = |text: &[u8]| findings(text).in_reach_of_iv == !0;
    assert!(reached(br#"{"countryCode":86,"x":1}"#));
    assert!(!reached(br#"{"countryCode":"86","x":1}"#));
    assert!(!reached(br#"{"phoneNumber":"1","x":1}"#));
    assert!(!reached(br#"{"openId":"o12345678"}"#));
}
