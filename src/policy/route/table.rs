//! The routes, arranged so that a lookup costs the same with ten of them and with ten thousand: one
//! hash lookup for the exact path, then one for each prefix length that some route has, longest first.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use http::Method;

use super::{Action, Auth, Pattern, Route};

/// The routes, arranged for lookup.
#[derive(Debug)]
pub struct Table {
    routes: Vec<Arc<Route>>,
    /// Positions in `routes` by exact path, in lower case and without a closing `/`.
    exact: HashMap<String, Vec<usize>>,
    /// Positions in `routes` by prefix in lower case, grouped by the length of the prefix in bytes, longest first.
    prefixes: Vec<(usize, HashMap<String, Vec<usize>>)>,
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
        let routes = routes.into_iter().enumerate().map(numbered).collect();
        Ok(Self { routes, exact, prefixes })
    }

    /// The routes, in the order of the configuration.
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// The route of a request. The path is canonical, the host without a port.
    ///
    /// Upstreams often read `/API/x` and `/admin/` as `/api/x` and `/admin`. So a route whose path
    /// is there in another case, or with another closing slash, does not win; but no broader route that
    /// asks for less gets the request either (CVE-2026-27587), nor one that would see the login code in
    /// it.
    pub fn find<'a>(&'a self, path: &str, host: &'a str, method: &Method) -> Outcome<'a> {
        with_lower_case(path, |folded| self.find_folded(path, folded, host, method))
    }

    fn find_folded<'a>(
        &'a self,
        path: &str,
        folded: &str,
        host: &'a str,
        method: &Method,
    ) -> Outcome<'a> {
        let mut allowed = Vec::new();
        let mut asked = Strictness::default();
        let exact = self.exact.get(folded.strip_suffix('/').unwrap_or(folded));
        for route in self.of_host(exact, host) {
            if route.path.path() != path {
                asked = asked.max(Strictness::of(route));
            } else if let Some(route) = take(route, method, &mut allowed) {
                return asked.admit(route);
            }
        }
        for (length, group) in &self.prefixes {
            let Some(prefix) = prefix_of(folded, *length) else { continue };
            for route in self.of_host(group.get(prefix), host) {
                if path.get(..*length) != Some(route.path.path()) {
                    asked = asked.max(Strictness::of(route));
                } else if let Some(route) = take(route, method, &mut allowed) {
                    return asked.admit(route);
                }
            }
        }
        if allowed.is_empty() { Outcome::NotFound } else { Outcome::MethodNotAllowed(allowed) }
    }

    fn of_host<'a>(
        &'a self,
        positions: Option<&'a Vec<usize>>,
        host: &'a str,
    ) -> impl Iterator<Item = &'a Arc<Route>> {
        let routes =
            positions.into_iter().flatten().filter_map(|position| self.routes.get(*position));
        routes.filter(move |route| {
            route.host.as_deref().is_none_or(|named| named.eq_ignore_ascii_case(host))
        })
    }
}

/// The route where it has the method; else its methods are noted.
fn take<'a>(
    route: &'a Arc<Route>,
    method: &Method,
    allowed: &mut Vec<Method>,
) -> Option<&'a Arc<Route>> {
    if route.methods.is_empty() || route.methods.contains(method) {
        return Some(route);
    }
    for method in &route.methods {
        if !allowed.contains(method) {
            allowed.push(method.clone());
        }
    }
    None
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

fn folded(path: &str) -> String {
    path.strip_suffix('/').unwrap_or(path).to_ascii_lowercase()
}

/// Calls with the path in lower case, on the stack where it is short.
fn with_lower_case<T>(path: &str, call: impl FnOnce(&str) -> T) -> T {
    if !path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return call(path);
    }
    let mut buffer = [0; 128];
    if let Some(copy) = buffer.get_mut(..path.len()) {
        copy.copy_from_slice(path.as_bytes());
        copy.make_ascii_lowercase();
        if let Ok(text) = std::str::from_utf8(copy) {
            return call(text);
        }
    }
    call(&path.to_ascii_lowercase())
}

/// What a route asks of a request, the least first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Strictness {
    #[default]
    Nothing,
    TokenIfThere,
    Token,
    /// The gateway answers itself.
    Action,
}

impl Strictness {
    fn of(route: &Route) -> Self {
        match (route.action, route.auth) {
            (Action::Proxy, Auth::None) => Self::Nothing,
            (Action::Proxy, Auth::Optional) => Self::TokenIfThere,
            (Action::Proxy, Auth::Required) => Self::Token,
            _ => Self::Action,
        }
    }

    /// The route, unless another spelling of the path asks for more.
    fn admit(self, route: &Arc<Route>) -> Outcome<'_> {
        if self > Self::of(route) { Outcome::NotFound } else { Outcome::Found(route) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: &str) -> Route {
        Route {
            position: 0,
            name: String::new(),
            path: Pattern::parse(path).unwrap(),
            host: None,
            methods: Vec::new(),
            action: Action::Proxy,
            auth: Auth::Required,
            upstream: None,
            apps: vec![0],
            rewrite: None,
            request_headers: Default::default(),
            response_headers: Default::default(),
            connect_timeout: None,
            timeout: None,
            body_size: None,
            token_at: None,
            profile: Default::default(),
        }
    }

    fn on(host: &str, route: Route) -> Route {
        Route { host: Some(host.to_owned()), ..route }
    }

    fn taking(methods: &[Method], route: Route) -> Route {
        Route { methods: methods.to_vec(), ..route }
    }

    fn found(table: &Table, path: &str, host: &str, method: Method) -> Option<String> {
        match table.find(path, host, &method) {
            Outcome::Found(route) => Some(format!(
                "{}{}{}",
                route.host.as_deref().unwrap_or(""),
                route.path,
                if route.methods.is_empty() { "" } else { " by method" }
            )),
            _ => None,
        }
    }

    #[test]
    fn the_most_specific_route_wins_whatever_the_order() {
        let mut routes = vec![
            route("/**"),
            route("/api/**"),
            route("/api/v1/**"),
            route("/api/v1/x"),
            on("a.example", route("/api/v1/x")),
            taking(&[Method::POST], route("/api/v1/x")),
            taking(&[Method::POST], on("a.example", route("/api/v1/x"))),
        ];
        for _ in 0..routes.len() {
            routes.rotate_left(1);
            let table = Table::build(routes.clone()).unwrap();
            for (path, host, method, expected) in [
                ("/", "", Method::GET, "/**"),
                ("/apix", "", Method::GET, "/**"),
                ("/api", "", Method::GET, "/api/**"),
                ("/api/", "", Method::GET, "/api/**"),
                ("/api/v1", "", Method::GET, "/api/v1/**"),
                ("/api/v1/x", "", Method::GET, "/api/v1/x"),
                ("/api/v1/x", "", Method::POST, "/api/v1/x by method"),
                ("/api/v1/x", "a.example", Method::GET, "a.example/api/v1/x"),
                ("/api/v1/x", "a.example", Method::POST, "a.example/api/v1/x by method"),
                ("/api/v1/x/", "a.example", Method::POST, "/api/v1/**"),
            ] {
                assert_eq!(found(&table, path, host, method).as_deref(), Some(expected), "{path}");
            }
        }
    }

    #[test]
    fn the_methods_of_a_path_are_named() {
        let routes = vec![taking(&[Method::POST, Method::PUT], route("/a")), route("/b/**")];
        let table = Table::build(routes).unwrap();
        match table.find("/a", "", &Method::GET) {
            Outcome::MethodNotAllowed(methods) => assert_eq!(methods, [Method::POST, Method::PUT]),
            other => panic!("{other:?}"),
        }
        assert!(matches!(table.find("/c", "", &Method::GET), Outcome::NotFound));
    }

    #[test]
    fn another_spelling_of_an_action_falls_to_no_broader_route() {
        let login = Route { action: Action::Login, ..route("/wxLogin") };
        let table = Table::build(vec![login, route("/Other"), route("/**")]).unwrap();
        for path in ["/wxlogin", "/WXLOGIN", "/wxLogin/"] {
            assert!(matches!(table.find(path, "", &Method::GET), Outcome::NotFound), "{path}");
        }
        assert_eq!(found(&table, "/wxLogin", "", Method::GET).as_deref(), Some("/wxLogin"));
        assert_eq!(found(&table, "/other", "", Method::GET).as_deref(), Some("/**"));
    }

    #[test]
    fn another_spelling_falls_to_no_route_that_asks_for_less() {
        let public = |path: &str| Route { auth: Auth::None, ..route(path) };
        let routes = vec![route("/api/**"), route("/admin"), public("/Open/**"), public("/**")];
        let table = Table::build(routes).unwrap();
        for path in ["/API/orders", "/Api", "/admin/", "/ADMIN", "/Admin/"] {
            assert!(matches!(table.find(path, "", &Method::GET), Outcome::NotFound), "{path}");
        }
        assert_eq!(found(&table, "/open/x", "", Method::GET).as_deref(), Some("/**"));
        assert_eq!(found(&table, "/api/orders", "", Method::GET).as_deref(), Some("/api/**"));
    }

    #[test]
    fn two_routes_that_could_both_win_are_named() {
        let routes = vec![
            route("/a"),
            taking(&[Method::GET, Method::POST], route("/b")),
            route("/a"),
            taking(&[Method::POST], route("/b")),
            taking(&[Method::PUT], route("/b")),
            on("x", route("/a")),
        ];
        assert_eq!(Table::build(routes).unwrap_err(), [Conflict(0, 2), Conflict(1, 3)]);
    }
}
