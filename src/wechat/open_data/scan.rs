//! Reads a decrypted text in a time that depends on its length alone, and finds what decides.
//!
//! Every byte costs the same steps, whether it is the first of a sound document or noise after an
//! error: a look-up in the grammar's table, then arithmetic on masks. Nothing branches on the text.

use super::grammar::{self, BEGIN, COMMA, DONE, END_KEY, END_VALUE, Entry, KEY, NEXT};
use super::grammar::{POP_ARRAY, POP_OBJECT, PUSH_ARRAY, PUSH_OBJECT, START};
use super::mask::{mask, select};
use super::members::{self, Member, Values, is_among};
use super::members::{BEYOND_REACH, IN_DOCUMENT, IN_WATERMARK, NOTHING, WATERMARK};
use super::token::Token;

/// How deep a document may be nested: WeChat's are 4 deep, the stack is a word.
const DEEPEST: u64 = 64;
/// The bytes that the iv changes at will.
const REACH_OF_IV: u64 = 16;

/// What a text says. If it is not sound, the rest means nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Findings {
    /// All ones where the text is one JSON object in UTF-8, and none of the members that count is
    /// there twice.
    pub(super) sound: u64,
    /// All ones where a value that the answer rests on can be changed through the iv.
    pub(super) in_reach_of_iv: u64,
    /// The values of the members that count.
    pub(super) values: Values,
}

/// Reads the first `length` of the bytes; the others are passed over as spaces, in the same time.
pub(super) fn scan(bytes: &[u8], length: u64) -> Findings {
    let mut scanner = Scanner::new();
    for (at, byte) in (0..).zip(bytes) {
        let byte = select(mask(at < length), (*byte).into(), b' '.into()) as u8;
        scanner.step(byte, at);
    }
    scanner.finish()
}

struct Scanner {
    state: u64,
    /// How many objects and arrays are open.
    depth: u64,
    /// What they are, the innermost in the lowest bit: 1 for an object.
    stack: u64,
    token: Token,
    /// Where the token's text begins.
    token_at: u64,
    /// The last member that was named in the document, and in the object at depth 2.
    member: Member,
    inner_member: Member,
    /// The members that were named, a bit for each.
    seen: u64,
    /// Not zero after any error that the table does not know.
    faults: u64,
    findings: Findings,
}

impl Scanner {
    fn new() -> Self {
        Self {
            state: START.into(),
            depth: 0,
            stack: 0,
            token: Token::default(),
            token_at: 0,
            member: NOTHING,
            inner_member: NOTHING,
            seen: 0,
            faults: 0,
            findings: Findings::default(),
        }
    }

    #[inline(always)]
    fn step(&mut self, byte: u8, at: u64) {
        let entry = grammar::look_up(self.state, byte);
        self.end_name(does(entry, END_KEY));
        self.end_value(does(entry, END_VALUE));
        self.extend_token(byte, at, does(entry, BEGIN));
        self.nest(entry);
    }

    #[inline(always)]
    fn end_name(&mut self, ends: u64) {
        let (in_document, in_inner) = (mask(self.depth == 1), mask(self.depth == 2));
        let in_watermark = in_inner & mask(self.member == WATERMARK);
        let counting = (in_document & IN_DOCUMENT) | (in_watermark & IN_WATERMARK);
        let named = members::named(self.token);
        let counts = ends & is_among(named, counting);
        let named = select(counts, named, NOTHING);
        self.faults |= counts & is_among(named, self.seen);
        self.seen |= counts & (1 << named);
        self.member = select(ends & in_document, named, self.member);
        self.inner_member = select(ends & in_inner, named, self.inner_member);
    }

    #[inline(always)]
    fn end_value(&mut self, ends: u64) {
        let (in_document, in_inner) = (mask(self.depth == 1), mask(self.depth == 2));
        let member = select(ends & in_document, self.member, NOTHING);
        let member = select(ends & in_inner, self.inner_member, member);
        let in_reach = mask(self.token_at < REACH_OF_IV);
        self.findings.in_reach_of_iv |= in_reach & is_among(member, BEYOND_REACH);
        // Empty as yet: a member that is named twice is a fault.
        self.findings.values.fill(member, self.token);
    }

    #[inline(always)]
    fn extend_token(&mut self, byte: u8, at: u64, begins: u64) {
        // The text of a string begins after its quote.
        let text_at = at.wrapping_add(u64::from(byte == b'"'));
        self.token_at = select(begins, text_at, self.token_at);
        self.token = self.token.with(byte, begins);
    }

    #[inline(always)]
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
        self.inner_member = select(opens, NOTHING, self.inner_member);
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
