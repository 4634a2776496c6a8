//! What Linux says of this process, under the names that every Prometheus client has for it.

use std::fs;

use super::{Sample, table};

/// /proc counts in these, on every machine that Linux runs on (`getconf CLK_TCK`).
const TICKS_PER_SECOND: f64 = 100.0;
/// The position of utime behind the name of the process, proc(5).
const UTIME: usize = 11;

/// Adds what can be read; elsewhere than on Linux that is nothing.
pub(super) fn sample(sample: &mut Sample<'_>) {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    if let Some(seconds) = cpu_seconds(&stat) {
        sample.set(table::PROCESS_CPU, &[], seconds);
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(kibibytes) = field(&status, "VmRSS:") {
        sample.set(table::PROCESS_RESIDENT_MEMORY, &[], kibibytes * 1024.0);
    }
    if let Some(threads) = field(&status, "Threads:") {
        sample.set(table::PROCESS_THREADS, &[], threads);
    }
    if let Ok(fds) = fs::read_dir("/proc/self/fd") {
        sample.set(table::PROCESS_OPEN_FDS, &[], fds.count() as f64);
    }
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    if let Some(most) = field(&limits, "Max open files") {
        sample.set(table::PROCESS_MAX_FDS, &[], most);
    }
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    // The name of the process stands in brackets, and may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(UTIME);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

/// The first number behind the name of a field.
fn field(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_proc_are_found() {
        let stat = "1 (a) b) S 0 1 1 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 8 0 1 1 1";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(field("Name:\tx\nVmRSS:\t   2048 kB\n", "VmRSS:"), Some(2048.0));
        let limits = "Max open files            1024                 4096                 files\n";
        assert_eq!(field(limits, "Max open files"), Some(1024.0));
    }
}
