//! Opening `encryptedData`: AES-128-CBC with PKCS#7, JSON in UTF-8, and a watermark
//! (开放数据校验与解密).
//!
//! # Why every failure takes the same time
//!
//! CBC without a MAC is a forging oracle for whoever learns *where* an opening failed, by words or
//! by time (Vaudenay, 2002; Lucky Thirteen, 2013); one that told bad padding from bad JSON gave a
//! forged phone number after 20,710 queries. A real parser leaks by its nature: it stops at the
//! first wrong byte. So none runs here before everything is decided, and what decides has no early
//! exit and no branch:
//!
//! 1. [`RING`] keys are always tried, whatever the ring holds: nobody's key stands in for those
//!    that are missing and can never win. So an empty ring, too, fails in the same time.
//! 2. A try decrypts every block (AES is constant-time here: instructions or fixslicing), then
//!    looks at the last 16 bytes for the padding, with masks. Bad padding changes a mask, not the
//!    path.
//! 3. One pass, `scan`, reads every byte as JSON over UTF-8 with a table-driven automaton and
//!    picks out the few members that count. After an error it goes on as before, in the state
//!    "error".
//! 4. Padding, grammar, appid, age and the phone rule are masks that are ANDed. The first branch on
//!    any of it is "did a key open it": one bit, which the status of the answer tells anyhow.
//!
//! What remains is the length of the ciphertext, which the client chose. Ciphertexts that are no
//! whole number of blocks and ivs of another length do the same work and fail like the others.
//! `tests/timing.rs` measures all of this, and that it would notice a leak.
//!
//! # What no check can find
//!
//! Bits flipped through the iv alter the first 16 bytes and nothing else, those flipped in a block
//! turn it into noise, which JSON seldom takes. For phone numbers see `phone_rule`. In other data a
//! free text (a nickname, a URL) can be altered with some luck; few failures burn the key (WX-05).

mod age;
mod grammar;
mod mask;
mod members;
mod padding;
mod phone_rule;
mod scan;
mod sealed;
mod token;

use std::fmt;
use std::time::Duration;

use aes::Aes128;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use cbc::Decryptor;
use serde_json::value::RawValue;
use thiserror::Error;
use zeroize::Zeroizing;

pub use self::age::LEEWAY;
use self::mask::{mask, select};
use self::members::{APPID, COUNTRY, OPENID, PHONE, PURE, TIMESTAMP};
pub use self::sealed::Sealed;
use self::token::Token;
use crate::wechat::session_key::SessionKey;

/// How many keys of a ring are tried, and always as many.
pub const RING: usize = 4;

/// No key won.
const NONE: u64 = u64::MAX;

/// The data could not be opened, or a signature is not right. There is no cause in it: the client
/// must not learn one, not even by way of a log that somebody shows him.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("not opened")]
pub struct NotOpened;

/// What opened data must be.
#[derive(Clone, Copy, Debug)]
pub struct Expectation<'a> {
    /// The app whose watermark must be on it.
    pub appid: &'a str,
    /// The session's user: where the data name an `openId`, it must be this one. The first letters
    /// of `{"openId":"o…` are in reach of the iv.
    pub openid: Option<&'a str>,
    /// How old the watermark may be; zero for any age.
    pub max_age: Duration,
    /// Now, in seconds since 1970.
    pub now: u64,
    /// What kind of data they are.
    pub kind: Kind,
}

/// A kind of open data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whatever WeChat seals. Where a phone number is in it, its three spellings must agree.
    Any,
    /// A phone number.
    Phone,
}

/// Opened data.
#[derive(Clone)]
pub struct Opened {
    text: String,
    key_index: usize,
}

impl Opened {
    /// The text as WeChat wrote it, to the letter.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Which key of the ring opened it.
    pub fn key_index(&self) -> usize {
        self.key_index
    }

    /// The text, taken out.
    pub fn into_text(self) -> String {
        self.text
    }

    /// The text as a value that serializes unchanged. What was opened is JSON, so this does not
    /// fail; it is a `Result` so that no proof has to be taken on trust.
    pub fn into_json(self) -> Result<Box<RawValue>, NotOpened> {
        RawValue::from_string(self.text).map_err(|_| NotOpened)
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("key_index", &self.key_index).finish_non_exhaustive()
    }
}

/// Opens the data with the newest key that fits. The keys come newest first; of more than [`RING`]
/// the oldest are not tried.
pub fn open(
    sealed: &Sealed,
    keys: &[SessionKey],
    expected: &Expectation<'_>,
) -> Result<Opened, NotOpened> {
    let nobody = SessionKey::nobody();
    let expected = Expected::from(expected);
    let mut text = Zeroizing::new(vec![0; sealed.ciphertext().len()]);
    let mut winner = NONE;
    for place in 0..RING {
        let key = keys.get(place);
        decrypt(sealed, key.unwrap_or(&nobody), &mut text)?;
        let fits = expected.is_met_by(&text) & mask(key.is_some()) & mask(sealed.is_whole());
        winner = select(fits & mask(winner == NONE), place as u64, winner);
    }
    // The one branch on the text: whether it was opened.
    let key_index = usize::try_from(winner).map_err(|_| NotOpened)?;
    let key = keys.get(key_index).ok_or(NotOpened)?;
    decrypt(sealed, key, &mut text)?;
    let length = usize::try_from(padding::unpad(&text).length).map_err(|_| NotOpened)?;
    let text = text.get(..length).ok_or(NotOpened)?.to_vec();
    Ok(Opened { text: String::from_utf8(text).map_err(|_| NotOpened)?, key_index })
}

/// Fails for no ciphertext: [`Sealed`] holds whole blocks.
fn decrypt(sealed: &Sealed, key: &SessionKey, text: &mut [u8]) -> Result<(), NotOpened> {
    let cipher = Decryptor::<Aes128>::new(key.bytes().into(), sealed.iv().into());
    cipher
        .decrypt_padded_b2b::<NoPadding>(sealed.ciphertext(), text)
        .map(drop)
        .map_err(|_| NotOpened)
}

/// An [`Expectation`] made ready for comparing.
struct Expected {
    /// None where no watermark can be this app's.
    appid: Option<Token>,
    openid: Option<Token>,
    any_openid: u64,
    any_kind: u64,
    max_age: u64,
    now: u64,
}

impl Expected {
    /// Whether this is the padded text that is expected. All ones or zero, in a time that depends
    /// on the length alone.
    fn is_met_by(&self, padded: &[u8]) -> u64 {
        let unpadded = padding::unpad(padded);
        let found = scan::scan(padded, unpadded.length);
        let value = |member| found.values.of(member);
        let is = |token: Token, expected: Option<Token>| {
            token.is(expected.unwrap_or_default()) & mask(expected.is_some())
        };
        let phone =
            phone_rule::agree(value(PHONE), value(PURE), value(COUNTRY)) & !found.in_reach_of_iv;
        unpadded.sound
            & found.sound
            & is(value(APPID), self.appid)
            & age::fits(value(TIMESTAMP), self.max_age, self.now)
            & (is(value(OPENID), self.openid) | value(OPENID).is_empty() | self.any_openid)
            & (phone | (self.any_kind & value(PHONE).is_empty()))
    }
}

impl From<&Expectation<'_>> for Expected {
    fn from(expectation: &Expectation<'_>) -> Self {
        Self {
            appid: Token::string(expectation.appid),
            openid: expectation.openid.and_then(Token::string),
            any_openid: mask(expectation.openid.is_none()),
            any_kind: mask(expectation.kind == Kind::Any),
            max_age: expectation.max_age.as_secs(),
            now: expectation.now,
        }
    }
}
