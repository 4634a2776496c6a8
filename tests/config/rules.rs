//! Listeners, apps, upstreams and limits that cannot work.

use super::{each_is_refused, file, lines, problems, settings};

#[test]
fn listeners_are_addresses_of_their_own() {
    let form = r#"write "0.0.0.0:8080" or "unix:/run/wxgate.sock""#;
    each_is_refused(&[
        (
            "server.listen = []",
            "1:17: listen: an array is empty; leave the key out for its default",
        ),
        (
            r#"server.listen = ["8080"]"#,
            &format!(r#"1:18: listen: "8080" is no address to listen on; {form}"#),
        ),
        (
            r#"server.listen = ["localhost:80"]"#,
            r#"1:18: listen: "localhost:80" is no address to listen on; write "127.0.0.1:80""#,
        ),
        (
            r#"server.listen = ["unix:run/x"]"#,
            &format!(r#"1:18: listen: "unix:run/x" is no address to listen on; {form}"#),
        ),
        (r#"server.listen = ["[::]:1", "[::]:1"]"#, r#"1:28: listen: "[::]:1" is there already"#),
        ("server.workers = 5000", "1:18: workers: 5000 is not from 0 to 1024"),
    ]);
    settings(&file(r#"server.listen = ["127.0.0.1:0", "127.0.0.1:0", "unix:/run/x", "[::1]:1"]"#));
}

#[test]
fn nobody_believes_everybody() {
    for network in ["0.0.0.0/0", "::/0"] {
        let text = file(&format!("server.trusted_proxies = [\"{network}\"]"));
        let message = "is everybody, whose word on the client's address is worth nothing; name the networks of your proxies";
        assert_eq!(problems(&text), [format!("1:27: trusted_proxies: \"{network}\" {message}")]);
    }
}

#[test]
fn an_open_admin_listener_needs_a_token() {
    each_is_refused(&[
        (
            r#"admin.listen = "0.0.0.0:9901""#,
            r#"1:16: listen: "0.0.0.0:9901" can be reached from other machines, and there is no token; listen on 127.0.0.1, or set token = "${WXGATE_ADMIN_TOKEN}""#,
        ),
        (r#"admin.listen = "unix:/run/x""#, r#"1:16: listen: "unix:/run/x" is no TCP address"#),
        (
            r#"admin = { listen = "0.0.0.0:8080", token = "x" }"#,
            r#"1:20: listen: "0.0.0.0:8080" is in [server] listen already; the admin listener has its own"#,
        ),
        (r#"admin.token = """#, "1:15: token: the value is empty"),
    ]);
    let open = settings(&file("admin = { listen = \"0.0.0.0:9901\", token = \"x\" }"));
    assert_eq!(
        lines(&open.warnings),
        [r#"1:20: listen: "0.0.0.0:9901" can be reached from other machines"#]
    );
}

#[test]
fn apps_have_an_appid_of_their_own() {
    let app =
        |appid: &str| format!("[apps.b]\nappid = \"{appid}\"\nsecret = \"{}\"", "0".repeat(32));
    for (appid, message) in [
        ("wx", r#""wx" is no appid; an appid is "wx" and 16 digits or letters from a to f"#),
        (
            "WX4F4BC4DEC97D474B",
            r#""WX4F4BC4DEC97D474B" is no appid; an appid is "wx" and 16 digits or letters from a to f"#,
        ),
        (
            "gh_9df7d78a1234",
            r#""gh_9df7d78a1234" is no appid; this is the original ID; the appid begins with "wx""#,
        ),
        (
            "0123456789abcdef0123456789abcdef",
            "the value is no appid; this looks like the AppSecret; that belongs into a variable or a file of its own",
        ),
    ] {
        assert_eq!(problems(&file(&app(appid))), [format!("2:9: appid: {message}")]);
    }
    assert_eq!(
        problems(&file(&app("wx4f4bc4dec97d474b"))),
        [
            r#"6:9: appid: "wx4f4bc4dec97d474b" is another app's already; one table for each Mini Program"#
        ]
    );
    each_is_refused(&[
        (
            "[apps.\"a:b\"]\nappid = \"wx0000000000000000\"\nsecret = \"0\"",
            "1:7: \"a:b\" is no name; write 1 to 64 letters, digits, `-` and `_`",
        ),
        (
            "[apps.a]\nappid = \"wx0000000000000000\"\nsecret = \"0\"\nenv = \"a\\r\\nb\"",
            r#"4:7: env: "a\r\nb" cannot be sent in a header; write ASCII without spaces"#,
        ),
    ]);
}

#[test]
fn wx_07_the_app_secret_goes_out_encrypted() {
    each_is_refused(&[
        (
            r#"wechat.base_url = "http://api.weixin.qq.com""#,
            r#"1:19: base_url: "http://api.weixin.qq.com" would send the AppSecret in the clear; write https; http is for 127.0.0.1, ::1 and localhost"#,
        ),
        (
            r#"wechat.fallback_url = "http://10.0.0.1""#,
            r#"1:23: fallback_url: "http://10.0.0.1" would send the AppSecret in the clear; write https; http is for 127.0.0.1, ::1 and localhost"#,
        ),
        (
            r#"wechat.base_url = "https://a/cgi-bin""#,
            r#"1:19: base_url: "https://a/cgi-bin" must end after the host and port; write "https://api.weixin.qq.com""#,
        ),
        (
            r#"wechat.base_url = "ftp://a""#,
            r#"1:19: base_url: "ftp://a" is no URL of WeChat; write "https://api.weixin.qq.com""#,
        ),
        (r#"wechat.timeout = "0s""#, r#"1:18: timeout: "0s" must be longer than nothing"#),
    ]);
    for url in [
        "http://127.0.0.1:1",
        "http://127.9.9.9",
        "http://[::1]:1",
        "http://localhost:1",
        "https://a:1",
    ] {
        let given = settings(&file(&format!("wechat.base_url = \"{url}\"")));
        assert_eq!(given.wechat.fallback_url, None, "{url}");
    }
}

#[test]
fn upstreams_name_servers_and_nothing_on_them() {
    let forms =
        r#"write "http://127.0.0.1:3000", "https://shop.internal" or "unix:/run/shop.sock""#;
    for (server, message) in [
        ("http://a/api", format!("must end after the host and port; {forms}")),
        ("http://a?x=1", format!("must end after the host and port; {forms}")),
        ("ftp://a", format!("is no URL of a server; {forms}")),
        ("a:3000", "is no URL of a server; write \"http://a:3000\"".to_owned()),
        ("http://a:0", "has no port from 1 to 65535".to_owned()),
        ("http://a:99999", "has no port from 1 to 65535".to_owned()),
        ("unix:a", format!("is no URL of a server; {forms}")),
    ] {
        let text = file(&format!("upstreams.b.servers = [\"{server}\"]"));
        assert_eq!(problems(&text), [format!("1:24: servers: \"{server}\" {message}")]);
    }
    each_is_refused(&[
        (
            "upstreams.b.servers = []",
            "1:23: servers: an array is empty; leave the key out for its default",
        ),
        (
            "[upstreams.b]",
            r#"1:1: "servers" in [upstreams.b] is missing; write servers = ["http://127.0.0.1:3000"]"#,
        ),
        (
            "upstreams.b = { servers = [\"http://a\"], pass_headers = [\"X-A\"] }",
            r#"1:57: pass_headers: "X-A" needs no pass; only names with `_` or `.` are dropped"#,
        ),
        (
            "upstreams.b = { servers = [\"http://a\"], pass_headers = [\"X_WX_OPENID\"] }",
            r#"1:57: pass_headers: "X_WX_OPENID" is read as an identity header, which clients must not set"#,
        ),
        (
            "identity.openid = \"X-User\"\nupstreams.b = { servers = [\"http://a\"], pass_headers = [\"x.user\"] }",
            r#"2:57: pass_headers: "x.user" is read as an identity header, which clients must not set"#,
        ),
        (
            "upstreams.b = { servers = [\"http://a\"], retries = 11 }",
            "1:51: retries: 11 is not from 0 to 10",
        ),
    ]);
    let unused = settings(&file("upstreams.b.servers = [\"http://b\"]"));
    assert_eq!(lines(&unused.warnings), ["1:11: no route leads to the upstream \"b\""]);
}

#[test]
fn limits_leave_room_for_ordinary_requests() {
    each_is_refused(&[
        (
            r#"limits.header_size = "512B""#,
            r#"1:22: header_size: "512B" is too small; it must be 1024B or more"#,
        ),
        (
            r#"limits.header_size = "2MiB""#,
            r#"1:22: header_size: "2MiB" is too large; it must be 1048576B or less"#,
        ),
        ("limits.header_count = 3", "1:23: header_count: 3 is not from 16 to 10000"),
        (
            r#"limits.uri_length = "64KiB""#,
            r#"1:21: uri_length: "64KiB" is more than `header_size`, which holds the request line too"#,
        ),
        (
            r#"limits.body_size = "0B""#,
            r#"1:20: body_size: "0B" is too small; it must be 1B or more"#,
        ),
        (r#"limits.keepalive = "0s""#, r#"1:20: keepalive: "0s" must be longer than nothing"#),
        ("limits.connections = 0", "1:22: connections: 0 is not from 1 to 10000000"),
    ]);
}
