//! code2Session, byte by byte.

use crate::support::{APPID, OTHER_APPID, SECRET, Wechat};

#[tokio::test]
async fn a_code_gives_the_session_in_wechats_bytes() {
    let wechat = Wechat::start().await;
    let code = wechat.world().login(None, "alice").unwrap();
    assert!(code.len() == 32 && code.starts_with('0'));
    let reply = wechat.exchange(APPID, &code).await;
    assert_eq!((reply.status, reply.content_type.as_str()), (200, "text/plain"));
    let key = wechat.world().session_key(APPID, "alice").unwrap().replace('/', "\\/");
    let openid = wechat.world().openid(APPID, "alice");
    assert_eq!(reply.text, format!(r#"{{"session_key":"{key}","openid":"{openid}"}}"#));
}

#[tokio::test]
async fn slashes_are_escaped() {
    let wechat = Wechat::start().await;
    let mut escaped = 0;
    for user in 0..40 {
        let code = wechat.world().login(None, &user.to_string()).unwrap();
        let text = wechat.exchange(APPID, &code).await.text;
        assert!(!text.replace("\\/", "").contains('/'));
        escaped += text.matches("\\/").count();
    }
    assert!(escaped > 0, "40 keys without a single slash");
}

#[tokio::test]
async fn a_code_works_once_for_its_app_and_five_minutes() {
    let wechat = Wechat::start().await;
    let code = wechat.world().login(APPID, "alice").unwrap();
    assert_eq!(wechat.exchange(OTHER_APPID, &code).await.errcode(), 40029);
    assert_eq!(wechat.exchange(APPID, &code).await.errcode(), 0);
    assert_eq!(wechat.exchange(APPID, &code).await.errcode(), 40163);
    let code = wechat.world().login(APPID, "alice").unwrap();
    wechat.advance(300);
    assert_eq!(wechat.exchange(APPID, &code).await.errcode(), 40029);
}

#[tokio::test]
async fn of_many_exchanges_at_once_one_succeeds() {
    let wechat = Wechat::start().await;
    let code = wechat.world().login(APPID, "alice").unwrap();
    let exchange = || wechat.exchange(APPID, &code);
    let (a, b, c, d) = tokio::join!(exchange(), exchange(), exchange(), exchange());
    let mut errcodes = [a, b, c, d].map(|reply| reply.errcode());
    errcodes.sort_unstable();
    assert_eq!(errcodes, [0, 40163, 40163, 40163]);
}

#[tokio::test]
async fn errors_have_the_words_and_the_rid_of_wechat() {
    let wechat = Wechat::start().await;
    let ask = async |appid, secret, js_code, grant_type| {
        let query = [
            ("appid", appid),
            ("secret", secret),
            ("js_code", js_code),
            ("grant_type", grant_type),
        ];
        let reply = wechat.get("/sns/jscode2session", &query).await;
        assert_eq!((reply.status, reply.content_type.as_str()), (200, "text/plain"));
        let errmsg = reply.errmsg();
        let (text, rid) = errmsg.split_once(", rid: ").unwrap();
        let groups: Vec<_> = rid.split('-').map(|group| u32::from_str_radix(group, 16)).collect();
        assert_eq!(groups.len(), 3);
        let second = u64::from(groups[0].clone().unwrap());
        assert!(wechat.clock.now() - second < 10, "the rid starts with the time");
        (reply.errcode(), text.to_owned())
    };
    let grant = "authorization_code";
    let is = |errcode: i64, text: &str| (errcode, text.to_owned());
    assert_eq!(ask("", SECRET, "c", grant).await, is(41002, "appid missing"));
    assert_eq!(ask("wx1", SECRET, "c", grant).await, is(40013, "invalid appid"));
    assert_eq!(ask(APPID, "", "c", grant).await, is(41004, "appsecret missing"));
    assert_eq!(ask(APPID, "wrong", "c", grant).await, is(40125, "invalid appsecret"));
    assert_eq!(ask(APPID, SECRET, "c", "").await, is(40002, "invalid grant_type"));
    assert_eq!(ask(APPID, SECRET, "", grant).await, is(41008, "missing code"));
    assert_eq!(ask(APPID, SECRET, "c", grant).await, is(40029, "invalid code"));
}

#[tokio::test]
async fn unionid_comes_last_and_only_where_the_app_is_bound() {
    let wechat = Wechat::start().await;
    let session = async |appid| {
        let code = wechat.world().login(appid, "alice").unwrap();
        let session = wechat.exchange(appid, &code).await.json();
        session.as_object().unwrap().clone()
    };
    assert!(!session(APPID).await.contains_key("unionid"));
    wechat.set(|settings| settings.unionid = true);
    let first = session(APPID).await;
    assert_eq!(first.keys().collect::<Vec<_>>(), ["session_key", "openid", "unionid"]);
    let second = session(OTHER_APPID).await;
    assert_eq!(first["unionid"], second["unionid"]);
    assert_ne!(first["openid"], second["openid"]);
    wechat.set(|settings| settings.unionid_apps = vec![OTHER_APPID.to_owned()]);
    assert!(!session(APPID).await.contains_key("unionid"));
    let mut alice = wechat.world().user("alice");
    alice.unionid = false;
    wechat.world().set_user("alice", alice);
    assert!(!session(OTHER_APPID).await.contains_key("unionid"));
}

#[tokio::test]
async fn a_blocked_user_a_frozen_secret_and_too_many_logins_are_refused() {
    let wechat = Wechat::start().await;
    let mut mallory = wechat.world().user("mallory");
    mallory.blocked = true;
    wechat.world().set_user("mallory", mallory);
    let login = async |user| {
        let code = wechat.world().login(APPID, user).unwrap();
        wechat.exchange(APPID, &code).await.errcode()
    };
    assert_eq!(login("mallory").await, 40226);
    wechat.set(|settings| settings.frozen_apps = vec![APPID.to_owned()]);
    assert_eq!(login("alice").await, 40243);
    wechat.set(|settings| settings.frozen_apps.clear());
    wechat.set(|settings| settings.logins_per_minute = Some(1));
    assert_eq!((login("alice").await, login("alice").await, login("bob").await), (0, 45011, 0));
}

#[tokio::test]
async fn without_configured_apps_the_first_exchange_introduces_one() {
    let wechat = Wechat::with_apps(&[]).await;
    let code = wechat.get("/simulator/code", &[("user", "alice")]).await.text;
    assert_eq!(wechat.exchange("wxnothex", &code).await.errcode(), 40013);
    let session = wechat.exchange(APPID, &code).await.json();
    assert_eq!(session["openid"], wechat.world().openid(APPID, "alice"));
    assert_eq!(wechat.exchange(APPID, &code).await.errcode(), 40163);
    let query = [("appid", APPID), ("secret", "ffffffffffffffffffffffffffffffff")];
    assert_eq!(wechat.get("/sns/jscode2session", &query).await.errcode(), 40125);
}
