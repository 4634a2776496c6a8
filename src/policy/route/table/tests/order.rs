//! The order of the routes in the file has no say.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;

#[test]
fn of_two_spellings_the_stricter_one_decides_in_either_order() {
    let public = |path: &str| Route { auth: Auth::None, ..route(path) };
    let on_a = |route| on("a.example", route);
    let asks = |route| Route { action: Action::Authorize, ..route };
    for [strict, open] in [
        [route("/Admin"), public("/admin")],
        [route("/admin/"), public("/admin")],
        [route("/Admin/**"), public("/admin/**")],
        [route("/Admin"), on_a(public("/admin"))],
        [route("/Admin"), taking(&[Method::GET], public("/admin"))],
        [taking(&[Method::POST], route("/Admin")), public("/admin")],
        [Route { action: Action::Login, ..public("/Admin") }, route("/admin")],
        [asks(route("/Admin/**")), asks(public("/admin/**"))],
    ] {
        for routes in [[&strict, &open], [&open, &strict]] {
            let table = Table::build(routes.map(Route::clone).to_vec()).unwrap();
            for path in ["/admin", "/admin."] {
                let outcome = table.find(path, "a.example", &Method::GET);
                assert!(matches!(outcome, Outcome::NotFound), "{path} {routes:?} {outcome:?}");
            }
            let path = strict.path.path();
            let method = strict.methods.first().cloned().unwrap_or_default();
            let found = found(&table, path, "a.example", method);
            assert!(found.is_some_and(|found| found.starts_with(path)), "{routes:?}");
        }
    }
}

#[test]
fn another_spelling_on_another_host_has_no_say() {
    let open = Route { auth: Auth::None, ..route("/admin") };
    let table = Table::build(vec![on("b.example", route("/Admin")), open]).unwrap();
    assert_eq!(found(&table, "/admin", "a.example", Method::GET).as_deref(), Some("/admin"));
    assert_eq!(found(&table, "/admin", "b.example", Method::GET), None);
}

const PATHS: [&str; 9] = ["/a", "/A", "/a/", "/a/b", "/A/b", "/a/B", "/a./b", "/a/b/", "/a%20/b"];
const HOSTS: [&str; 3] = ["", "a.example", "b.example"];
const METHODS: [Method; 3] = [Method::GET, Method::POST, Method::PUT];

fn any_route() -> impl Strategy<Value = Route> {
    let patterns = ["/**", "/a/**", "/A/**", "/a/b/**", "/a/B/**"];
    let pattern = select([&PATHS[..], &patterns[..]].concat());
    let host = select(vec![None, Some("a.example"), Some("b.example")]);
    let methods = subsequence(METHODS.to_vec(), 0..=2);
    let auth = select(vec![Auth::None, Auth::Optional, Auth::Required]);
    let actions = [Action::Proxy, Action::Proxy, Action::Login, Action::Authorize];
    let action = select(actions.to_vec());
    (pattern, host, methods, auth, action).prop_map(|(path, host, methods, auth, action)| Route {
        host: host.map(str::to_owned),
        methods,
        auth,
        action,
        ..route(path)
    })
}

/// Routes of which no two could both win, and the same in another order.
fn two_orders() -> impl Strategy<Value = (Vec<Route>, Vec<Route>)> {
    let routes = prop::collection::vec(any_route(), 1..8).prop_map(|routes| {
        let mut kept: Vec<Route> = Vec::new();
        for route in routes {
            if !kept.iter().any(|other| both_win(other, &route)) {
                kept.push(route);
            }
        }
        kept
    });
    routes.prop_flat_map(|routes| (Just(routes.clone()), Just(routes).prop_shuffle()))
}

fn requests() -> impl Iterator<Item = (&'static str, &'static str, Method)> {
    let hosts = |path| HOSTS.into_iter().map(move |host| (path, host));
    let methods = |(path, host)| METHODS.into_iter().map(move |method| (path, host, method));
    PATHS.into_iter().flat_map(hosts).flat_map(methods)
}

/// Without its position, which is the order's.
fn outcome(table: &Table, path: &str, host: &str, method: &Method) -> (Option<Route>, Vec<Method>) {
    match table.find(path, host, method) {
        Outcome::Found(route) => (Some(Route { position: 0, ..(**route).clone() }), Vec::new()),
        Outcome::MethodNotAllowed(methods) => (None, methods),
        Outcome::NotFound => (None, Vec::new()),
    }
}

proptest! {
    #[test]
    fn the_order_of_the_routes_changes_no_outcome((routes, others) in two_orders()) {
        let (table, other) = (Table::build(routes).unwrap(), Table::build(others).unwrap());
        for (path, host, method) in requests() {
            let outcomes = [&table, &other].map(|table| outcome(table, path, host, &method));
            prop_assert_eq!(&outcomes[0], &outcomes[1], "{} {} {}", method, host, path);
        }
    }

    #[test]
    fn no_other_spelling_of_the_winner_asks_for_more((routes, _) in two_orders()) {
        let table = Table::build(routes.clone()).unwrap();
        for (path, host, method) in requests() {
            let (Some(won), _) = outcome(&table, path, host, &method) else { continue };
            let is_other_spelling = |it: &&Route| {
                let both = (&it.path, &won.path);
                let same_kind = matches!(
                    both,
                    (Pattern::Exact(_), Pattern::Exact(_)) | (Pattern::Prefix(_), Pattern::Prefix(_))
                );
                same_kind
                    && it.path != won.path
                    && folded(it.path.path()) == folded(won.path.path())
                    && it.host.as_deref().is_none_or(|named| named == host)
            };
            for other in routes.iter().filter(is_other_spelling) {
                prop_assert!(Strictness::of(other) <= Strictness::of(&won), "{} {:?}", path, other);
            }
        }
    }
}
