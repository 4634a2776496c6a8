//! Numbers for people, at most six characters wide.

use super::quantile::Latency;

/// A thing that has no value yet, or none.
const NONE: &str = "-";

/// So many in a second: `0`, `0.25`, `12.3`, `456`, `12.3k`.
pub(super) fn rate(rate: Option<f64>) -> String {
    match rate {
        None => NONE.to_owned(),
        Some(0.0) => "0".to_owned(),
        Some(rate) if rate < 0.01 => "<0.01".to_owned(),
        Some(rate) if rate < 9.995 => format!("{rate:.2}"),
        Some(rate) => scaled(rate),
    }
}

/// So many: `0`, `999`, `12.3k`, `4.5M`.
pub(super) fn count(count: f64) -> String {
    if count < 1_000.0 { format!("{count:.0}") } else { scaled(count) }
}

fn scaled(number: f64) -> String {
    let (number, unit) = match number {
        _ if number < 999.5 => (number, ""),
        _ if number < 999_500.0 => (number / 1e3, "k"),
        _ if number < 999_500_000.0 => (number / 1e6, "M"),
        _ => (number / 1e9, "G"),
    };
    if number < 99.95 { format!("{number:.1}{unit}") } else { format!("{number:.0}{unit}") }
}

/// `0.42ms`, `4.2ms`, `42ms`, `4.20s`, `>10s`.
pub(super) fn latency(latency: Option<Latency>) -> String {
    let Some(Latency { seconds, above }) = latency else { return NONE.to_owned() };
    let milliseconds = seconds * 1e3;
    match seconds {
        _ if above => format!(">{seconds:.0}s"),
        _ if milliseconds < 0.995 => format!("{milliseconds:.2}ms"),
        _ if milliseconds < 9.95 => format!("{milliseconds:.1}ms"),
        _ if milliseconds < 999.5 => format!("{milliseconds:.0}ms"),
        _ if seconds < 9.995 => format!("{seconds:.2}s"),
        _ => format!("{seconds:.1}s"),
    }
}

/// `512 B`, `3.4 MiB`.
pub(super) fn bytes(bytes: Option<f64>) -> String {
    let Some(mut number) = bytes else { return NONE.to_owned() };
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if number < 999.5 {
            break;
        }
        (number, unit) = (number / 1_024.0, larger);
    }
    match unit {
        "B" => format!("{number:.0} B"),
        _ if number < 9.95 => format!("{number:.1} {unit}"),
        _ => format!("{number:.0} {unit}"),
    }
}

/// A share of one: `0%`, `0.4%`, `12%`.
pub(super) fn percent(share: Option<f64>) -> String {
    match share.map(|share| share * 100.0) {
        None => NONE.to_owned(),
        Some(0.0) => "0%".to_owned(),
        Some(percent) if percent < 0.1 => "<0.1%".to_owned(),
        Some(percent) if percent < 9.95 => format!("{percent:.1}%"),
        Some(percent) => format!("{percent:.0}%"),
    }
}

/// `42s`, `3m 02s`, `5h 07m`, `12d 3h`.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {:02}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let rates = [0.0, 0.001, 0.25, 9.994, 9.996, 99.96, 999.6, 12_345.0, 9.9e5, 9.999e5, 2e9];
        let told: Vec<_> = rates.iter().map(|number| rate(Some(*number))).collect();
        let expected =
            ["0", "<0.01", "0.25", "9.99", "10.0", "100", "1.0k", "12.3k", "990k", "1.0M", "2.0G"];
        assert_eq!(told, expected);
        assert_eq!([count(7.0), count(999.0), count(1_000.0)], ["7", "999", "1.0k"]);
        let shares = [0.0, 0.000_1, 0.012, 0.5, 1.0].map(|share| percent(Some(share)));
        assert_eq!(shares, ["0%", "<0.1%", "1.2%", "50%", "100%"]);
        let sizes = [512.0, 1_023.0, 35_651_584.0, 3.5e9].map(|number| bytes(Some(number)));
        assert_eq!(sizes, ["512 B", "1.0 KiB", "34 MiB", "3.3 GiB"]);
        assert_eq!([59, 182, 18_420, 1_047_600].map(span), ["59s", "3m 02s", "5h 07m", "12d 3h"]);
    }

    #[test]
    fn latencies_are_short() {
        let of = |seconds: f64| latency(Some(Latency { seconds, above: false }));
        let told = [0.000_42, 0.004_2, 0.009_96, 0.42, 0.999_6, 4.2, 9.999].map(of);
        assert_eq!(told, ["0.42ms", "4.2ms", "10ms", "420ms", "1.00s", "4.20s", "10.0s"]);
        assert_eq!(latency(Some(Latency { seconds: 10.0, above: true })), ">10s");
        assert_eq!(latency(None), "-");
    }
}
