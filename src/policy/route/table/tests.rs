//! Which route wins.

mod order;

use super::super::Auth;
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
        rate: None,
        cors: None,
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

/// Another gateway asks by an action, and goes by its answer for paths that a service reads in any case.
#[test]
fn another_spelling_falls_to_no_action_that_asks_for_less() {
    let asks = |path: &str, auth| Route { action: Action::Authorize, auth, ..route(path) };
    let strict = asks("/authorize/admin/**", Auth::Required);
    for open in [Auth::Optional, Auth::None].map(|auth| asks("/authorize/**", auth)) {
        let table = Table::build(vec![open, strict.clone()]).unwrap();
        for path in ["/authorize/ADMIN/x", "/authorize/admin./x", "/AUTHORIZE/Admin"] {
            assert!(matches!(table.find(path, "", &Method::GET), Outcome::NotFound), "{path}");
        }
        let path = "/authorize/admin/x";
        assert_eq!(found(&table, path, "", Method::GET).as_deref(), Some("/authorize/admin/**"));
        let path = "/authorize/x";
        assert_eq!(found(&table, path, "", Method::GET).as_deref(), Some("/authorize/**"));
    }
}

#[test]
fn it_is_known_where_another_gateway_asks_about_paths_of_its_own() {
    let asks = |path: &str| Route { action: Action::Authorize, ..route(path) };
    let table = Table::build(vec![asks("/ask"), asks("/Ask/%E5%BE%AE/**"), route("/**")]).unwrap();
    for (path, is_below) in [
        ("/Ask/%E5%BE%AE/../x", true),
        ("/Ask/%e5%be%ae/", true),
        ("/Ask/%E5%BE%AE", false),
        ("/Ask/%E5%BE%AEx", false),
        ("/ask/x", false),
        ("/", false),
    ] {
        assert_eq!(table.is_asked_below(path.as_bytes()), is_below, "{path}");
    }
}

#[test]
fn what_may_be_read_as_another_path_falls_to_no_route_that_asks_for_less() {
    let public = |path: &str| Route { auth: Auth::None, ..route(path) };
    let login = Route { action: Action::Login, ..route("/wxLogin") };
    let table = Table::build(vec![route("/api/**"), login, public("/**")]).unwrap();
    for path in [
        "/api.",
        "/api./x",
        "/API%20/x",
        "/api.%20./x",
        "/wxLogin.",
        "/wxlogin%20/",
        "/api%23/x",
        "/api%3Fx",
        "/api%2520/x",
        "/API.%3F/%23",
        "/wxLogin%3Fcode=x",
    ] {
        assert!(matches!(table.find(path, "", &Method::GET), Outcome::NotFound), "{path}");
    }
    for path in ["/wiki/Inc.", "/a%20/b.", "/...", "/.../api", "/apis.", "/C%23/api", "/%3F"] {
        assert_eq!(found(&table, path, "", Method::GET).as_deref(), Some("/**"), "{path}");
    }
    assert_eq!(found(&table, "/api/x.", "", Method::GET).as_deref(), Some("/api/**"));
    let table = Table::build(vec![route("/only%23/x."), route("/other")]).unwrap();
    assert_eq!(found(&table, "/only%23/x.", "", Method::GET).as_deref(), Some("/only%23/x."));
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

#[test]
fn what_was_considered_ends_with_what_it_was_preferred_to() {
    let routes = vec![
        route("/**"),
        route("/Api/x"),
        taking(&[Method::POST], route("/api/x")),
        on("a.example", route("/api/**")),
        route("/api/**"),
    ];
    let table = Table::build(routes).unwrap();
    let considered = table.considered("/api/x", "b.example", &Method::GET);
    let considered: Vec<_> =
        considered.iter().map(|(route, fit)| (route.path.to_string(), *fit)).collect();
    let expected = [
        ("/api/x", Fit::OtherMethod),
        ("/Api/x", Fit::OtherSpelling),
        ("/api/**", Fit::OtherHost),
        ("/api/**", Fit::Whole),
        ("/**", Fit::Whole),
    ];
    assert_eq!(considered, expected.map(|(path, fit)| (path.to_owned(), fit)));
}

#[test]
fn a_route_that_no_request_gets_to_is_named() {
    let public = |path: &str| Route { auth: Auth::None, ..route(path) };
    let routes = vec![
        route("/a"),
        taking(&METHODS, route("/b")),
        route("/b"),
        on("x.example", route("/b")),
        route("/Admin"),
        public("/admin"),
        route("/api/**"),
        taking(&METHODS, route("/api/**")),
    ];
    let table = Table::build(routes).unwrap();
    assert_eq!(table.unreachable(), [2, 5, 6]);
}
