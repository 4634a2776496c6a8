//! The path that was authorised is the path that is sent. The detours are in `tests/threats/paths.rs`.

use crate::raw::{Answer, Wire};
use crate::support::gateway::Gateway;

async fn ask(gateway: &Gateway, target: &str) -> Answer {
    Wire::ask(gateway.address, format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).await
}

#[tokio::test]
async fn a_path_is_brought_into_one_form_that_is_matched_and_sent() {
    let gateway = Gateway::start().await;
    for (target, sent) in [
        ("/public/a", "/public/a"),
        ("/public//a", "/public/a"),
        ("//public/a", "/public/a"),
        ("/public/./a", "/public/a"),
        ("/public/b/../a", "/public/a"),
        ("/api/../public/a", "/public/a"),
        ("/%70ublic/%61", "/public/a"),
        ("/public/%7e%2d", "/public/~-"),
        ("/public/%e5%be%ae", "/public/%E5%BE%AE"),
        ("/public/a%20b", "/public/a%20b"),
        ("/public/a?x=../api&y=%2e%2e", "/public/a?x=../api&y=%2e%2e"),
        ("/public//a?x=//b", "/public/a?x=//b"),
        ("/public/", "/public/"),
    ] {
        let answer = ask(&gateway, target).await;
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        assert_eq!(gateway.upstream.last().target(), sent, "{target}");
    }
}
