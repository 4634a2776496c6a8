//! What lies in Redis after everything that a gateway does: no secret in clear.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use wxgate::simulator::{Overrides, Payload};

use crate::raw::position;
use crate::redis_server::Server;
use crate::support::jwt::{Jwt, KEY};
use crate::support::wechat::{APPID, SECRET};
use crate::support::{ENCRYPTION_KEY, House, on, token_in};

/// Every key with its value, byte for byte.
async fn dump(server: &Server) -> Vec<(String, Vec<u8>)> {
    let mut connection = server.connection().await;
    let keys: Vec<Vec<u8>> = server.command(&["KEYS", "*"]).await;
    let mut all = Vec::new();
    for key in keys {
        // What lives for a moment only may have run out since.
        let value: Option<Vec<u8>> =
            redis::cmd("GET").arg(&key).query_async(&mut connection).await.unwrap();
        if let Some(value) = value {
            all.push((String::from_utf8_lossy(&key).into_owned(), value));
        }
    }
    all
}

#[tokio::test]
async fn a_dump_of_redis_holds_no_secret_in_clear() {
    let (house, server) = (House::open().await, Server::start().await);
    let gateway = house.replica(on(&server.url())).await;
    house.wechat.set(|settings| settings.unionid = true);
    let world = house.wechat.world();
    let mut secrets: Vec<(&str, Vec<u8>)> = vec![
        ("the AppSecret", SECRET.into()),
        ("a signing key", KEY.into()),
        ("a signing key's bytes", STANDARD.decode(KEY).unwrap()),
        ("an encryption key", ENCRYPTION_KEY.into()),
        ("an encryption key's bytes", STANDARD.decode(ENCRYPTION_KEY).unwrap()),
    ];
    for user in ["alice", "bob"] {
        let code = house.wechat.code(user);
        let token = token_in(&gateway.login(&code).await);
        let phone_code = world.phone_code(APPID, user).unwrap();
        let body = json!({ "code": phone_code });
        assert_eq!(gateway.post("/phone").json(&body).token(&token).await.status, 200);
        for payload in [Payload::Phone, Payload::UserInfo] {
            let data = world.encrypt(APPID, user, &payload, &Overrides::default()).unwrap();
            let body = json!({ "encryptedData": data.encrypted_data, "iv": data.iv });
            assert_eq!(gateway.post("/open").json(&body).token(&token).await.status, 200);
        }
        let forged =
            json!({ "encryptedData": STANDARD.encode([7; 48]), "iv": STANDARD.encode([9; 16]) });
        assert_eq!(gateway.post("/open").json(&forged).token(&token).await.status, 409);
        let new = token_in(&gateway.post("/refresh").token(&token).await);
        for token in [token, new] {
            secrets.push(("a signature of a token", Jwt::read(&token).signature));
            secrets.push(("a token's signature", token.rsplit('.').next().unwrap().into()));
            secrets.push(("a token", token.into()));
        }
        let session_key = house.wechat.session_key(user);
        secrets.push(("a session_key's bytes", STANDARD.decode(&session_key).unwrap()));
        secrets.push(("a session_key", session_key.into()));
        secrets.push(("a login code", code.into()));
        secrets.push(("a phone code", phone_code.into()));
        secrets.push(("a phone number", world.user(user).phone_number.into()));
        secrets.push(("an openid", house.wechat.openid(user).into()));
    }
    let granted = world.calls("/cgi-bin/stable_token").unwrap();
    let granted: serde_json::Value =
        serde_json::from_str(granted[0].answer.as_deref().unwrap()).unwrap();
    let access_token = granted["access_token"].as_str().unwrap();
    secrets.push(("an access_token", access_token.into()));

    let all = dump(&server).await;
    for kind in ["s:", "u:", "x:", "at:", "rp:", "kc:"] {
        let name = format!("wxgate:{kind}");
        assert!(all.iter().any(|(key, _)| key.starts_with(&name)), "no {name} among {all:?}");
    }
    for (what, secret) in &secrets {
        // Neither as it is, nor in a base64 that somebody may have put it into.
        let encoded = [STANDARD.encode(secret), URL_SAFE_NO_PAD.encode(secret)];
        for (key, value) in &all {
            for form in [secret.as_slice(), encoded[0].as_bytes(), encoded[1].as_bytes()] {
                let there = position(value, form).or_else(|| position(key.as_bytes(), form));
                assert_eq!(there, None, "{what} stands in {key}");
            }
        }
    }
}
