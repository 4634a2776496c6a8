//! What is tried again, and what never is.

use std::time::Duration;

use reqwest::Method;

use crate::support::gateway::Gateway;
use crate::support::server::{Seen, Server, Step, answer, bytes};

/// Answers the first request of each connection, and then plays this.
fn once_then(step: Step) -> impl Fn(&Seen) -> Vec<Step> {
    move |seen| match seen.nth {
        1 => answer(200, "fine"),
        _ => vec![step.clone()],
    }
}

fn sent(server: &Server, path: &str) -> usize {
    server.seen().iter().filter(|seen| seen.target() == path).count()
}

#[tokio::test]
async fn rel_05_a_get_on_a_kept_connection_that_gave_nothing_back_is_sent_once_more() {
    for step in [Step::Reset, Step::Close] {
        let server = Server::start("one").await;
        server.answers(once_then(step));
        let gateway = Gateway::before(&[server.url()], "").await;
        assert_eq!(gateway.get("/first").await.status, 200);
        assert_eq!(gateway.get("/second").await.text(), "fine");
        assert_eq!(sent(&server, "/second"), 2);
        assert_eq!(gateway.ask(Method::PUT, "/third", &[]).await.text(), "fine");
        let third: Vec<_> =
            server.seen().into_iter().filter(|it| it.target() == "/third").collect();
        assert_eq!(third.len(), 2);
        assert!(third.iter().all(|seen| seen.body == "a body"), "with its body");
    }
}

/// The limit is for one body, however often it is sent.
#[tokio::test]
async fn a_body_that_is_sent_once_more_is_counted_anew() {
    let server = Server::start("one").await;
    server.answers(once_then(Step::Reset));
    let route =
        "[[routes]]\npath = \"/small\"\nupstream = \"shop\"\nauth = \"none\"\nbody_size = \"10B\"";
    let gateway = Gateway::with(&[server.url()], "", route).await;
    assert_eq!(gateway.get("/first").await.status, 200);
    assert_eq!(gateway.ask(Method::PUT, "/small", &[]).await.text(), "fine");
    assert_eq!(sent(&server, "/small"), 2);
}

#[tokio::test]
async fn rel_05_a_post_is_never_sent_twice() {
    for step in [Step::Reset, Step::Close] {
        let server = Server::start("one").await;
        server.answers(once_then(step));
        let gateway = Gateway::before(&[server.url()], "retries = 5").await;
        assert_eq!(gateway.get("/first").await.status, 200);
        let answer = gateway.post("/second").await;
        assert_eq!((answer.status, answer.code().as_str()), (502, "upstream_error"));
        assert_eq!(sent(&server, "/second"), 1);
    }
}

/// wx.request without a method is a GET; what goes on after the exchange is a POST all the same.
#[tokio::test]
async fn rel_05_a_login_that_came_as_a_get_is_not_sent_twice() {
    let server = Server::start("one").await;
    server.answers(once_then(Step::Reset));
    let route = "[[routes]]\npath = \"/login\"\naction = \"login\"\nupstream = \"shop\"";
    let gateway = Gateway::with(&[server.url()], "retries = 5", route).await;
    assert_eq!(gateway.get("/first").await.status, 200);
    let answer = gateway.get(&format!("/login?code={}", gateway.code("alice"))).await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "upstream_error"));
    let posts = server.seen().iter().filter(|seen| seen.method() == "POST").count();
    assert_eq!(posts, 1);
}

#[tokio::test]
async fn a_new_connection_that_gave_nothing_back_is_not_tried_again() {
    let server = Server::start("one").await;
    server.answers(|_| vec![Step::Reset]);
    let gateway = Gateway::before(&[server.url()], "").await;
    assert_eq!(gateway.get("/").await.status, 502);
    assert_eq!(server.seen().len(), 1, "it may be what this request does to the service");
}

#[tokio::test]
async fn an_upstream_that_began_to_answer_is_not_asked_again() {
    for beginning in ["HTTP/1.1 200 O", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"] {
        let server = Server::start("one").await;
        server.answers(move |seen| match seen.nth {
            1 => answer(200, "fine"),
            _ => [bytes(beginning), vec![Step::Wait(Duration::from_millis(100)), Step::Close]]
                .concat(),
        });
        let gateway = Gateway::before(&[server.url()], "").await;
        assert_eq!(gateway.get("/first").await.status, 200);
        assert_eq!(gateway.get("/second").await.status, 502, "{beginning}");
        assert_eq!(sent(&server, "/second"), 1, "{beginning}");
    }
}

#[tokio::test]
async fn an_answer_that_came_late_or_bad_is_not_asked_for_again() {
    let (slow, other) = (Server::start("slow").await, Server::start("other").await);
    slow.answers(|_| vec![Step::Hang]);
    other.answers(|_| answer(503, "busy"));
    let keys = "timeout = \"200ms\"\nretries = 3\neject = { failures = 0 }";
    let gateway = Gateway::before(&[slow.url(), other.url()], keys).await;
    let mut statuses = [gateway.get("/").await.status, gateway.get("/").await.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [503, 504]);
    assert_eq!((slow.seen().len(), other.seen().len()), (1, 1));
}

#[tokio::test]
async fn a_post_goes_to_another_server_where_nothing_was_sent() {
    let (mut gone, there) = (Server::start("gone").await, Server::start("there").await);
    gone.stop().await;
    let keys = "eject = { failures = 0 }";
    let gateway = Gateway::before(&[gone.url(), there.url()], keys).await;
    for _ in 0..10 {
        assert_eq!(gateway.post("/").await.text(), "there");
    }
    assert!(there.seen().iter().all(|seen| seen.body == "a body"));
}

#[tokio::test]
async fn another_try_goes_to_another_server_where_there_is_one() {
    let servers = [Server::start("one").await, Server::start("two").await];
    let urls = servers.each_ref().map(Server::url);
    // All requests of this client go to one of them.
    let gateway = Gateway::before(&urls, "balance = \"hash:openid\"").await;
    let [first, other] = match gateway.get("/warm").await.text() {
        "one" => ["one", "two"],
        _ => ["two", "one"],
    };
    for server in &servers {
        server.answers(once_then(Step::Reset));
    }
    assert_eq!(gateway.get("/second").await.status, 200);
    let sent = |name: &str| sent(&servers[usize::from(name == "two")], "/second");
    assert_eq!((sent(first), sent(other)), (1, 1));
}

#[tokio::test]
async fn no_more_than_a_fifth_of_the_requests_is_tried_again() {
    let server = Server::start("one").await;
    // Its connections are good for one request and say nothing of it.
    server.answers(once_then(Step::Reset));
    let gateway = Gateway::before(&[server.url()], "eject = { failures = 0 }").await;
    let requests = 150;
    for _ in 0..requests {
        gateway.get("/").await;
    }
    let tries = server.seen().len();
    // Ten are there at the start.
    assert!(tries <= requests + requests / 5 + 10, "{tries} tries of {requests} requests");
    assert!(tries >= requests + 20, "{tries} tries of {requests} requests");
}

#[tokio::test]
async fn without_retries_nothing_is_tried_again() {
    let server = Server::start("one").await;
    server.answers(once_then(Step::Reset));
    let gateway = Gateway::before(&[server.url()], "retries = 0").await;
    assert_eq!(gateway.get("/first").await.status, 200);
    assert_eq!(gateway.get("/second").await.status, 502);
    assert_eq!(sent(&server, "/second"), 1);
}
