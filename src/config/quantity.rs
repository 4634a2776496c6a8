//! Durations, sizes and rates: a number and a unit, as in "10s", "64KiB" and "600/min".

use std::time::Duration;

use super::problem::Complaint;
use super::value::Form;

pub(super) const DURATION: Form =
    Form { noun: "duration", help: r#"write "500ms", "10s", "5m", "24h" or "7d""# };
pub(super) const SIZE: Form =
    Form { noun: "size", help: r#"write "512B", "64KiB", "10MiB" or "1GiB""# };
pub(super) const RATE: Form =
    Form { noun: "rate", help: r#"write "100/s", "600/min" or "5000/h""# };

/// A hundred years: beyond, adding to a point in time could overflow.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);
/// A pebibyte: beyond, it is a slip of the finger.
const LARGEST: u64 = 1 << 50;

/// Reads "500ms", "10s", "5m", "24h" or "7d".
pub(super) fn duration(text: &str) -> Result<Duration, Complaint> {
    let (number, unit) = split(text).ok_or_else(|| DURATION.missed())?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(DURATION.missed()),
    };
    let duration = number.checked_mul(milliseconds).map(Duration::from_millis);
    duration.filter(|duration| *duration <= LONGEST).ok_or_else(|| Complaint::new("is too long"))
}

/// Reads "512B", "64KiB", "10MiB" or "1GiB" as bytes.
pub(super) fn size(text: &str) -> Result<u64, Complaint> {
    let (number, unit) = split(text).ok_or_else(|| SIZE.missed())?;
    let bytes = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(SIZE.missed()),
    };
    let size = number.checked_mul(bytes).filter(|size| *size <= LARGEST);
    size.ok_or_else(|| Complaint::new("is too large"))
}

/// Reads "100/s", "600/min" or "5000/h": how many, and in which time.
pub(super) fn rate(text: &str) -> Result<(u64, Duration), Complaint> {
    let (number, unit) = split(text).ok_or_else(|| RATE.missed())?;
    let seconds = match unit {
        "/s" => 1,
        "/min" => 60,
        "/h" => 3_600,
        _ => return Err(RATE.missed()),
    };
    match number {
        0 => Err(Complaint::new("lets nothing through").help(RATE.help)),
        number => Ok((number, Duration::from_secs(seconds))),
    }
}

/// The digits and what comes after them.
fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        for (text, seconds) in [
            ("10s", 10.0),
            ("5m", 300.0),
            ("24h", 86_400.0),
            ("7d", 604_800.0),
            ("0s", 0.0),
            ("500ms", 0.5),
        ] {
            assert_eq!(duration(text).unwrap().as_secs_f64(), seconds, "{text}");
        }
        for text in ["", "10", "s", "10 s", "-1s", "1.5s", "10S", "10sec", "1m30s", "１s", "10s "]
        {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["36501d", "18446744073709551615d", "99999999999999999999s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_a_number_and_a_unit() {
        for (text, bytes) in [
            ("512B", 512),
            ("64KiB", 65_536),
            ("10MiB", 10_485_760),
            ("1GiB", 1_073_741_824),
            ("0B", 0),
        ] {
            assert_eq!(size(text).unwrap(), bytes, "{text}");
        }
        for text in
            ["", "512", "10MB", "10mib", "10 MiB", "1.5MiB", "-1B", "18446744073709551615GiB"]
        {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rates_are_a_number_and_a_time() {
        assert_eq!(rate("600/min").unwrap(), (600, Duration::from_secs(60)));
        assert_eq!(rate("100/s").unwrap(), (100, Duration::from_secs(1)));
        for text in ["", "600", "600/m", "0/s", "/s", "1/day"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}
