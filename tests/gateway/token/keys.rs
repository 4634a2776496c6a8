//! What is in a token, for each kind of key, and how keys are rotated.

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};

use super::assert_opens_nothing;
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::jwt::{self, Jwt, KEY, OTHER_KEY};
use crate::support::wechat::APPID;

async fn gateway(keys: &[&str]) -> Gateway {
    Gateway::with(Config::default().signing_keys(keys)).await
}

/// Where the signature is enough, tokens outlive the gateway that made them.
async fn stateless(keys: &[&str]) -> Gateway {
    let config = Config::default().key("session", "revocation = \"none\"");
    Gateway::with(config.signing_keys(keys)).await
}

fn header_and_claims(token: &str, gateway: &Gateway, algorithm: &str) -> Jwt {
    let jwt = Jwt::read(token);
    let names = |value: &serde_json::Value| {
        let mut names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names.join(" ")
    };
    assert_eq!(names(&jwt.header), "alg kid typ");
    assert_eq!(jwt.header["alg"], algorithm);
    assert_eq!(names(&jwt.claims), "aud auth_time exp iat iss jti sid sub");
    assert_eq!(jwt.claims["iss"], "wxgate");
    assert_eq!(jwt.claims["sub"], gateway.wechat.openid("alice"));
    assert_eq!(jwt.claims["aud"], APPID);
    let (iat, exp) = (jwt.claims["iat"].as_u64().unwrap(), jwt.claims["exp"].as_u64().unwrap());
    assert!(gateway.clock.now() - iat < 5);
    assert_eq!(exp - jwt.claims["auth_time"].as_u64().unwrap(), 7 * 24 * 3600);
    jwt
}

#[tokio::test]
async fn a_token_is_signed_by_hs256_and_names_key_user_app_session_and_times() {
    let gateway = gateway(&[KEY]).await;
    let token = gateway.log_in("alice").await;
    let jwt = header_and_claims(&token, &gateway, "HS256");
    assert_eq!(gateway.get("/api/x").token(&token).await.status, 200);
    let header = token.split('.').next().unwrap();
    let (_, claims) = jwt.signed.split_once('.').unwrap();
    let again = jwt::sign_with(
        b"test-only signing key number one",
        &jwt.header.to_string(),
        &jwt.claims.to_string(),
    );
    assert!(again.starts_with(&format!("{header}.{claims}.")), "{again} {token}");
    assert_eq!(again, token, "the signature is HMAC-SHA256 by the configured key");
}

#[tokio::test]
async fn a_pem_key_signs_by_the_algorithm_of_its_kind() {
    let kinds: [(_, _, &dyn VerificationAlgorithm); 3] = [
        ("EdDSA", jwt::ed25519(), &ED25519),
        ("ES256", jwt::p256(), &ECDSA_P256_SHA256_FIXED),
        ("RS256", jwt::rsa(), &RSA_PKCS1_2048_8192_SHA256),
    ];
    for (algorithm, (pem, public), verification) in kinds {
        let gateway = gateway(&[&pem]).await;
        let token = gateway.log_in("alice").await;
        let jwt = header_and_claims(&token, &gateway, algorithm);
        let public = UnparsedPublicKey::new(verification, &public);
        public.verify(jwt.signed.as_bytes(), &jwt.signature).expect(algorithm);
        assert_eq!(gateway.get("/api/x").token(&token).await.status, 200, "{algorithm}");

        let mut tampered = jwt.claims.clone();
        tampered["sub"] = "oSomebodyElse".into();
        let signature = token.rsplit('.').next().unwrap();
        let forged = format!(
            "{}.{signature}",
            jwt::unsigned(&jwt.header.to_string(), &tampered.to_string())
        );
        assert_eq!(gateway.get("/api/x").token(&forged).await.status, 401, "{algorithm}");
    }
}

#[tokio::test]
async fn jwt_04_rotating_the_keys_logs_nobody_out() {
    let (pem, _) = jwt::ed25519();
    let before = stateless(&[KEY]).await;
    let old = before.log_in("alice").await;
    for new_key in [OTHER_KEY, &pem] {
        let rotated = stateless(&[new_key, KEY]).await;
        assert_eq!(rotated.get("/api/x").token(&old).await.status, 200);
        let new = rotated.log_in("alice").await;
        assert_ne!(Jwt::read(&old).header["kid"], Jwt::read(&new).header["kid"]);
        let after = stateless(&[new_key]).await;
        assert_eq!(after.get("/api/x").token(&new).await.status, 200);
        assert_opens_nothing(&stateless(&[new_key]).await, &old, "the old key is gone").await;
    }
}

#[tokio::test]
async fn a_key_has_the_same_kid_on_every_replica() {
    let kid = async || Jwt::read(&gateway(&[KEY]).await.log_in("a").await).header["kid"].clone();
    assert_eq!(kid().await, kid().await);
}
