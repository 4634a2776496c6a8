//! Rates: of a route, and of logins. The clock is a test's, so that only [`passes`] of the time that a busy
//! machine really takes; the slow limits give nothing back in that.

use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::seconds;

fn limited(rate: &str) -> Config {
    Config::default()
        .key("server", "trusted_proxies = [\"127.0.0.1\"]")
        .route(&format!(
            r#"path = "/limited/**", upstream = "shop", auth = "optional", rate = {rate}"#
        ))
        .route(r#"path = "/free", upstream = "shop", auth = "none""#)
}

/// The status of so many requests of a client behind the trusted proxy.
async fn statuses(gateway: &Gateway, client: &str, token: Option<&str>, times: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..times {
        let request = gateway.get("/limited/x").header("x-forwarded-for", client);
        let request = match token {
            Some(token) => request.token(token),
            None => request,
        };
        statuses.push(request.await.status);
    }
    statuses
}

#[tokio::test]
async fn what_is_over_a_routes_rate_is_a_429_that_says_when_to_come_again() {
    let gateway = Gateway::with(limited(r#"{ per = "ip", limit = "2/h" }"#)).await;
    assert_eq!(statuses(&gateway, "192.0.2.1", None, 2).await, [200, 200]);
    let answer = gateway.get("/limited/y").header("x-forwarded-for", "192.0.2.1").await;
    assert_eq!((answer.status, answer.code().as_str()), (429, "rate_limited"));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1700..=1800).contains(&wait), "{wait}");
    assert_eq!(gateway.upstream.requests().len(), 2, "nothing of it reached the upstream");
    assert_eq!(gateway.get("/free").await.status, 200, "another route has none of it");

    gateway.clock.advance(seconds(wait));
    assert_eq!(statuses(&gateway, "192.0.2.1", None, 2).await, [200, 429]);
}

#[tokio::test]
async fn a_burst_bounds_what_comes_at_once() {
    let gateway = Gateway::with(limited(r#"{ per = "ip", limit = "60/h", burst = 3 }"#)).await;
    assert_eq!(statuses(&gateway, "192.0.2.1", None, 5).await, [200, 200, 200, 429, 429]);
    gateway.clock.advance(seconds(120));
    assert_eq!(statuses(&gateway, "192.0.2.1", None, 3).await, [200, 200, 429]);
}

/// The client's own address, as the trusted proxy has it; one network of IPv6 is one client.
#[tokio::test]
async fn addresses_are_limited_each_on_its_own() {
    let gateway = Gateway::with(limited(r#"{ per = "ip", limit = "1/h" }"#)).await;
    for (client, status) in [
        ("192.0.2.1", 200),
        ("192.0.2.2", 200),
        ("192.0.2.1", 429),
        ("192.0.2.2, 192.0.2.1", 429),
        ("2001:db8::1", 200),
        ("2001:db8::ffff:2", 429),
        ("2001:db8:0:1::1", 200),
    ] {
        assert_eq!(statuses(&gateway, client, None, 1).await, [status], "{client}");
    }
}

/// Who changes a header is the same client all the same.
#[tokio::test]
async fn an_untrusted_client_has_one_address() {
    let config = limited(r#"{ per = "ip", limit = "1/h" }"#).key("server", "workers = 1");
    let text = config.text().replace("trusted_proxies = [\"127.0.0.1\"]", "");
    let clock = wxgate::clock::Clock::movable();
    let wechat = crate::support::wechat::Wechat::start(clock.clone()).await;
    let text = text.replace("${SECRET}", "${WX_SHOP_SECRET}");
    let gateway = Gateway::of_file(&text, clock, wechat).await;
    assert_eq!(statuses(&gateway, "192.0.2.1", None, 1).await, [200]);
    assert_eq!(statuses(&gateway, "192.0.2.2", None, 1).await, [429]);
}

#[tokio::test]
async fn users_are_limited_each_on_his_own_wherever_they_come_from() {
    let gateway = Gateway::with(limited(r#"{ per = "openid", limit = "2/h" }"#)).await;
    let (alice, bob) = (gateway.log_in("alice").await, gateway.log_in("bob").await);
    assert_eq!(statuses(&gateway, "192.0.2.1", Some(&alice), 1).await, [200]);
    assert_eq!(statuses(&gateway, "192.0.2.2", Some(&alice), 2).await, [200, 429]);
    assert_eq!(statuses(&gateway, "192.0.2.2", Some(&bob), 1).await, [200]);
    let again = gateway.log_in("alice").await;
    assert_eq!(
        statuses(&gateway, "192.0.2.3", Some(&again), 1).await,
        [429],
        "with another token too"
    );
    // Nobody is logged in: the address counts, and takes nothing of a user's.
    assert_eq!(statuses(&gateway, "192.0.2.2", None, 3).await, [200, 200, 429]);
    assert_eq!(statuses(&gateway, "192.0.2.2", Some(&bob), 2).await, [200, 429]);
}

#[tokio::test]
async fn the_users_of_an_app_are_limited_together() {
    let gateway = Gateway::with(limited(r#"{ per = "app", limit = "2/h" }"#)).await;
    let (alice, bob) = (gateway.log_in("alice").await, gateway.log_in("bob").await);
    assert_eq!(statuses(&gateway, "192.0.2.1", None, 3).await, [200, 200, 429]);
    assert_eq!(statuses(&gateway, "192.0.2.1", Some(&alice), 1).await, [200]);
    assert_eq!(statuses(&gateway, "192.0.2.2", Some(&bob), 2).await, [200, 429]);
    assert_eq!(statuses(&gateway, "192.0.2.3", Some(&alice), 1).await, [429]);
}

/// A limit of addresses holds those who try out tokens.
#[tokio::test]
async fn a_limit_of_addresses_comes_before_the_token() {
    let gateway = Gateway::with(limited(r#"{ per = "ip", limit = "2/h" }"#)).await;
    assert_eq!(statuses(&gateway, "192.0.2.1", Some("x.y.z"), 3).await, [401, 401, 429]);
}

fn logins(rate: &str) -> Config {
    let limits = format!("login_rate = {rate}");
    Config::with_two_apps()
        .key("limits", &limits)
        .key("server", "trusted_proxies = [\"127.0.0.1\"]")
}

async fn login(gateway: &Gateway, client: &str, code: &str) -> u16 {
    let path = format!("/wxLogin?code={code}&appid={}", crate::support::wechat::APPID);
    gateway.get(&path).header("x-forwarded-for", client).await.status
}

fn junk(number: usize) -> String {
    format!("{number:032}")
}

/// DOS-06: WeChat is asked at the configured rate, whatever comes; who logs in from elsewhere does.
#[tokio::test]
async fn dos_06_a_flood_of_junk_codes_is_limited() {
    let gateway = Gateway::with(logins(r#"{ per_ip = "60/h", burst = 10 }"#)).await;
    let flood = futures_util::future::join_all((0..100).map(|number| {
        let gateway = &gateway;
        async move { login(gateway, "192.0.2.1", &junk(number)).await }
    }));
    let statuses = flood.await;
    let counted = |status| statuses.iter().filter(|found| **found == status).count();
    assert_eq!((counted(401), counted(429)), (10, 90), "{statuses:?}");
    assert_eq!(gateway.wechat.exchanges().len(), 10);
    let code = gateway.wechat.code("alice");
    assert_eq!(login(&gateway, "192.0.2.1", &code).await, 429);
    assert_eq!(login(&gateway, "192.0.2.2", &code).await, 200, "the code is as good as before");
    gateway.clock.advance(seconds(60));
    assert_eq!(login(&gateway, "192.0.2.1", &junk(1000)).await, 401);
}

/// DOS-06 from many addresses.
#[tokio::test]
async fn dos_06_wechat_is_called_at_the_rate_of_the_app() {
    let gateway = Gateway::with(logins(r#"{ per_app = "20/h" }"#)).await;
    for number in 0..30 {
        let status = login(&gateway, &format!("192.0.2.{number}"), &junk(number)).await;
        assert_eq!(status, if number < 20 { 401 } else { 429 });
    }
    assert_eq!(gateway.wechat.exchanges().len(), 20);
    let code = gateway.wechat.code_of_other_app("alice");
    let other = crate::support::wechat::OTHER_APPID;
    let answer = gateway.get(&format!("/wxLogin?code={code}&appid={other}")).await;
    assert_eq!(answer.status, 200, "another app has a rate of its own");
}

/// What does not reach WeChat does not count: a code that comes again, and what is no code.
#[tokio::test]
async fn only_what_wechat_is_asked_about_counts() {
    let gateway = Gateway::with(logins(r#"{ per_ip = "2/h", burst = 2 }"#)).await;
    let code = gateway.wechat.code("alice");
    for _ in 0..5 {
        assert_eq!(login(&gateway, "192.0.2.1", &code).await, 200);
        assert_eq!(login(&gateway, "192.0.2.1", "!").await, 400);
    }
    assert_eq!(login(&gateway, "192.0.2.1", &junk(0)).await, 401);
    assert_eq!(login(&gateway, "192.0.2.1", &junk(1)).await, 429);
    assert_eq!(login(&gateway, "192.0.2.1", &code).await, 200, "nor is it limited");
}

/// Phones share the addresses of their carrier.
#[tokio::test]
async fn by_default_a_hundred_may_log_in_at_once_from_one_address() {
    let gateway = Gateway::start().await;
    for number in 0..100 {
        let code = gateway.wechat.code(&format!("user-{number}"));
        assert_eq!(login(&gateway, "192.0.2.1", &code).await, 200, "{number}");
    }
}
