//! The values of a series' labels: one allocation for all of them, since there are as many as series.

use std::sync::Arc;

/// Between two values; no name of a route, an app or an upstream has it.
const SEPARATOR: char = '\0';

/// The values, in the order of the metric's table. Ordered as the list of them would be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Labels(Arc<str>);

impl Labels {
    pub(super) fn new(values: &[&str]) -> Self {
        let mut joined = String::with_capacity(values.iter().map(|value| value.len() + 1).sum());
        for (position, value) in values.iter().enumerate() {
            if position > 0 {
                joined.push(SEPARATOR);
            }
            joined.push_str(value);
        }
        Self(joined.into())
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &str> {
        self.0.split(SEPARATOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_in_the_order_of_their_lists() {
        let lists = [["/api", "GET"], ["/api", ""], ["/api/x", "GET"], ["", "POST"], ["", ""]];
        let mut labels = lists.map(|list| Labels::new(&list));
        labels.sort();
        let back: Vec<Vec<_>> = labels.iter().map(|labels| labels.values().collect()).collect();
        let mut sorted = lists.map(|list| list.to_vec());
        sorted.sort();
        assert_eq!(back, sorted);
    }
}
