//! Reads a decrypted text in a time that depends on its length alone, and finds what decides.
//!
//! Every byte costs the same steps, whether it is the first of a sound document or noise after an
//! error: a look-up in the grammar's table, then arithmetic on masks. Nothing branches on the text.

use super::grammar::{self, BEGIN, COMMA, DONE, END_KEY, END_VALUE, Entry, KEY, NEXT};
use super::grammar::{POP_ARRAY, POP_OBJECT, PUSH_ARRAY, PUSH_OBJECT, START, TAKE};
use super::mask::{mask, select};
use super::token::Token;

/// How deep a document may be nested: WeChat's are 4 deep, the stack is a word.
const DEEPEST: u64 = 64;
/// The bytes that the iv changes at will.
const REACH_OF_IV: u64 = 16;

const WATERMARK: u64 = 1;
const OPENID: u64 = 1 << 1;
const PHONE: u64 = 1 << 2;
const PURE: u64 = 1 << 3;
const COUNTRY: u64 = 1 << 4;
const APPID: u64 = 1 << 5;
const TIMESTAMP: u64 = 1 << 6;

/// The members that count in the document itself, and in its watermark.
const IN_DOCUMENT: u64 = WATERMARK | OPENID | PHONE | PURE | COUNTRY;
const IN_WATERMARK: u64 = APPID | TIMESTAMP;
/// The members that must lie beyond the reach of the iv. An openId need not: it is compared.
const BEYOND_REACH: u64 = PHONE | PURE | COUNTRY | APPID | TIMESTAMP;

const NAMES: [(u64, u128); 7] = [
    (WATERMARK, Token::name("watermark")),
    (OPENID, Token::name("openId")),
    (PHONE, Token::name("phoneNumber")),
    (PURE, Token::name("purePhoneNumber")),
    (COUNTRY, Token::name("countryCode")),
    (APPID, Token::name("appid")),
    (TIMESTAMP, Token::name("timestamp")),
];

/// What a text says. If it is not sound, the rest means nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Findings {
    /// All ones where the text is one JSON object in UTF-8, and none of the members that count is
    /// there twice.
    pub(super) sound: u64,
    /// All ones where a value that the answer rests on can be changed through the iv.
    pub(super) in_reach_of_iv: u64,
    /// `openId`.
    pub(super) openid: Token,
    /// `phoneNumber`.
    pub(super) phone: Token,
    /// `purePhoneNumber`.
    pub(super) pure: Token,
    /// `countryCode`.
    pub(super) country: Token,
    /// `watermark.appid`.
    pub(super) appid: Token,
    /// `watermark.timestamp`.
    pub(super) timestamp: Token,
}

/// Reads the first `length` of the bytes; the others are passed over as spaces, in the same time.
pub(super) fn scan(bytes: &[u8], length: u64) -> Findings {
    let mut scanner = Scanner { state: START.into(), ..Scanner::default() };
    for (at, byte) in (0..).zip(bytes) {
        let byte = select(mask(at < length), (*byte).into(), b' '.into()) as u8;
        scanner.step(byte, at);
    }
    scanner.finish()
}

#[derive(Default)]
struct Scanner {
    state: u64,
    /// How many objects and arrays are open.
    depth: u64,
    /// What they are, the innermost in the lowest bit: 1 for an object.
    stack: u64,
    token: Token,
    /// Where the token's text begins.
    token_at: u64,
    /// The last name in the document, and in the object at depth 2.
    name: u64,
    inner_name: u64,
    /// The names that were there.
    seen: u64,
    /// Not zero after any error that the table does not know.
    faults: u64,
    findings: Findings,
}

impl Scanner {
    fn step(&mut self, byte: u8, at: u64) {
        let entry = grammar::look_up(self.state, byte);
        self.end_name(does(entry, END_KEY));
        self.end_value(does(entry, END_VALUE));
        self.extend_token(byte, at, does(entry, BEGIN), does(entry, TAKE));
        self.nest(entry);
    }

    fn end_name(&mut self, ends: u64) {
        let (in_document, in_inner) = (mask(self.depth == 1), mask(self.depth == 2));
        let in_watermark = in_inner & mask(self.name == WATERMARK);
        let counting = (in_document & IN_DOCUMENT) | (in_watermark & IN_WATERMARK);
        let mut named = 0;
        for (name, text) in NAMES {
            named |= name & self.token.is_named(text);
        }
        named &= counting & ends;
        self.faults |= self.seen & named;
        self.seen |= named;
        self.name = select(ends & in_document, named, self.name);
        self.inner_name = select(ends & in_inner, named, self.inner_name);
    }

    fn end_value(&mut self, ends: u64) {
        let (in_document, in_inner) = (mask(self.depth == 1), mask(self.depth == 2));
        let member = ends & ((in_document & self.name) | (in_inner & self.inner_name));
        let in_reach = mask(self.token_at < REACH_OF_IV);
        let (found, token) = (&mut self.findings, self.token);
        found.in_reach_of_iv |= in_reach & mask(member & BEYOND_REACH != 0);
        for (name, place) in [
            (OPENID, &mut found.openid),
            (PHONE, &mut found.phone),
            (PURE, &mut found.pure),
            (COUNTRY, &mut found.country),
            (APPID, &mut found.appid),
            (TIMESTAMP, &mut found.timestamp),
        ] {
            *place = place.or(token, mask(member & name != 0));
        }
    }

    fn extend_token(&mut self, byte: u8, at: u64, begins: u64, takes: u64) {
        // The text of a string begins after its quote.
        let text_at = at.wrapping_add(u64::from(byte == b'"'));
        self.token_at = select(begins, text_at, self.token_at);
        self.token = self.token.with(byte, begins, takes);
    }

    fn nest(&mut self, entry: Entry) {
        let (opens_object, opens_array) = (does(entry, PUSH_OBJECT), does(entry, PUSH_ARRAY));
        let (closes_object, closes_array) = (does(entry, POP_OBJECT), does(entry, POP_ARRAY));
        let (opens, closes) = (opens_object | opens_array, closes_object | closes_array);

        let in_object = mask(self.stack & 1 == 1);
        self.faults |= (closes_object & !in_object) | (closes_array & in_object);
        let mut next = u64::from(entry & NEXT);
        next = select(does(entry, COMMA) & in_object, KEY.into(), next);

        self.stack = select(opens, (self.stack << 1) | (opens_object & 1), self.stack);
        self.stack = select(closes, self.stack >> 1, self.stack);
        self.depth = self.depth.wrapping_add(opens & 1).wrapping_sub(closes & 1);
        self.faults |= mask(self.depth > DEEPEST);
        self.inner_name &= !opens;
        self.state = select(closes & mask(self.depth == 0), DONE.into(), next);
    }

    fn finish(self) -> Findings {
        let sound = mask(self.state == u64::from(DONE)) & mask(self.faults == 0);
        Findings { sound, ..self.findings }
    }
}

/// All ones where the entry says to do this.
#[inline(always)]
fn does(entry: Entry, action: Entry) -> u64 {
    mask(entry & action != 0)
}

#[cfg(test)]
mod tests;
