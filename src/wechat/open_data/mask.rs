//! Conditions as masks: all ones for yes, zero for no, and no branch between.
//!
//! `black_box` keeps the compiler from seeing that a mask has only two values, from which it would
//! make a branch again; `subtle` does the same, with calls for each step that a debug build feels.

use std::hint::black_box;

/// All ones where the condition holds.
#[inline(always)]
pub(super) fn mask(condition: bool) -> u64 {
    black_box(0_u64.wrapping_sub(condition as u64))
}

/// One of two values.
#[inline(always)]
pub(super) fn select(mask: u64, yes: u64, no: u64) -> u64 {
    no ^ ((yes ^ no) & mask)
}

/// The mask over 128 bits.
#[inline(always)]
pub(super) fn wide(mask: u64) -> u128 {
    mask as i64 as i128 as u128
}
