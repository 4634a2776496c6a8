//! A store, sessions and identities that cannot work.

use super::{KEY, each_is_refused, file, lines, problems, settings};

#[test]
fn a_store_is_one_that_there_is() {
    let forms = r#"write "memory:", "redis://host:6379", "rediss://…", "redis+sentinel://…", "redis+cluster://…" or "unix:///run/redis.sock""#;
    each_is_refused(&[
        (
            r#"store.url = "memory""#,
            &format!(r#"1:13: url: "memory" is no URL of a store; {forms}"#),
        ),
        (
            r#"store.url = "mysql://a""#,
            &format!(r#"1:13: url: "mysql://a" is no URL of a store; {forms}"#),
        ),
        (
            r#"store.key_prefix = "a{b}""#,
            r#"1:20: key_prefix: "a{b}" is no prefix for keys; write 1 to 64 letters, digits and signs, without braces, `*` and `?`"#,
        ),
        (
            r#"store.encryption_keys = ["AAEC"]"#,
            "1:26: encryption_keys: the value is no encryption key; it is base64 of 32 bytes: make one with `openssl rand -base64 32`",
        ),
        (
            "store.encryption_keys = []",
            "1:25: encryption_keys: the value is empty; leave the key out for its default",
        ),
    ]);
    for url in [
        "redis://r",
        "rediss://r:1/2",
        "redis+sentinel://a,b/mymaster",
        "redis+cluster://a",
        "unix:///run/redis.sock",
    ] {
        let text = format!(
            "session.signing_keys = [\"{KEY}\"]\nstore = {{ url = \"{url}\", encryption_keys = [\"{KEY}\"] }}"
        );
        assert!(settings(&file(&text)).redis.is_some(), "{url}");
    }
}

#[test]
fn what_is_for_redis_does_nothing_in_memory_and_says_so() {
    let given = settings(&file("store.username = \"a\""));
    assert_eq!(
        given.warnings.list[0].to_string(),
        "\"username\" in [store] does nothing where the url is memory:"
    );
}

#[test]
fn sessions_last_as_long_as_they_say() {
    each_is_refused(&[
        (
            r#"session.idle = "8d""#,
            r#"1:16: idle: "8d" is longer than the lifetime of a session; make it shorter, or `lifetime` longer"#,
        ),
        (
            r#"session.lifetime = "3651d""#,
            "1:20: lifetime: \"3651d\" is longer than 3650d, the longest life of a session",
        ),
        (
            r#"session.revocation = "never""#,
            r#"1:22: revocation: "never" is none of the values; there are "instant", "none""#,
        ),
        (
            r#"session.on_store_outage = "allow""#,
            r#"1:27: on_store_outage: "allow" is none of the values; there are "deny", "allow-signed""#,
        ),
        (
            "session.signing_keys = []",
            "1:24: signing_keys: the value is empty; leave the key out for its default",
        ),
        (
            r#"session.signing_keys = ["AAEC"]"#,
            "1:25: signing_keys: the value is no signing key; an HS256 signing key has 32 bytes or more: make one with `openssl rand -base64 32`",
        ),
    ]);
    let unused = settings(&file("session.outage_grace = \"1m\""));
    assert_eq!(
        lines(&unused.warnings),
        [
            "1:9: \"outage_grace\" in [session] does nothing without on_store_outage = \"allow-signed\""
        ]
    );
}

#[test]
fn tokens_stand_where_they_can() {
    let forms = r#"write "authorization", the name of a header, "cookie:NAME" or "query:NAME""#;
    each_is_refused(&[
        (
            r#"session.token_from = ["a b"]"#,
            &format!(r#"1:23: token_from: "a b" is no place of a token; {forms}"#),
        ),
        (
            r#"session.token_from = ["query:"]"#,
            &format!(r#"1:23: token_from: "query:" is no place of a token; {forms}"#),
        ),
        (
            r#"session.token_from = ["cookie"]"#,
            r#"1:23: token_from: "cookie" is no place of a token; write "cookie:NAME""#,
        ),
        (
            r#"session.token_from = ["cookie:a b"]"#,
            r#"1:23: token_from: "cookie:a b" is no name of a cookie; write letters, digits, `-` and `_`"#,
        ),
        (r#"session.token_from = ["X-A", "x-a"]"#, r#"1:30: token_from: "x-a" is there already"#),
        (
            r#"session.token_from = []"#,
            "1:22: token_from: an array is empty; leave the key out for its default",
        ),
        (
            r#"session.cookie = { same_site = "lax" }"#,
            r#"1:18: "name" in [session.cookie] is missing; write "__Host-wxgate""#,
        ),
        (
            r#"session.cookie = { name = "__host-a" }"#,
            r#"1:27: name: "__host-a" has a prefix in the wrong case; write __Host-"#,
        ),
        (
            r#"session.cookie = { name = "__Host-" }"#,
            r#"1:27: name: "__Host-" is only a prefix; write __Host-NAME"#,
        ),
        (
            r#"session.cookie = { name = "__Host-a", same_site = "no" }"#,
            r#"1:51: same_site: "no" is none of the values; did you mean "none"?"#,
        ),
    ]);
    let text = "session.cookie = { name = \"a\" }";
    assert_eq!(
        lines(&settings(&file(text)).warnings),
        [
            "1:27: name: \"a\" can be overwritten from other hosts of the domain; write a name that begins with \"__Host-\"",
            "1:27: name: \"a\" is set at login but never read; add \"cookie:NAME\" to token_from",
        ]
    );
    let text = "session = { cookie = { name = \"__Host-a\" }, token_from = [\"cookie:__Host-a\"] }";
    assert_eq!(lines(&settings(&file(text)).warnings), [] as [&str; 0]);
}

#[test]
fn identity_headers_are_distinct_and_mean_nothing_else() {
    let taken = r#"has a meaning of its own in HTTP; write a name like "X-User-Id""#;
    let twice = "two keys of [identity] name one header; upstreams read `_` and `.` as `-`, and any case; give each key a name of its own";
    for name in [
        "Host",
        "authorization",
        "Connection",
        "TE",
        "Content-Type",
        "content_length",
        "Cookie",
        "upgrade",
    ] {
        let text = file(&format!("identity.openid = \"{name}\""));
        assert_eq!(problems(&text), [format!("1:19: openid: \"{name}\" {taken}")]);
    }
    each_is_refused(&[
        (r#"identity.openid = "x-wx-unionid""#, &format!("1:19: {twice}")),
        (r#"identity.unionid = "X_WX.OpenID""#, &format!("1:20: {twice}")),
        (r#"identity.claims = { a = "X-A", b = "x_a" }"#, &format!("1:36: {twice}")),
        (r#"identity.claims = { a = "X-WX-ENV" }"#, &format!("1:25: {twice}")),
        (
            r#"identity.claims = { "a b" = "X-A" }"#,
            "1:21: \"a b\" is no name; write 1 to 64 letters, digits, `-` and `_`",
        ),
        (
            r#"identity.openid = """#,
            r#"1:19: openid: "" is no header name; write a name like "X-User-Id""#,
        ),
    ]);
}
