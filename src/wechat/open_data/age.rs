//! Whether a watermark is of our time.

use super::mask::mask;
use super::token::Token;

/// How far in the future, in seconds, a watermark may lie: the clocks of WeChat and of this machine
/// differ a little, and nobody gains by a watermark that is young.
pub const LEEWAY: u64 = 300;

/// Whether `watermark.timestamp` is a number of seconds no older than `max_age`, where zero is any
/// age, and not in the future.
pub(super) fn fits(timestamp: Token, max_age: u64, now: u64) -> u64 {
    let digits = timestamp.digits();
    let sealed_at = digits.value();
    let young = mask(now.saturating_sub(sealed_at) <= max_age) | mask(max_age == 0);
    digits.sound & !digits.quoted & young & mask(sealed_at <= now.saturating_add(LEEWAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(timestamp: &str, max_age: u64, now: u64) -> bool {
        let token = timestamp.bytes().fold(Token::default(), |token, byte| token.with(byte, 0));
        super::fits(token, max_age, now) == !0
    }

    #[test]
    fn ages_up_to_the_bound_fit() {
        assert!(fits("1000", 60, 1000));
        assert!(fits("1000", 60, 1060));
        assert!(!fits("1000", 60, 1061));
        assert!(fits("1000", 0, 1_000_000_000));
    }

    #[test]
    fn the_future_fits_within_the_leeway() {
        assert!(fits("1300", 60, 1000));
        assert!(!fits("1301", 60, 1000));
        assert!(!fits("1301", 0, 1000));
        assert!(!fits("999999999999999", 0, 1000));
    }

    #[test]
    fn only_whole_numbers_are_times() {
        for text in ["", "\"1000", "-1000", "1000.5", "1e3", "99999999999999999999"] {
            assert!(!fits(text, 0, u64::MAX), "{text}");
        }
    }
}
