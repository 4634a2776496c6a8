//! What the configuration itself gives away: files that all can read, keys that can be guessed.

use super::finding::Finding;
use crate::config::Settings;
use crate::session::token::SigningKey;

/// An AppSecret as documents show it.
const EXAMPLE_SECRET: &str = "0123456789abcdef0123456789abcdef";
/// The bytes from 0 to 31, as documents and tests show a key.
const EXAMPLE_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// Of 32 random bytes fewer than so many are distinct in one of 10^24 cases.
const FEWEST_DISTINCT: usize = 16;

pub(super) fn examine(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for warning in &settings.warnings.list {
        let place = format!("{}:{}:{}", settings.warnings.file, warning.line, warning.column);
        let help = warning.help.as_deref().unwrap_or_default();
        findings.push(Finding::warning("configuration", &place, &warning.message, help));
    }
    for app in &settings.apps {
        if app.secret.matches(EXAMPLE_SECRET) {
            let about = format!("[apps.{}] secret", app.name);
            let help = "take the AppSecret of WeChat's console (开发管理)";
            findings.push(Finding::error("example_secret", &about, "is the one of examples", help));
        }
    }
    let example = SigningKey::parse(EXAMPLE_KEY);
    let is_example = |key: &SigningKey| example.as_ref().is_ok_and(|it| it.id() == key.id());
    if settings.session.signing_keys.iter().any(is_example) {
        findings.push(weak("[session] signing_keys", "wxgate keys generate"));
    }
    let keys = &settings.store.encryption_keys;
    if keys.iter().any(|key| can_be_guessed(key.expose())) {
        findings.push(weak("[store] encryption_keys", "wxgate keys generate --store"));
    }
    if findings.is_empty() {
        findings.push(Finding::good("secrets", "the configuration", "gives no secret away"));
    }
    findings
}

fn weak(about: &str, command: &str) -> Finding {
    let help = format!("make a new one with `{command}`, and let it replace this one at once");
    Finding::error("weak_key", about, "can be guessed", &help)
}

/// Few distinct bytes, or each the next of the one before.
fn can_be_guessed(key: &[u8]) -> bool {
    let distinct: std::collections::BTreeSet<_> = key.iter().collect();
    let pairs = || key.iter().zip(key.iter().skip(1));
    distinct.len() < FEWEST_DISTINCT || pairs().all(|(one, next)| one.wrapping_add(1) == *next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_nobody_drew_are_told_from_those_of_chance() {
        let counted: Vec<u8> = (0..32).collect();
        for key in [counted.as_slice(), &[0; 32], b"passwordpasswordpasswordpassword"] {
            assert!(can_be_guessed(key), "{key:?}");
        }
        for _ in 0..1_000 {
            assert!(!can_be_guessed(crate::session::store::EncryptionKey::random().expose()));
        }
    }
}
