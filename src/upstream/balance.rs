//! Which of the targets gets a request.

use std::sync::Arc;

use super::Target;
use super::hash::{mix, unit};

/// The `balance` of an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// One user's requests go to one server, as long as it is there: rendezvous hashing, which moves
    /// only the users of a server that goes.
    HashOpenid,
    /// The one of two at random that has fewer requests under way: it does as well as a look at all
    /// of them, and does not send every replica to the same one (Mitzenmacher, "The power of two
    /// choices").
    LeastRequests,
    /// One after the other.
    #[default]
    RoundRobin,
}

/// What a choice is made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw {
    /// Of another number for each request.
    pub(super) turn: u64,
    /// The hash of who asks; only [`Balance::HashOpenid`] looks at it.
    pub(super) key: u64,
    pub(super) now: u64,
}

impl Balance {
    /// A target among those that are eligible; none where none is. A target that is warming up gets
    /// its part of a share.
    pub(super) fn choose<'t>(
        self,
        targets: &'t [Arc<Target>],
        draw: Draw,
        eligible: impl Fn(&Target) -> bool,
    ) -> Option<&'t Arc<Target>> {
        let among = || targets.iter().filter(|target| eligible(target));
        if self == Self::HashOpenid {
            let score = |target: &Target| rendezvous(target, draw);
            return among().max_by(|one, other| score(one).total_cmp(&score(other)));
        }
        // Counted first: to walk on from a target that is out would double its neighbour's share.
        let count = among().count() as u64;
        let nth = |n: u64| among().nth(usize::try_from(n).ok()?);
        let first = draw.turn.checked_rem(count)?;
        match self {
            Self::LeastRequests if count > 1 => {
                let random = mix(draw.turn);
                let first = random % count;
                let second = (first + 1 + (random >> 32) % (count - 1)) % count;
                let (first, second) = (nth(first)?, nth(second)?);
                let fuller = load(second, draw.now) < load(first, draw.now);
                Some(if fuller { second } else { first })
            }
            _ => {
                let patience = unit(mix(draw.turn));
                let from = |n| nth((first + n) % count);
                let warm = |target: &&'t Arc<Target>| target.standing.weight(draw.now) > patience;
                (0..count).filter_map(from).find(warm).or_else(|| nth(first))
            }
        }
    }
}

fn load(target: &Target, now: u64) -> f64 {
    (target.under_way() + 1) as f64 / target.standing.weight(now)
}

/// Weighted rendezvous hashing: the highest score wins. Where all weights are 1 it is the plain one.
fn rendezvous(target: &Target, draw: Draw) -> f64 {
    let chance = unit(mix(draw.key ^ target.seed));
    match target.standing.weight(draw.now) {
        1.0 => chance,
        weight => chance.powf(weight.recip()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::upstream::hash::key;
    use crate::upstream::pool::tests::{targets, targets_with};
    use crate::upstream::standing::Standing;
    use crate::upstream::{Address, Lease};

    fn draw(turn: u64) -> Draw {
        Draw { turn, key: key(&turn.to_le_bytes()), now: 60_000 }
    }

    fn shares(balance: Balance, targets: &[Arc<Target>], out: usize) -> HashMap<String, usize> {
        let eligible = |target: &Target| target.address != targets[out].address;
        let mut shares = HashMap::new();
        for turn in 0..9_000 {
            let chosen = balance.choose(targets, draw(turn), eligible).unwrap();
            *shares.entry(chosen.address.to_string()).or_default() += 1;
        }
        shares
    }

    #[test]
    fn the_share_of_a_target_that_is_out_goes_to_all_others_alike() {
        let targets = targets(4);
        for (balance, slack) in
            [(Balance::RoundRobin, 0), (Balance::LeastRequests, 300), (Balance::HashOpenid, 300)]
        {
            let shares = shares(balance, &targets, 1);
            assert_eq!(shares.len(), 3, "{balance:?}");
            let even = |share: &usize| share.abs_diff(3_000) <= slack;
            assert!(shares.values().all(even), "{balance:?}: {shares:?}");
        }
    }

    #[test]
    fn a_target_that_is_warming_up_gets_its_part() {
        for balance in [Balance::RoundRobin, Balance::LeastRequests, Balance::HashOpenid] {
            let standings = [Standing::new(None), Standing::new(Some(58_000))];
            let targets = targets_with(standings);
            let mut to_the_new = 0;
            for turn in 0..10_000 {
                let chosen = balance.choose(&targets, draw(turn), |_| true).unwrap();
                to_the_new += usize::from(chosen.address == targets[1].address);
            }
            // With nothing under way the one at full weight has less to do in every pair.
            let expected = if balance == Balance::LeastRequests { 0..=0 } else { 500..=1_700 };
            assert!(expected.contains(&to_the_new), "{balance:?}: {to_the_new}");
        }
    }

    #[test]
    fn the_one_with_fewer_requests_gets_more() {
        let targets = targets(2);
        let busy: Vec<_> = (0..3).map(|_| Lease::new(&targets[0])).collect();
        for turn in 0..100 {
            let chosen = Balance::LeastRequests.choose(&targets, draw(turn), |_| true).unwrap();
            assert_eq!(chosen.address, targets[1].address);
        }
        drop(busy);
        assert_eq!(targets[0].under_way(), 0);
    }

    #[test]
    fn a_server_that_goes_moves_only_its_own_users() {
        let targets = targets(5);
        let place = |user: u64, out: Option<&Address>| {
            let draw = Draw { turn: 0, key: key(&user.to_le_bytes()), now: 60_000 };
            let eligible = |target: &Target| Some(&target.address) != out;
            Balance::HashOpenid.choose(&targets, draw, eligible).unwrap().address.clone()
        };
        let gone = targets[2].address.clone();
        for user in 0..1_000 {
            let (before, after) = (place(user, None), place(user, Some(&gone)));
            assert!(before == gone || before == after);
        }
    }

    #[test]
    fn nobody_is_chosen_where_nobody_is_eligible() {
        for balance in [Balance::RoundRobin, Balance::LeastRequests, Balance::HashOpenid] {
            assert!(balance.choose(&targets(3), draw(7), |_| false).is_none());
            assert!(balance.choose(&[], draw(7), |_| true).is_none());
        }
    }
}
