//! The routes, arranged so that a lookup costs the same with ten of them and with ten thousand: one
//! hash lookup for the exact path, then one for each prefix length that some route has, longest first.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use http::Method;

use super::spelling::{folded, other_reading, with_lower_case};
use super::strictness::Strictness;
use super::{Action, Pattern, Route};
use crate::policy::guard::METHODS;

/// A segment of a path, or a host, that no route names.
const UNHEARD_OF: &str = "~no~route~names~this~";

/// The routes, arranged for lookup.
#[derive(Debug)]
pub struct Table {
    routes: Vec<Arc<Route>>,
    /// Positions in `routes` by exact path, in lower case and without a closing `/`.
    exact: HashMap<String, Vec<usize>>,
    /// Positions in `routes` by prefix in lower case, grouped by the length of the prefix in bytes, longest first.
    prefixes: Vec<(usize, HashMap<String, Vec<usize>>)>,
    /// The prefixes below which another gateway asks about paths of its own.
    asked_below: Vec<String>,
}

/// The positions of two routes that could both win.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict(pub usize, pub usize);

/// What a lookup found.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// The route that wins.
    Found(&'a Arc<Route>),
    /// Routes have the path and host, but none of them the method: these are the methods.
    MethodNotAllowed(Vec<Method>),
    /// No route has the path and host.
    NotFound,
}

impl Table {
    /// Arranges the routes, or names every pair that could both win.
    pub fn build(routes: Vec<Route>) -> Result<Self, Vec<Conflict>> {
        let mut exact: HashMap<String, Vec<usize>> = HashMap::new();
        let mut prefixes: BTreeMap<usize, HashMap<String, Vec<usize>>> = BTreeMap::new();
        for (position, route) in routes.iter().enumerate() {
            let places = match &route.path {
                Pattern::Exact(path) => exact.entry(folded(path)).or_default(),
                Pattern::Prefix(path) => {
                    let of_length = prefixes.entry(path.len()).or_default();
                    of_length.entry(path.to_ascii_lowercase()).or_default()
                }
            };
            places.push(position);
        }
        let groups = || exact.values().chain(prefixes.values().flat_map(HashMap::values));
        let mut conflicts: Vec<_> = groups().flat_map(|group| conflicts(&routes, group)).collect();
        if !conflicts.is_empty() {
            conflicts.sort_unstable_by_key(|Conflict(first, second)| (*first, *second));
            return Err(conflicts);
        }
        let mut prefixes: Vec<_> = prefixes.into_iter().rev().collect();
        let of_each_prefix = prefixes.iter_mut().flat_map(|(_, group)| group.values_mut());
        for group in exact.values_mut().chain(of_each_prefix) {
            group.sort_by_key(|position| routes.get(*position).map(specificity));
        }
        let numbered = |(position, route): (usize, Route)| {
            let name = route.path.to_string();
            Arc::new(Route { position, name, ..route })
        };
        let routes: Vec<_> = routes.into_iter().enumerate().map(numbered).collect();
        let asked_below = routes.iter().filter_map(|route| asked_below(route)).collect();
        Ok(Self { routes, exact, prefixes, asked_below })
    }

    /// The routes, in the order of the configuration.
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// The route of a request. The path is canonical, the host without a port.
    ///
    /// Upstreams often read `/API/x`, `/admin/`, `/admin.` and `/admin%3Fx` as `/api/x` and `/admin`. So a
    /// route whose path is there in another spelling does not win; but none beside it or broader that asks
    /// for less gets the request either (CVE-2026-27587), nor one that would see the login code in it.
    pub fn find<'a>(&'a self, path: &str, host: &str, method: &Method) -> Outcome<'a> {
        let found = with_lower_case(path, |folded| self.look(path, folded, host, method));
        let Some(route) = found.route else {
            return found.nothing();
        };
        let mut asked = found.asked;
        if let Some(read) = other_reading(path) {
            let found = with_lower_case(&read, |folded| self.look(&read, folded, host, method));
            asked = asked.max(found.asked);
            asked = asked.max(found.route.map(|route| Strictness::of(route)).unwrap_or_default());
        }
        if asked > Strictness::of(route) { Outcome::NotFound } else { Outcome::Found(route) }
    }

    /// Whether another gateway asks below this path about paths of its own, which it appends to it as
    /// they come. The prefix is the gateway's text: at most its case is another, that of `%e5` too.
    pub fn is_asked_below(&self, raw_path: &[u8]) -> bool {
        self.asked_below.iter().any(|prefix| {
            let parts = raw_path.split_at_checked(prefix.len());
            parts.is_some_and(|(above, below)| {
                above.eq_ignore_ascii_case(prefix.as_bytes()) && below.starts_with(b"/")
            })
        })
    }

    /// Whatever the order of the routes: all spellings of a path have their say before one of them wins.
    fn look<'a>(&'a self, path: &str, folded: &str, host: &str, method: &Method) -> Found<'a> {
        let mut found = Found::default();
        for (group, path) in self.groups(path, folded) {
            for route in group.iter().filter_map(|position| self.routes.get(*position)) {
                match Fit::of(route, path, host, method) {
                    Fit::OtherHost => {}
                    Fit::OtherSpelling => found.asked = found.asked.max(Strictness::of(route)),
                    Fit::OtherMethod => found.note_methods(route),
                    Fit::Whole => found.route = found.route.or(Some(route)),
                }
            }
            if found.route.is_some() {
                break;
            }
        }
        found
    }

    /// Every route whose path is the request's in some spelling, the most specific first, and how it
    /// fits: the one that wins is among the first, and behind it are those that it was preferred to.
    pub fn considered(&self, path: &str, host: &str, method: &Method) -> Vec<(Arc<Route>, Fit)> {
        let considered = |folded: &str| {
            let routes = self.groups(path, folded).flat_map(|(group, path)| {
                let routes = group.iter().filter_map(|position| self.routes.get(*position));
                routes.map(move |route| (route.clone(), Fit::of(route, path, host, method)))
            });
            routes.collect()
        };
        with_lower_case(path, considered)
    }

    /// The positions of the routes that no request can get to, found by asking for them.
    pub fn unreachable(&self) -> Vec<usize> {
        let reached = |route: &Arc<Route>| {
            let paths = match &route.path {
                Pattern::Exact(path) => vec![path.clone()],
                Pattern::Prefix(path) => vec![format!("{path}/"), format!("{path}/{UNHEARD_OF}")],
            };
            let host = route.host.as_deref().unwrap_or(UNHEARD_OF);
            let methods =
                if route.methods.is_empty() { METHODS.as_slice() } else { &route.methods };
            let wins = |path: &str, method| matches!(self.find(path, host, method), Outcome::Found(found) if Arc::ptr_eq(found, route));
            paths.iter().any(|path| methods.iter().any(|method| wins(path, method)))
        };
        let routes = self.routes.iter().enumerate();
        routes.filter(|(_, route)| !reached(route)).map(|(position, _)| position).collect()
    }

    /// The positions of the routes of each path that is the request's in some spelling, the most specific
    /// path first, and with it the part of the request's that such a route could match.
    fn groups<'a>(
        &'a self,
        path: &'a str,
        folded: &'a str,
    ) -> impl Iterator<Item = (&'a [usize], Option<&'a str>)> {
        let exact = self.exact.get(folded.strip_suffix('/').unwrap_or(folded));
        let exact = exact.into_iter().map(move |group| (group.as_slice(), Some(path)));
        let prefixes = self.prefixes.iter().filter_map(move |(length, groups)| {
            let group = prefix_of(folded, *length).and_then(|prefix| groups.get(prefix))?;
            Some((group.as_slice(), path.get(..*length)))
        });
        exact.chain(prefixes)
    }
}

/// What a lookup came to.
#[derive(Default)]
struct Found<'a> {
    /// The most specific route that can take the request.
    route: Option<&'a Arc<Route>>,
    /// The most that other spellings of its path, and of more specific ones, ask for.
    asked: Strictness,
    /// The methods of routes that could take it with another one.
    methods: Vec<Method>,
}

impl<'a> Found<'a> {
    fn note_methods(&mut self, route: &Route) {
        for method in &route.methods {
            if !self.methods.contains(method) {
                self.methods.push(method.clone());
            }
        }
    }

    /// The outcome where there is no route.
    fn nothing(mut self) -> Outcome<'a> {
        if self.methods.is_empty() {
            return Outcome::NotFound;
        }
        self.methods.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        Outcome::MethodNotAllowed(self.methods)
    }
}

/// How a route fits a request whose path it has in some spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It is for another host.
    OtherHost,
    /// Its path is there in another case, or with another closing slash.
    OtherSpelling,
    /// It is for other methods.
    OtherMethod,
    /// It can take the request.
    Whole,
}

impl Fit {
    /// `path` is the part of the request's that a route of this length could match.
    fn of(route: &Route, path: Option<&str>, host: &str, method: &Method) -> Self {
        if !route.host.as_deref().is_none_or(|named| named.eq_ignore_ascii_case(host)) {
            Self::OtherHost
        } else if path != Some(route.path.path()) {
            Self::OtherSpelling
        } else if !route.methods.is_empty() && !route.methods.contains(method) {
            Self::OtherMethod
        } else {
            Self::Whole
        }
    }
}

/// The prefix of a route by which another gateway asks.
fn asked_below(route: &Route) -> Option<String> {
    match &route.path {
        Pattern::Prefix(prefix) if route.action == Action::Authorize => Some(prefix.clone()),
        _ => None,
    }
}

/// A named host before none, named methods before none.
fn specificity(route: &Route) -> (bool, bool) {
    (route.host.is_none(), route.methods.is_empty())
}

fn conflicts(routes: &[Route], group: &[usize]) -> Vec<Conflict> {
    let mut found = Vec::new();
    for (index, &first) in group.iter().enumerate() {
        for &second in group.iter().skip(index + 1) {
            if let (Some(one), Some(other)) = (routes.get(first), routes.get(second))
                && both_win(one, other)
            {
                found.push(Conflict(first, second));
            }
        }
    }
    found
}

fn both_win(one: &Route, other: &Route) -> bool {
    let methods_meet = match (one.methods.as_slice(), other.methods.as_slice()) {
        ([], []) => true,
        ([], _) | (_, []) => false,
        (some, others) => some.iter().any(|method| others.contains(method)),
    };
    one.path == other.path && one.host == other.host && methods_meet
}

/// The first `length` bytes of a path where a segment ends there.
fn prefix_of(path: &str, length: usize) -> Option<&str> {
    match path.as_bytes().get(length) {
        None if length == path.len() => Some(path),
        Some(b'/') => path.get(..length),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
