//! What WeChat sealed is opened, to the letter.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use wxgate::wechat::open_data::{Expectation, Kind, NotOpened, RING, Sealed, open};
use wxgate::wechat::phone_info::PhoneInfo;
use wxgate::wechat::session_key::SessionKey;

use crate::sealing::{APPID, NOW, key, phone, seal};

const EXPECTED: Expectation<'_> = Expectation {
    appid: APPID,
    openid: None,
    max_age: Duration::from_secs(60),
    now: NOW,
    kind: Kind::Any,
};

#[test]
fn wechats_own_sample_opens() {
    let vectors: Value = serde_json::from_str(include_str!("../vectors.json")).unwrap();
    let field = |name: &str| vectors["open_data"][name].as_str().unwrap();
    let sealed = Sealed::parse(field("encrypted_data"), field("iv")).unwrap();
    let keys = [SessionKey::parse(field("session_key")).unwrap()];
    let expected = Expectation {
        appid: field("appid"),
        openid: Some("oGZUI0egBJY1zhBYw2KhdUfwVJJE"),
        now: 1_477_314_187,
        ..EXPECTED
    };
    let opened = open(&sealed, &keys, &expected).unwrap();
    assert_eq!(opened.text(), field("plaintext"));
    assert_eq!(opened.key_index(), 0);
    assert_eq!(opened.into_json().unwrap().get(), field("plaintext"));

    let damaged = Sealed::parse(&field("encrypted_data").replace('+', " "), field("iv")).unwrap();
    assert_eq!(damaged, sealed);
}

#[test]
fn the_newest_key_that_fits_opens() {
    let sealed = seal(&phone("13580006666", APPID, NOW), [7; 16], [9; 16]);
    let ring = |right: &[usize]| -> Vec<SessionKey> {
        (0..6)
            .map(|place| if right.contains(&place) { [7; 16] } else { [place as u8; 16] })
            .map(key)
            .collect()
    };
    for place in 0..RING {
        assert_eq!(open(&sealed, &ring(&[place]), &EXPECTED).unwrap().key_index(), place);
    }
    assert_eq!(open(&sealed, &ring(&[1, 2]), &EXPECTED).unwrap().key_index(), 1);
    assert_eq!(open(&sealed, &ring(&[RING]), &EXPECTED).err(), Some(NotOpened));
}

#[test]
fn the_codes_own_sealing_is_wechats() {
    let text = phone("13580006666", APPID, NOW);
    let sealed = Sealed::seal(&text, &key([7; 16]), [9; 16]);
    assert_eq!(sealed, seal(&text, [7; 16], [9; 16]));
    let (encrypted_data, iv) = sealed.fields();
    assert_eq!(Sealed::parse(&encrypted_data, &iv).unwrap(), sealed);
}

#[test]
fn opened_phone_numbers_are_read() {
    for number in ["13580006666", "1", "123456789012345"] {
        let sealed = seal(&phone(number, APPID, NOW), [7; 16], [9; 16]);
        let expected = Expectation { kind: Kind::Phone, ..EXPECTED };
        let opened = open(&sealed, &[key([7; 16])], &expected).unwrap();
        let info = PhoneInfo::parse(opened.text()).unwrap();
        assert_eq!((info.phone_number(), info.country_code()), (number, "86"));
        assert_eq!(info.json().get(), phone(number, APPID, NOW));
    }
}

#[test]
fn spaces_and_another_order_are_as_good() {
    let text = json!({
        "countryCode": 852, "purePhoneNumber": "61234567", "new": {"a": [1, 2]},
        "watermark": {"appid": APPID, "timestamp": NOW}, "phoneNumber": "+85261234567",
    });
    let sealed = seal(&serde_json::to_string_pretty(&text).unwrap(), [7; 16], [9; 16]);
    let expected = Expectation { kind: Kind::Phone, ..EXPECTED };
    let opened = open(&sealed, &[key([7; 16])], &expected).unwrap();
    assert_eq!(PhoneInfo::parse(opened.text()).unwrap().country_code(), "852");
}

#[test]
fn the_mark_of_use_does_not_depend_on_the_iv() {
    let sealed = seal("{}", [7; 16], [9; 16]);
    let (encrypted_data, _) = sealed.fields();
    let other_iv = Sealed::parse(&encrypted_data, "AAAAAAAAAAAAAAAAAAAAAA==").unwrap();
    assert_eq!(sealed.digest(), other_iv.digest());
    assert_ne!(sealed.digest(), seal("{}", [8; 16], [9; 16]).digest());
}

#[test]
fn opened_data_do_not_print() {
    let sealed = seal(&phone("13580006666", APPID, NOW), [7; 16], [9; 16]);
    let opened = open(&sealed, &[key([7; 16])], &EXPECTED).unwrap();
    let info = PhoneInfo::parse(opened.text()).unwrap();
    assert!(!format!("{opened:?} {info:?}").contains("6666"));
}

fn member() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..6)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn any_object_with_a_watermark_comes_back_to_the_letter(
        members in prop::collection::hash_map("[^w].{0,12}", member(), 0..6),
        place in any::<prop::sample::Index>(),
        pretty in any::<bool>(),
        secret in any::<[u8; 16]>(),
        iv in any::<[u8; 16]>(),
    ) {
        let mut object: Map<String, Value> = members.into_iter().collect();
        let watermark = json!({"timestamp": NOW, "appid": APPID});
        object.shift_insert(place.index(object.len() + 1), "watermark".to_owned(), watermark);
        let write = if pretty { serde_json::to_string_pretty } else { serde_json::to_string };
        let text = write(&object).unwrap();
        let opened = open(&seal(&text, secret, iv), &[key(secret)], &EXPECTED).unwrap();
        prop_assert_eq!(opened.text(), &text);
        let json = opened.into_json().unwrap();
        prop_assert_eq!(json.get(), text);
    }
}
