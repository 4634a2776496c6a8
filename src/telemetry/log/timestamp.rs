//! Times as RFC 3339 has them, in UTC. A library for it would bring calendars, zones and formats along.

use std::fmt::Write;

use super::json::write_thousandths;

const DAY: u64 = 86_400;

/// Writes times, most of which are of the same second as the one before.
#[derive(Debug, Default)]
pub(super) struct Timestamps {
    /// Of what is in `text`, since 1970; none at first.
    second: Option<u64>,
    /// Up to the second.
    text: String,
}

impl Timestamps {
    /// Writes milliseconds since 1970: `2026-11-22T08:53:50.007Z`.
    pub(super) fn write(&mut self, milliseconds: u64, text: &mut String) {
        let second = milliseconds / 1_000;
        if self.second != Some(second) {
            self.text.clear();
            write_second(second, &mut self.text);
            self.second = Some(second);
        }
        text.push_str(&self.text);
        text.push('.');
        write_thousandths(milliseconds, text);
        text.push('Z');
    }
}

fn write_second(second: u64, text: &mut String) {
    let (year, month, day) = date(second / DAY);
    let of_day = second % DAY;
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    // A String takes everything.
    let _ = write!(text, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
}

/// The date of a day since 1970 (Hinnant, "chrono-compatible low-level date algorithms": years begin in
/// March, so that the leap day is the last one).
fn date(day: u64) -> (u64, u64, u64) {
    let shifted = day + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_all_kinds_have_their_dates() {
        // One after the other, so that what is kept of one must not show in the next.
        let mut timestamps = Timestamps::default();
        // As `date -u -d @SECONDS` says.
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.007Z"),
            (951_782_399, "2000-02-28T23:59:59.007Z"),
            (951_782_400, "2000-02-29T00:00:00.007Z"),
            (1_709_164_800, "2024-02-29T00:00:00.007Z"),
            (1_795_340_030, "2026-11-22T09:33:50.007Z"),
            (1_795_340_030, "2026-11-22T09:33:50.007Z"),
            (1_795_340_031, "2026-11-22T09:33:51.007Z"),
            (4_107_542_400, "2100-03-01T00:00:00.007Z"),
        ] {
            let mut written = String::new();
            timestamps.write(seconds * 1_000 + 7, &mut written);
            assert_eq!(written, text);
        }
    }
}
