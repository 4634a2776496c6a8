//! The session key never leaves the gateway, and stands sealed in its store.
//!
//! The store in memory cannot be looked into from outside: here the exchange runs on one that can.

use std::sync::Arc;

use wxgate::actions::exchange::Exchanges;
use wxgate::clock::Clock;
use wxgate::policy::rate::LoginRate;
use wxgate::secret::Secret;
use wxgate::session::Sessions;
use wxgate::session::access_token::AccessTokens;
use wxgate::session::key_ring::KeyRings;
use wxgate::session::memory::MemoryStore;
use wxgate::session::seal::{Purpose, Sealer};
use wxgate::session::store::Store;
use wxgate::session::token::SigningKey;
use wxgate::session::{OnStoreOutage, Revocation, Settings};
use wxgate::wechat::app::{App, AppId};
use wxgate::wechat::client::{Client, Settings as WechatSettings};
use wxgate::wechat::user::{OpenId, User};

use crate::raw::position;
use crate::support::jwt::KEY;
use crate::support::seconds;
use crate::support::wechat::{APPID, SECRET, Wechat};

#[tokio::test]
async fn the_session_key_stands_sealed_in_the_store_with_its_slashes_right() {
    let clock = Clock::movable();
    let wechat = Wechat::start(clock.clone()).await;
    let store = Arc::new(MemoryStore::new(clock.clone()));
    let sealer = Arc::new(Sealer::new([&[7; 32]]));
    let exchanges = exchanges(&wechat, store.clone(), sealer.clone(), clock);
    let app = app();
    let mut slashes = 0;
    for number in 0..20 {
        let name = number.to_string();
        exchanges
            .log_in(&app, Secret::new(wechat.code(&name)), std::net::Ipv4Addr::LOCALHOST.into())
            .await
            .unwrap();
        let openid = wechat.openid(&name);
        let (appid, owner) = (app.appid.clone(), [APPID.as_bytes(), openid.as_bytes()]);
        let user = User { appid, openid: OpenId::parse(&openid).unwrap() };
        let keys = store.session_keys(&user).await.unwrap();
        assert_eq!(keys.len(), 1);
        let key = wechat.session_key(&name);
        slashes += key.matches('/').count();
        assert_eq!(position(&keys[0].sealed, &key.as_bytes()[..6]), None, "it is not sealed");
        let opened = sealer.open(Purpose::SessionKey, &owner, &keys[0].sealed).unwrap();
        assert_eq!(opened.as_slice(), key.as_bytes());
        assert!(
            Sealer::new([&[8; 32]]).open(Purpose::SessionKey, &owner, &keys[0].sealed).is_err()
        );
    }
    assert!(slashes > 0, "20 keys without a single slash");
}

pub(super) fn app() -> Arc<App> {
    Arc::new(App {
        name: "shop".to_owned(),
        appid: AppId::parse(APPID).unwrap(),
        secret: Secret::new(SECRET),
        env: None,
    })
}

pub(super) fn exchanges(
    wechat: &Wechat,
    store: Arc<dyn Store>,
    sealer: Arc<Sealer>,
    clock: Clock,
) -> Arc<Exchanges> {
    wxgate::session::token::install_crypto_provider();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = Settings {
        idle: seconds(3600),
        lifetime: seconds(7200),
        signing_keys: vec![SigningKey::parse(KEY).unwrap()],
        revocation: Revocation::Instant,
        on_store_outage: OnStoreOutage::Deny,
        open_data_max_age: None,
        token_from: Vec::new(),
        cookie: None,
    };
    let apps = [AppId::parse(APPID).unwrap()];
    let sessions = Arc::new(Sessions::new(&settings, &apps, |_| store.clone(), clock.clone()));
    let base_url = wechat.url().parse().unwrap();
    let settings = WechatSettings { base_url, fallback_url: None, ..WechatSettings::default() };
    let client = Client::new(settings).unwrap();
    let rings = Arc::new(KeyRings::new(store.clone(), sealer.clone(), clock.clone()));
    let tokens = AccessTokens::new(client.clone(), store.clone(), sealer.clone(), clock);
    Arc::new(Exchanges::new(client, sessions, store, sealer, rings, tokens, LoginRate::default()))
}
