//! The members of open data that count, and how their names are known again without a branch.
//!
//! A perfect hash gives the one member that a name could be, a comparison of all of it says whether
//! it is. The table is 128 bytes: like the grammar's, it stays in the first-level cache.
#![allow(clippy::indexing_slicing, reason = "tables, filled and read within their bounds")]

use super::mask::{mask, select};
use super::token::Token;

/// A member, as a place in [`NAMES`].
pub(super) type Member = u64;

pub(super) const WATERMARK: Member = 0;
pub(super) const OPENID: Member = 1;
pub(super) const PHONE: Member = 2;
pub(super) const PURE: Member = 3;
pub(super) const COUNTRY: Member = 4;
pub(super) const APPID: Member = 5;
pub(super) const TIMESTAMP: Member = 6;
/// Every member that does not count.
pub(super) const NOTHING: Member = 7;

/// The members that count in the document itself, a bit for each.
pub(super) const IN_DOCUMENT: u64 =
    1 << WATERMARK | 1 << OPENID | 1 << PHONE | 1 << PURE | 1 << COUNTRY;
/// The members that count in the watermark.
pub(super) const IN_WATERMARK: u64 = 1 << APPID | 1 << TIMESTAMP;
/// The members that the iv must not reach. An openId may be reached: it is compared.
pub(super) const BEYOND_REACH: u64 =
    1 << PHONE | 1 << PURE | 1 << COUNTRY | 1 << APPID | 1 << TIMESTAMP;

const NAMES: [u128; 7] = [
    Token::name("watermark"),
    Token::name("openId"),
    Token::name("phoneNumber"),
    Token::name("purePhoneNumber"),
    Token::name("countryCode"),
    Token::name("appid"),
    Token::name("timestamp"),
];

/// Which member has this name.
#[inline(always)]
pub(super) fn named(token: Token) -> Member {
    let place = hash(token.low(), MULTIPLIER);
    select(token.is_named(NAME_AT[place]), MEMBER_AT[place], NOTHING)
}

const fn hash(name: u128, multiplier: u64) -> usize {
    let folded = name as u64 ^ (name >> 64) as u64;
    (folded.wrapping_mul(multiplier) >> 61) as usize
}

/// The first that gives each name a place of its own.
const MULTIPLIER: u64 = {
    let mut multiplier = 0x9e37_79b9_7f4a_7c15;
    while !is_perfect(multiplier) {
        multiplier += 2;
    }
    multiplier
};

const fn is_perfect(multiplier: u64) -> bool {
    let (mut taken, mut member) = (0_u32, 0);
    while member < NAMES.len() {
        taken |= 1 << hash(NAMES[member], multiplier);
        member += 1;
    }
    taken.count_ones() as usize == NAMES.len()
}

static NAME_AT: [u128; 8] = {
    let (mut names, mut member) = ([0; 8], 0);
    while member < NAMES.len() {
        names[hash(NAMES[member], MULTIPLIER)] = NAMES[member];
        member += 1;
    }
    names
};

static MEMBER_AT: [Member; 8] = {
    let (mut members, mut member) = ([NOTHING; 8], 0);
    while member < NAMES.len() {
        members[hash(NAMES[member], MULTIPLIER)] = member as Member;
        member += 1;
    }
    members
};

/// What was found for each member.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Values([Token; 8]);

impl Values {
    /// The value of a member; empty where there is none that is a string or a number.
    pub(super) fn of(&self, member: Member) -> Token {
        self.0[(member & 7) as usize]
    }

    /// Adds the value of a member that is empty as yet. [`NOTHING`] takes anything.
    #[inline(always)]
    pub(super) fn fill(&mut self, member: Member, token: Token) {
        self.0[(member & 7) as usize].fill(token);
    }
}

/// All ones where the member is one of these.
#[inline(always)]
pub(super) fn is_among(member: Member, members: u64) -> u64 {
    mask((members >> (member & 7)) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_again_and_others_are_not() {
        for (member, name) in (0..).zip([
            "watermark",
            "openId",
            "phoneNumber",
            "purePhoneNumber",
            "countryCode",
            "appid",
            "timestamp",
        ]) {
            assert_eq!(named(Token::string(name).unwrap()), member);
            assert_eq!(named(Token::string(&format!("x{name}")).unwrap()), NOTHING);
            assert_eq!(named(Token::string(&name[1..]).unwrap()), NOTHING);
        }
        assert_eq!(named(Token::default()), NOTHING);
    }
}
