//! The grammar of JSON (RFC 8259) over UTF-8 (RFC 3629) as one table: state and byte in, the next
//! state and what to do out. After Crockford's JSON_checker and Höhrmann's UTF-8 decoder.
//!
//! The document is an object. What needs the stack, namely whether a `}` may come here and what
//! follows a comma, is not in the table but in `scan`.
//!
//! Bytes that behave alike share a class, so that the table is 4 KiB: it stays in the first-level
//! cache, and which line of it is read does not show.
#![allow(clippy::indexing_slicing, reason = "tables, filled and read within their bounds")]

/// What the table says: the next state in the low six bits, and above them what to do.
pub(super) type Entry = u16;

/// The bits that name the next state.
pub(super) const NEXT: Entry = 63;
/// An object begins.
pub(super) const PUSH_OBJECT: Entry = 1 << 6;
/// An array begins.
pub(super) const PUSH_ARRAY: Entry = 1 << 7;
/// An object ends.
pub(super) const POP_OBJECT: Entry = 1 << 8;
/// An array ends.
pub(super) const POP_ARRAY: Entry = 1 << 9;
/// A comma: the next state is for an array; in an object it is [`KEY`].
pub(super) const COMMA: Entry = 1 << 10;
/// The byte is the first of a token: a name, or a string or a number as a value.
pub(super) const BEGIN: Entry = 1 << 11;
/// The bytes before this one, from the last beginning on, are a member's name.
pub(super) const END_KEY: Entry = 1 << 12;
/// The bytes before this one, from the last beginning on, are a value.
pub(super) const END_VALUE: Entry = 1 << 13;

/// Nothing leads out of it, and nothing is done in it.
const ERROR: Entry = 0;
/// Before the document.
pub(super) const START: Entry = 1;
/// After the document.
pub(super) const DONE: Entry = 2;
/// Before a member's name, after a comma.
pub(super) const KEY: Entry = 3;
const KEY_OR_CLOSE: Entry = 4;
const COLON: Entry = 5;
const VALUE: Entry = 6;
const VALUE_OR_CLOSE: Entry = 7;
const AFTER: Entry = 8;
const MINUS: Entry = 9;
const ZERO: Entry = 10;
const INTEGER: Entry = 11;
const POINT: Entry = 12;
const FRACTION: Entry = 13;
const E: Entry = 14;
const E_SIGN: Entry = 15;
const EXPONENT: Entry = 16;
/// What was read of a literal, a state a letter.
const T: Entry = 17;
const F: Entry = 20;
const N: Entry = 24;
/// In a member's name, and in a string as a value: a block of [`IN_STRING`] states each.
const NAME: Entry = 27;
const STRING: Entry = NAME + IN_STRING;
const STATES: usize = (STRING + IN_STRING) as usize;

// Places in the block of a string's states.
const TEXT: Entry = 0;
const ESCAPE: Entry = 1;
const HEX_1: Entry = 2;
const HEX_4: Entry = 5;
const TAIL_1: Entry = 6;
const TAIL_2: Entry = 7;
const TAIL_3: Entry = 8;
const AFTER_E0: Entry = 9;
const AFTER_ED: Entry = 10;
const AFTER_F0: Entry = 11;
const AFTER_F4: Entry = 12;
const IN_STRING: Entry = 13;

/// What the byte does in the state: two look-ups, whatever they are.
#[inline(always)]
pub(super) fn look_up(state: u64, byte: u8) -> Entry {
    TABLE[(state as usize) * CLASSES + CLASS[byte as usize] as usize]
}

const fn rule(state: Entry, byte: u8) -> Entry {
    match (state, byte) {
        (START | DONE | KEY | KEY_OR_CLOSE | COLON | VALUE | VALUE_OR_CLOSE, white!()) => state,
        (START, b'{') => KEY_OR_CLOSE | PUSH_OBJECT,
        (KEY_OR_CLOSE, b'}') => AFTER | POP_OBJECT,
        (KEY | KEY_OR_CLOSE, b'"') => NAME | BEGIN,
        (COLON, b':') => VALUE,
        (VALUE_OR_CLOSE, b']') => AFTER | POP_ARRAY,
        (VALUE | VALUE_OR_CLOSE, _) => value(byte),
        (AFTER, _) => after(byte),
        (MINUS..=EXPONENT, _) => number(state, byte),
        (T..NAME, _) => literal(state, byte),
        (NAME..STRING, b'"') if state == NAME => COLON | END_KEY,
        (NAME..STRING, _) => string(NAME, state, byte),
        (STRING.., b'"') if state == STRING => AFTER | END_VALUE,
        (STRING.., _) => string(STRING, state, byte),
        _ => ERROR,
    }
}

const fn value(byte: u8) -> Entry {
    match byte {
        b'{' => KEY_OR_CLOSE | PUSH_OBJECT,
        b'[' => VALUE_OR_CLOSE | PUSH_ARRAY,
        b'"' => STRING | BEGIN,
        b'-' => MINUS | BEGIN,
        b'0' => ZERO | BEGIN,
        b'1'..=b'9' => INTEGER | BEGIN,
        b't' => T,
        b'f' => F,
        b'n' => N,
        _ => ERROR,
    }
}

const fn after(byte: u8) -> Entry {
    match byte {
        white!() => AFTER,
        b',' => VALUE | COMMA,
        b'}' => AFTER | POP_OBJECT,
        b']' => AFTER | POP_ARRAY,
        _ => ERROR,
    }
}

const fn number(state: Entry, byte: u8) -> Entry {
    match (state, byte) {
        (MINUS, b'0') => ZERO,
        (MINUS, b'1'..=b'9') | (INTEGER, b'0'..=b'9') => INTEGER,
        (ZERO | INTEGER, b'.') => POINT,
        (POINT | FRACTION, b'0'..=b'9') => FRACTION,
        (ZERO | INTEGER | FRACTION, b'e' | b'E') => E,
        (E, b'+' | b'-') => E_SIGN,
        (E | E_SIGN | EXPONENT, b'0'..=b'9') => EXPONENT,
        (ZERO | INTEGER | FRACTION | EXPONENT, white!() | b',' | b'}' | b']') => {
            after(byte) | END_VALUE
        }
        _ => ERROR,
    }
}

const fn literal(state: Entry, byte: u8) -> Entry {
    let (first, rest): (Entry, &[u8]) = match state {
        T..F => (T, b"rue"),
        F..N => (F, b"alse"),
        _ => (N, b"ull"),
    };
    let place = (state - first) as usize;
    if rest[place] != byte {
        ERROR
    } else if place + 1 == rest.len() {
        AFTER
    } else {
        state + 1
    }
}

/// Inside a string. Overlong forms, surrogates and what lies over U+10FFFF are no UTF-8.
const fn string(block: Entry, state: Entry, byte: u8) -> Entry {
    let next = match (state - block, byte) {
        (TEXT, b'\\') => ESCAPE,
        (TEXT, 0x20..=0x7f) => TEXT,
        (TEXT, 0xc2..=0xdf) => TAIL_1,
        (TEXT, 0xe0) => AFTER_E0,
        (TEXT, 0xed) => AFTER_ED,
        (TEXT, 0xe1..=0xef) => TAIL_2,
        (TEXT, 0xf0) => AFTER_F0,
        (TEXT, 0xf1..=0xf3) => TAIL_3,
        (TEXT, 0xf4) => AFTER_F4,
        (ESCAPE, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => TEXT,
        (ESCAPE, b'u') => HEX_1,
        (HEX_4, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => TEXT,
        (place @ HEX_1..HEX_4, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => place + 1,
        (TAIL_1, 0x80..=0xbf) => TEXT,
        (TAIL_2, 0x80..=0xbf) | (AFTER_E0, 0xa0..=0xbf) | (AFTER_ED, 0x80..=0x9f) => TAIL_1,
        (TAIL_3, 0x80..=0xbf) | (AFTER_F0, 0x90..=0xbf) | (AFTER_F4, 0x80..=0x8f) => TAIL_2,
        _ => return ERROR,
    };
    block + next
}

/// The class of a byte: bytes of one class are alike in every state.
const fn class(byte: u8) -> u8 {
    match byte {
        b' ' => 1,
        b'\t' | b'\n' | b'\r' => 2,
        b'{' => 3,
        b'}' => 4,
        b'[' => 5,
        b']' => 6,
        b':' => 7,
        b',' => 8,
        b'"' => 9,
        b'\\' => 10,
        b'/' => 11,
        b'+' => 12,
        b'-' => 13,
        b'.' => 14,
        b'0' => 15,
        b'1'..=b'9' => 16,
        b'a' => 17,
        b'b' => 18,
        b'e' => 19,
        b'f' => 20,
        b'l' => 21,
        b'n' => 22,
        b'r' => 23,
        b's' => 24,
        b't' => 25,
        b'u' => 26,
        b'c' | b'd' | b'A'..=b'D' | b'F' => 27,
        b'E' => 28,
        0x21..=0x7f => 29,
        0x80..=0x8f => 30,
        0x90..=0x9f => 31,
        0xa0..=0xbf => 32,
        0xc2..=0xdf => 33,
        0xe0 => 34,
        0xed => 35,
        0xe1..=0xef => 36,
        0xf0 => 37,
        0xf1..=0xf3 => 38,
        0xf4 => 39,
        _ => 0,
    }
}

const CLASSES: usize = 40;

static CLASS: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = class(byte as u8);
        byte += 1;
    }
    classes
};

static TABLE: [Entry; STATES * CLASSES] = {
    let mut table = [ERROR; STATES * CLASSES];
    let mut byte = 0;
    while byte < 256 {
        let mut state = 0;
        while state < STATES {
            table[state * CLASSES + class(byte as u8) as usize] = rule(state as Entry, byte as u8);
            state += 1;
        }
        byte += 1;
    }
    table
};

macro_rules! white {
    () => {
        b' ' | b'\t' | b'\n' | b'\r'
    };
}
use white;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_a_class_are_alike_in_every_state() {
        for state in 0..STATES {
            for byte in 0..=u8::MAX {
                let entry = look_up(state as u64, byte);
                assert_eq!(entry, rule(state as Entry, byte), "state {state}, byte {byte:#x}");
            }
        }
    }

    #[test]
    fn every_state_has_a_number_of_its_own_in_six_bits() {
        assert_eq!((EXPONENT + 1, T + 3, F + 4, N + 3), (T, F, N, NAME));
        assert!(STATES <= usize::from(NEXT) + 1);
    }
}
