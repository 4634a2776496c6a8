//! Points in time, in words.

use std::time::{Duration, UNIX_EPOCH};

/// The date, and how far from now it is.
pub(super) fn told(seconds: u64, now: u64) -> String {
    let Some(time) =
        UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).filter(|_| seconds < 1 << 37)
    else {
        return format!("{seconds} s after 1970");
    };
    format!("{}, {}", httpdate::fmt_http_date(time), distance(seconds, now))
}

/// How far from now it is.
pub(super) fn distance(seconds: u64, now: u64) -> String {
    match seconds.checked_sub(now) {
        Some(0) => "now".to_owned(),
        Some(left) => format!("in {}", span(left)),
        None => format!("{} ago", span(now - seconds)),
    }
}

/// The two largest units.
fn span(seconds: u64) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let mut rest = seconds;
    let counted = units.map(|(length, name)| {
        let number = rest / length;
        rest %= length;
        (number, name)
    });
    let words = counted.iter().skip_while(|(number, _)| *number == 0).take(2);
    let words = words.filter(|(number, _)| *number > 0);
    let words = words.map(|(number, name)| match number {
        1 => format!("1 {name}"),
        number => format!("{number} {name}s"),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_with_their_distance() {
        for (seconds, now, words) in [
            (1_000_000_000, 1_000_000_000, "Sun, 09 Sep 2001 01:46:40 GMT, now"),
            (1_000_000_000, 999_913_540, "Sun, 09 Sep 2001 01:46:40 GMT, in 1 day"),
            (1_000_000_000, 1_000_000_061, "Sun, 09 Sep 2001 01:46:40 GMT, 1 minute 1 second ago"),
            (1_000_000_000, 1_000_007_205, "Sun, 09 Sep 2001 01:46:40 GMT, 2 hours ago"),
        ] {
            assert_eq!(told(seconds, now), words);
        }
        assert_eq!(told(u64::MAX, 0), "18446744073709551615 s after 1970");
    }
}
