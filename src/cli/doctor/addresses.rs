//! The addresses by which others reach this machine or pod, as Linux lists them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All but loopback, link-local and multicast ones; none where the system has no such lists.
pub(super) fn of_this_machine() -> Vec<IpAddr> {
    let list = |path| std::fs::read_to_string(path).unwrap_or_default();
    let v4 = v4(&list("/proc/net/fib_trie")).into_iter().map(IpAddr::V4);
    let v6 = v6(&list("/proc/net/if_inet6")).into_iter().map(IpAddr::V6);
    v4.chain(v6).collect()
}

/// The lines before those of a `/32 host LOCAL`.
fn v4(list: &str) -> Vec<Ipv4Addr> {
    let lines = list.lines().zip(list.lines().skip(1));
    let local = lines.filter(|(_, next)| next.contains("/32 host LOCAL"));
    let addresses = local.filter_map(|(line, _)| line.trim().strip_prefix("|-- ")?.parse().ok());
    let mut addresses: Vec<Ipv4Addr> =
        addresses.filter(|it: &Ipv4Addr| !it.is_loopback() && !it.is_link_local()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// 32 hex digits at the beginning of each line.
fn v6(list: &str) -> Vec<Ipv6Addr> {
    let digits = list.lines().filter_map(|line| line.split(' ').next());
    let numbers = digits.filter_map(|digits| u128::from_str_radix(digits, 16).ok());
    let addresses = numbers.map(Ipv6Addr::from);
    addresses.filter(|it| !it.is_loopback() && !it.is_unicast_link_local()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_of_linux_are_read() {
        let trie = "Local:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.0.0.7\n        /32 host LOCAL\n     \
                    |-- 10.0.0.255\n        /32 link BROADCAST\n        |-- 127.0.0.1\n           \
                    /32 host LOCAL\n     |-- 10.0.0.7\n        /32 host LOCAL\n";
        assert_eq!(v4(trie), [Ipv4Addr::new(10, 0, 0, 7)]);
        let list = "00000000000000000000000000000001 01 80 10 80       lo\n\
                    fd000000000000000000000000000007 02 40 00 80     eth0\n\
                    fe800000000000000000000000000007 02 40 20 80     eth0\n";
        assert_eq!(v6(list), ["fd00::7".parse::<Ipv6Addr>().unwrap()]);
    }
}
