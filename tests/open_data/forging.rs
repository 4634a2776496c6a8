//! Whoever flips bits of a sealed phone number never gets another number believed.

use std::time::Duration;

use wxgate::wechat::open_data::{Expectation, Kind, Sealed, open};
use wxgate::wechat::phone_info::PhoneInfo;

use crate::sealing::{APPID, NOW, key, padded, seal_blocks};

const EXPECTED: Expectation<'_> = Expectation {
    appid: APPID,
    openid: None,
    max_age: Duration::ZERO,
    now: NOW,
    kind: Kind::Phone,
};

/// The three spellings of a number.
type Numbers = [String; 3];

/// The numbers that are believed.
fn believed(ciphertext: &[u8], iv: &[u8], secret: [u8; 16]) -> Option<Numbers> {
    let sealed = Sealed::new(ciphertext.to_vec(), iv);
    let opened = open(&sealed, &[key(secret)], &EXPECTED).ok()?;
    let info = PhoneInfo::parse(opened.text()).unwrap();
    let numbers = [info.phone_number(), info.pure_phone_number(), info.country_code()];
    Some(numbers.map(str::to_owned))
}

/// Flips each bit, of the iv first, and gives what is believed then.
fn after_each_flip(text: &str) -> (Numbers, Vec<Option<Numbers>>) {
    let secret = std::array::from_fn(|place| (place * 31 + text.len()) as u8);
    let iv: [u8; 16] = std::array::from_fn(|place| (place * 17 + text.len()) as u8);
    let ciphertext = seal_blocks(&padded(text.as_bytes()), secret, iv);
    let sound = believed(&ciphertext, &iv, secret).unwrap();
    let mut bytes = [&iv[..], &ciphertext].concat();
    let mut outcomes = Vec::new();
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        let (iv, ciphertext) = bytes.split_at(16);
        outcomes.push(believed(ciphertext, iv, secret));
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    (sound, outcomes)
}

fn watermark() -> String {
    format!(r#""watermark":{{"timestamp":{NOW},"appid":"{APPID}"}}"#)
}

/// WeChat's layout, for numbers of every length and several countries.
#[test]
fn no_flipped_bit_at_all_is_believed_in_wechats_layout() {
    let countries = [("", "\"86\""), ("", "86"), ("+852", "\"852\""), ("1", "\"1\"")];
    let lengths = (1..=15).zip(countries.into_iter().cycle());
    for (length, (prefix, country)) in lengths.chain(countries.map(|country| (11, country))) {
        let number = &"135800066667777"[..length];
        let text = format!(
            r#"{{"phoneNumber":"{prefix}{number}","purePhoneNumber":"{number}","countryCode":{country},{}}}"#,
            watermark(),
        );
        let (_, outcomes) = after_each_flip(&text);
        assert!(outcomes.iter().all(Option::is_none), "{text}");
    }
}

/// Each order of the members, at each alignment to the blocks, after a text that noise may replace.
#[test]
fn no_flipped_bit_alters_a_number_in_any_layout() {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    std::thread::scope(|scope| {
        for some in orders.chunks(3) {
            scope.spawn(|| some.iter().for_each(|order| no_flipped_bit_alters_a_number(*order)));
        }
    });
}

fn no_flipped_bit_alters_a_number(order: [usize; 3]) {
    let members = [
        r#""phoneNumber":"13580006666""#,
        r#""purePhoneNumber":"13580006666""#,
        r#""countryCode":86"#,
    ];
    let numbers = order.map(|member| members[member]).join(",");
    for shift in 0..16 {
        let note = "n".repeat(shift);
        let text = format!(r#"{{"note":"{note}",{numbers},{}}}"#, watermark());
        let (sound, outcomes) = after_each_flip(&text);
        assert!(outcomes.into_iter().flatten().all(|numbers| numbers == sound), "{text}");
    }
}

/// The one value that the iv could alter: a number as country code at the very beginning. Such data
/// are not believed at all, flipped or not.
#[test]
fn a_country_code_in_reach_of_the_iv_is_not_believed() {
    let rest = format!(r#""phoneNumber":"1358","purePhoneNumber":"1358",{}"#, watermark());
    for (country, expected) in [("86", false), ("\"86\"", true), (" 86", true)] {
        let text = format!(r#"{{"countryCode":{country},{rest}}}"#);
        let ciphertext = seal_blocks(&padded(text.as_bytes()), [7; 16], [9; 16]);
        assert_eq!(believed(&ciphertext, &[9; 16], [7; 16]).is_some(), expected, "{text}");
    }
}

/// The iv alters the first block at will, not only by one bit: every two bytes of it.
#[test]
fn no_two_altered_bytes_of_the_iv_are_believed() {
    let text = format!(
        r#"{{"phoneNumber":"13580006666","purePhoneNumber":"13580006666","countryCode":"86",{}}}"#,
        watermark(),
    );
    let ciphertext = seal_blocks(&padded(text.as_bytes()), [7; 16], [9; 16]);
    for first in 0..16 {
        for second in first + 1..16 {
            for change in 1..=255_u8 {
                let mut iv = [9; 16];
                iv[first] ^= change;
                iv[second] ^= change.rotate_left(3);
                assert_eq!(believed(&ciphertext, &iv, [7; 16]), None);
            }
        }
    }
}
