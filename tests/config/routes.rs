//! Routes that cannot work, alone or together.

use super::{ROUTES, SHOP, lines, parse, problems, settings};

/// Each line is one of a route with the path `/x`.
#[track_caller]
fn each_route_is_refused(cases: &[(&str, &str)]) {
    for (lines, message) in cases {
        let text = format!("[[routes]]\npath = \"/x\"\n{lines}\n{SHOP}");
        assert_eq!(problems(&text), [*message], "{lines}");
    }
}

#[test]
fn routes_take_requests_that_there_are() {
    let upstream = "upstream = \"shop\"\n";
    let with = |line: &str| format!("{upstream}{line}");
    for (line, message) in [
        (
            "host = \"Shop.example.com\"",
            r#"host: "Shop.example.com" is no host of a route; write "shop.example.com", in lower case and without a port"#,
        ),
        (
            "host = \"shop:80\"",
            r#"host: "shop:80" is no host of a route; write "shop.example.com", in lower case and without a port"#,
        ),
        (
            "methods = [\"FETCH\"]",
            r#"methods: "FETCH" is no method of a route; did you mean "PATCH"?"#,
        ),
        ("methods = [\"get\"]", r#"methods: "get" is no method of a route; did you mean "GET"?"#),
        ("app = \"shopp\"", r#"app: "shopp" is no app of this file; did you mean "shop"?"#),
        ("app = [\"shop\", \"shop\"]", r#"app: "shop" is there already"#),
        (
            "auth = \"maybe\"",
            r#"auth: "maybe" is none of the values; there are "required", "optional", "none""#,
        ),
        ("timeout = \"0s\"", r#"timeout: "0s" must be longer than nothing"#),
    ] {
        let found = problems(&format!("[[routes]]\npath = \"/x\"\n{}\n{SHOP}", with(line)));
        let [found] = found.as_slice() else { panic!("{line}: {found:#?}") };
        assert!(found.starts_with("4:") && found.ends_with(message), "{line}: {found}");
    }
    for (path, message) in [
        ("api", "a path must start with `/`"),
        ("/a/*/b", "`*` stands only in `/**` at the end: a path is exact or a prefix"),
        ("/a/../b/**", "no request has this path: write it as `/b/**`"),
        ("/a%2fb", "no request may have this path: it is ambiguous"),
    ] {
        let text = format!("[[routes]]\npath = \"{path}\"\n{upstream}{SHOP}");
        assert_eq!(
            problems(&text),
            [format!("2:8: path: \"{path}\" is no path of a route; {message}")]
        );
    }
    let text = format!("[[routes]]\n{upstream}{SHOP}");
    assert_eq!(
        problems(&text),
        [r#"1:1: "path" in [[routes]] is missing; write "/wxLogin" or "/api/**""#]
    );
}

#[test]
fn actions_upstreams_and_auth_fit_together() {
    each_route_is_refused(&[
        (
            "",
            "1:1: this route has neither `upstream` nor `action`; write upstream = \"NAME\" to hand its requests on, or an action such as \"login\"",
        ),
        (
            "upstream = \"shp\"",
            "3:12: upstream: \"shp\" is no upstream of this file; did you mean \"shop\"?",
        ),
        (
            "action = \"login\"\nupstream = \"shp\"\ntoken_at = \"/a\"",
            "4:12: upstream: \"shp\" is no upstream of this file; did you mean \"shop\"?",
        ),
        (
            "action = \"proxy\"",
            "1:1: action \"proxy\" needs an upstream; write upstream = \"NAME\"",
        ),
        (
            "action = \"profile\"",
            "1:1: action \"profile\" needs an upstream; write upstream = \"NAME\"",
        ),
        (
            "action = \"log-in\"",
            "3:10: action: \"log-in\" is none of the values; did you mean \"login\"?",
        ),
        (
            "action = \"login\"\nauth = \"required\"",
            "4:8: auth: \"required\" contradicts action \"login\": who calls it has no token yet",
        ),
        (
            "action = \"phone\"\nauth = \"none\"",
            "4:8: auth: \"none\" contradicts action \"phone\": it works for the user of the token",
        ),
        (
            "action = \"logout\"\nauth = \"optional\"",
            "4:8: auth: \"optional\" contradicts action \"logout\": it works for the user of the token",
        ),
        (
            "action = \"login\"\ntoken_at = \"/a\"",
            "4:1: \"token_at\" in [[routes]] can do nothing but at a login with an upstream, whose answer gets the token",
        ),
        (
            "action = \"login\"\nupstream = \"shop\"\ntoken_at = \"a\"",
            "5:12: token_at: \"a\" is no JSON pointer; write it as \"/data/token\"",
        ),
        (
            "action = \"login\"\nupstream = \"shop\"\ntoken_at = \"/a~2\"",
            "5:12: token_at: \"/a~2\" is no JSON pointer; write it as \"/data/token\"",
        ),
        (
            "upstream = \"shop\"\non_review = \"pass\"",
            "4:1: \"on_review\" in [[routes]] can do nothing but at action \"profile\"",
        ),
        (
            "action = \"profile\"\nupstream = \"shop\"\navatar_url = \"https://a/\"",
            "5:14: avatar_url: \"https://a/\" does not hold {name} exactly once; write \"https://cdn.example.com/avatars/{name}\"",
        ),
        (
            "action = \"profile\"\nupstream = \"shop\"\navatar_url = \"http://a/{name}\"",
            "5:14: avatar_url: \"http://a/{name}\" is no URL of avatars; write \"https://cdn.example.com/avatars/{name}\"",
        ),
        (
            "action = \"profile\"\nupstream = \"shop\"\navatar_url = \"https://{name}/a\"",
            "5:14: avatar_url: \"https://{name}/a\" is no URL of avatars; write \"https://cdn.example.com/avatars/{name}\"",
        ),
    ]);
    let quiet = settings(&format!(
        "[[routes]]\npath = \"/x\"\nupstream = \"shop\"\naction = \"refresh\"\n[[routes]]\npath = \"/y\"\naction = \"login\"\nauth = \"none\"\ntimeout = \"1s\"\n{SHOP}"
    ));
    assert_eq!(
        lines(&quiet.warnings),
        [
            "3:1: \"upstream\" in [[routes]] does nothing at action \"refresh\", which always answers by itself",
            "9:1: \"timeout\" in [[routes]] does nothing without an upstream",
        ]
    );
}

#[test]
fn two_routes_that_can_both_win_are_refused() {
    let route = |path: &str, more: &str| {
        format!("[[routes]]\npath = \"{path}\"\nupstream = \"shop\"\n{more}\n")
    };
    let both = |one: &str, other: &str| {
        problems(&format!("{}{}{SHOP}", route("/a", one), route("/a", other)))
    };
    assert_eq!(
        both("", ""),
        [
            "6:8: the route in line 2 and this one can both win; take one away, or name its methods or its host"
        ]
    );
    assert_eq!(
        both("methods = [\"GET\", \"POST\"]", "methods = [\"PUT\", \"GET\"]"),
        ["6:8: the route in line 2 and this one can both win; name different methods or hosts"]
    );
    assert_eq!(both("", "host = \"a\""), [] as [&str; 0]);
    assert_eq!(both("", "methods = [\"GET\"]"), [] as [&str; 0]);
    assert_eq!(both("methods = [\"GETT\"]", "").len(), 1, "what cannot be told is no conflict");
    assert_eq!(
        both("auth = \"maybe\"", "").len(),
        2,
        "what can be told is one beside other problems"
    );
}

#[test]
fn the_smallest_useful_file_is_enough() {
    let settings = parse(&format!("{SHOP}{ROUTES}")).unwrap();
    assert_eq!(lines(&settings.warnings), [] as [&str; 0]);
}

#[test]
fn routes_are_a_list() {
    let text = format!("[routes]\npath = \"/x\"\nupstream = \"shop\"\n{SHOP}");
    assert_eq!(
        problems(&text),
        ["1:1: routes: a table is no list of routes; begin each with [[routes]]"]
    );
}

#[test]
fn rates_say_whose_and_how_many() {
    let with = |line: &str| format!("upstream = \"shop\"\n{line}");
    for (line, message) in [
        (
            "rate = { limit = \"1/s\" }",
            r#""per" in [routes.rate] is missing; write "ip", "openid" or "app""#,
        ),
        (
            "rate = { per = \"user\", limit = \"1/s\" }",
            r#"per: "user" is none of the values; there are "ip", "openid", "app""#,
        ),
        (
            "rate = { per = \"ip\" }",
            r#""limit" in [routes.rate] is missing; write "100/s", "600/min" or "5000/h""#,
        ),
        (
            "rate = { per = \"ip\", limit = \"0/s\" }",
            r#"limit: "0/s" lets nothing through; write "100/s", "600/min" or "5000/h""#,
        ),
        (
            "rate = { per = \"ip\", limit = \"1/s\", burst = 0 }",
            "burst: 0 is not from 1 to 1000000",
        ),
    ] {
        let found = problems(&format!("[[routes]]\npath = \"/x\"\n{}\n{SHOP}", with(line)));
        let [found] = found.as_slice() else { panic!("{line}: {found:#?}") };
        assert!(found.starts_with("4:") && found.ends_with(message), "{line}: {found}");
    }
}

#[test]
fn origins_are_what_browsers_write() {
    const WRITE: &str = r#"write "https://shop.example.com", with the port where it is not the scheme's own, or "*""#;
    let is_none = |text: &str| format!("origins: \"{text}\" is no origin of a page; {WRITE}");
    let other = |text: &str, written: &str| {
        format!("origins: \"{text}\" is not how browsers write it; write \"{written}\"")
    };
    let cases = [
        (r#"["null"]"#, is_none("null")),
        (r#"["h5.example.com"]"#, is_none("h5.example.com")),
        (r#"["ftp://a.example"]"#, is_none("ftp://a.example")),
        (r#"["https://*.example.com"]"#, is_none("https://*.example.com")),
        (r#"["https://A.example"]"#, other("https://A.example", "https://a.example")),
        (r#"["https://a.example/"]"#, other("https://a.example/", "https://a.example")),
        (r#"["https://a.example:443"]"#, other("https://a.example:443", "https://a.example")),
        (
            r#"["https://a.example/x"]"#,
            format!("origins: \"https://a.example/x\" must end after the host and port; {WRITE}"),
        ),
        (
            r#"["*", "https://a.example"]"#,
            "origins: an array \"*\" is every origin; leave the others out".to_owned(),
        ),
        (
            r#"["*"], credentials = true"#,
            "credentials: true would let every page act with its visitor's cookies; name the origins"
                .to_owned(),
        ),
        (
            r#"["*"], headers = ["*"]"#,
            "headers: \"*\" is no header name; write a name like \"X-User-Id\"".to_owned(),
        ),
    ];
    for (origins, message) in cases {
        let line = format!("upstream = \"shop\"\ncors = {{ origins = {origins} }}");
        let found = problems(&format!("[[routes]]\npath = \"/x\"\n{line}\n{SHOP}"));
        let [found] = found.as_slice() else { panic!("{origins}: {found:#?}") };
        assert!(
            found.starts_with("4:") && found.ends_with(&message),
            "{origins}: {found}\n{message}"
        );
    }
    let fine = r#"["https://a.example", "http://localhost:5173", "https://[::1]:8443"]"#;
    settings(&format!(
        "[[routes]]\npath = \"/x\"\nupstream = \"shop\"\ncors = {{ origins = {fine} }}\n{SHOP}"
    ));
}

#[test]
fn pages_ask_the_gateway_in_front_of_an_authorize() {
    each_route_is_refused(&[(
        "action = \"authorize\"\ncors = { origins = [\"*\"] }",
        "4:1: \"cors\" in [[routes]] can do nothing at action \"authorize\": pages ask the gateway in front",
    )]);
}
