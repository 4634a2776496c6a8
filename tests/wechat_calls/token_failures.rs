//! Where WeChat gives no access_token: the client is told whose fault it is, the operator what to do,
//! and WeChat is left alone for a while.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use wxgate::actions::exchange::Exchanges;
use wxgate::actions::login::Logins;
use wxgate::policy::rate::LoginRate;
use wxgate::refusal::Reason;
use wxgate::secret::Secret;
use wxgate::session::key_ring::KeyRings;
use wxgate::session::store::Store;
use wxgate::session::{self, Sessions};
use wxgate::simulator::{AdminConfirmation, Cut, Effect, Fault, Garble};
use wxgate::wechat::app::App;

use crate::support::{APPID, Log, SECRET, STABLE_TOKEN, Wechat};

#[tokio::test]
async fn every_errcode_of_the_token_api_has_its_answer() {
    for (errcode, reason) in [
        (-1, Reason::WechatUnavailable),
        (40001, Reason::WechatMisconfigured),
        (40002, Reason::WechatMisconfigured),
        (40013, Reason::WechatMisconfigured),
        (40125, Reason::WechatMisconfigured),
        (40164, Reason::WechatMisconfigured),
        (40243, Reason::WechatMisconfigured),
        (45009, Reason::WechatUnavailable),
        (45011, Reason::RateLimited),
        (50004, Reason::WechatMisconfigured),
        (50007, Reason::WechatMisconfigured),
        (89503, Reason::WechatMisconfigured),
        (89506, Reason::WechatMisconfigured),
        (89507, Reason::WechatMisconfigured),
        (99999, Reason::WechatBadAnswer),
    ] {
        let wechat = Wechat::start().await;
        wechat.refuse(STABLE_TOKEN, errcode, None);
        let refusal = wechat.replica().get(&wechat.app).await.unwrap_err();
        assert_eq!((refusal.reason, refusal.wechat_errcode), (reason, Some(errcode)));
        assert_eq!(wechat.token_calls(), (1, 0), "{errcode} is not asked again");
    }
}

#[tokio::test]
async fn an_address_that_is_not_whitelisted_is_named_to_the_operator_without_a_storm() {
    let wechat = Wechat::start().await;
    wechat.set(|settings| settings.ip_whitelist = Some(vec!["10.0.0.0/8".to_owned()]));
    let tokens = wechat.replica();
    for refused in join_all((0..1000).map(|_| tokens.get(&wechat.app))).await {
        let refusal = refused.unwrap_err();
        assert_eq!(refusal.reason, Reason::WechatMisconfigured);
        assert_eq!(refusal.wechat_errcode, Some(40164));
        let note = refusal.note.as_deref().unwrap();
        assert!(note.contains("IP whitelist") && note.contains("(WeChat saw 127.0.0.1)"), "{note}");
        assert!(!refusal.body("r").contains("127.0.0.1"), "the client is not told");
    }
    assert_eq!(wechat.token_calls(), (1, 0));
    for _ in 0..20 {
        wechat.advance(1);
        tokens.get(&wechat.app).await.unwrap_err();
    }
    assert_eq!(wechat.token_calls(), (1, 0), "nothing is asked meanwhile");
    wechat.set(|settings| settings.ip_whitelist = None);
    wechat.advance(10);
    tokens.get(&wechat.app).await.unwrap();
}

#[tokio::test]
async fn the_operator_gets_one_line_with_the_address_and_without_a_secret() {
    let wechat = Wechat::start().await;
    wechat.set(|settings| settings.ip_whitelist = Some(Vec::new()));
    let app = Arc::new(App { name: "not-whitelisted".to_owned(), ..(*wechat.app).clone() });
    let tokens = wechat.replica();
    join_all((0..1000).map(|_| tokens.get(&app))).await;
    let lines = Log::lines_with("not-whitelisted");
    assert_eq!(lines.len(), 1, "{lines:?}");
    for part in ["40164", "(WeChat saw 127.0.0.1)", "IP whitelist", "[wechat] proxy", APPID] {
        assert!(lines[0].contains(part), "{part} in {}", lines[0]);
    }
    assert!(!lines[0].contains(SECRET));
}

#[tokio::test]
async fn what_an_administrator_must_confirm_is_misconfigured() {
    for answer in [
        AdminConfirmation::Pending,
        AdminConfirmation::RefusedForDay,
        AdminConfirmation::RefusedForHour,
    ] {
        let wechat = Wechat::start().await;
        wechat.set(|settings| settings.admin_confirmation = Some(answer));
        let refusal = wechat.replica().get(&wechat.app).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::WechatMisconfigured);
        assert!(refusal.note.unwrap().contains("administrator"));
    }
}

#[tokio::test]
async fn an_outage_is_forgotten_after_two_seconds() {
    let wechat = Wechat::start().await;
    let tokens = wechat.replica();
    wechat.refuse(STABLE_TOKEN, -1, None);
    for refused in join_all((0..1000).map(|_| tokens.get(&wechat.app))).await {
        assert_eq!(refused.unwrap_err().reason, Reason::WechatUnavailable);
    }
    assert_eq!(wechat.token_calls(), (1, 0));
    wechat.world().clear_faults();
    wechat.advance(2);
    tokens.get(&wechat.app).await.unwrap();
    assert_eq!(wechat.token_calls(), (2, 0));
}

#[tokio::test]
async fn answers_that_are_none_give_no_token_and_show_nothing() {
    for effect in [
        Effect::Cut(Cut::BeforeAnswer),
        Effect::Cut(Cut::InBody),
        Effect::Garble(Garble::Empty),
        Effect::Garble(Garble::Gigabyte),
        Effect::Garble(Garble::Html),
        Effect::Garble(Garble::Truncated),
        Effect::Garble(Garble::WrongTypes),
        Effect::HttpStatus(502),
        Effect::Redirect("http://127.0.0.1:1/".to_owned()),
    ] {
        let wechat = Wechat::start().await;
        wechat.world().add_fault(Fault::new(STABLE_TOKEN, effect.clone())).unwrap();
        let refusal = wechat.replica().get(&wechat.app).await.unwrap_err();
        let bad = [Reason::WechatBadAnswer, Reason::WechatUnavailable];
        assert!(bad.contains(&refusal.reason), "{effect:?}: {refusal}");
        assert!(!format!("{refusal:?}").contains(SECRET), "{refusal:?}");
        assert_eq!(wechat.token_calls(), (1, 0), "{effect:?} is not sent again");
    }
}

#[tokio::test]
async fn a_login_works_while_no_token_is_to_be_had() {
    let wechat = Wechat::start().await;
    wechat.set(|settings| settings.ip_whitelist = Some(Vec::new()));
    wechat.replica().get(&wechat.app).await.unwrap_err();
    wechat.world().clear_calls();

    let settings = session::Settings {
        idle: Duration::from_secs(3600),
        lifetime: Duration::from_secs(3600),
        signing_keys: vec![session::token::SigningKey::random()],
        revocation: session::Revocation::Instant,
        on_store_outage: session::OnStoreOutage::Deny,
        open_data_max_age: None,
        token_from: Vec::new(),
        cookie: None,
    };
    let clock = wechat.clock.clone();
    let store: Arc<dyn Store> = wechat.store.clone();
    let appids = [wechat.app.appid.clone()];
    let sessions = Sessions::new(&settings, &appids, |_| store.clone(), clock.clone());
    let rings = KeyRings::new(store.clone(), wechat.sealer.clone(), clock.clone());
    let exchanges = Exchanges::new(
        wechat.client.clone(),
        Arc::new(sessions),
        store,
        wechat.sealer.clone(),
        Arc::new(rings),
        wechat.replica(),
        LoginRate::default(),
    );
    let logins = Logins::new(Arc::new(exchanges), vec![wechat.app.clone()], None, clock);
    let code = wechat.world().login(APPID, "alice").unwrap();
    let query = format!("code={code}");
    let fields = Logins::fields(Some(&query), &http::HeaderMap::new(), b"").unwrap();
    logins.log_in(&fields, &[0], Ipv4Addr::LOCALHOST.into()).await.unwrap();

    let calls = wechat.world().calls(None).unwrap();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].api, "/sns/jscode2session");
    assert!(!calls[0].query.contains_key("access_token"));
}

#[tokio::test]
async fn a_wrong_secret_shows_in_no_refusal() {
    let wechat = Wechat::start().await;
    let wrong = "f".repeat(32);
    let app = App { secret: Secret::new(&*wrong), ..(*wechat.app).clone() };
    let refusal = wechat.replica().get(&Arc::new(app)).await.unwrap_err();
    assert_eq!(refusal.wechat_errcode, Some(40125));
    assert!(!format!("{refusal:?}").contains(&wrong));
}
