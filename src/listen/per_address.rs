//! How many connections come from one address, where that is limited.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroUsize;
use std::sync::Arc;

use parking_lot::Mutex;

/// The connections of each address.
#[derive(Clone, Debug, Default)]
pub(super) struct PerAddress {
    held: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One connection of an address, until it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    by: IpAddr,
    all: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl PerAddress {
    /// Counts one more connection of this address, unless it has as many as it may.
    pub(super) fn enter(&self, address: IpAddr, most: NonZeroUsize) -> Option<Held> {
        let by = holder(address);
        let mut all = self.held.lock();
        let count = all.entry(by).or_default();
        if *count >= most.get() {
            return None;
        }
        *count += 1;
        Some(Held { by, all: self.held.clone() })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        if let Some(count) = all.get_mut(&self.by) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.by);
            }
        }
    }
}

/// Whose an address is: with IPv6 everybody has a network of /64 to himself.
fn holder(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_and_no_more() {
        let (limit, most) = (PerAddress::default(), NonZeroUsize::new(2).unwrap());
        let enter = |address: &str| limit.enter(address.parse().unwrap(), most);
        let (one, _two) = (enter("192.0.2.1").unwrap(), enter("::ffff:192.0.2.1").unwrap());
        assert!(enter("192.0.2.1").is_none());
        assert!(enter("192.0.2.2").is_some());
        drop(one);
        let _one = enter("192.0.2.1").unwrap();
        assert!(enter("192.0.2.1").is_none());
        let _six = (enter("2001:db8::1").unwrap(), enter("2001:db8::2").unwrap());
        assert!(enter("2001:db8::3").is_none());
        assert!(enter("2001:db8:0:1::3").is_some());
    }

    #[test]
    fn who_is_gone_is_forgotten() {
        let limit = PerAddress::default();
        drop(limit.enter([192, 0, 2, 1].into(), NonZeroUsize::MIN));
        assert!(limit.held.lock().is_empty());
    }
}
