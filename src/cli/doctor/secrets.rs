//! What the configuration itself gives away: files that all can read, keys that can be guessed.

use super::finding::Finding;
use crate::config::Settings;
use crate::secret::can_be_guessed;
use crate::session::token::SigningKey;

/// An AppSecret as documents show it.
const EXAMPLE_SECRET: &str = "0123456789abcdef0123456789abcdef";

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
    if settings.session.signing_keys.iter().any(SigningKey::can_be_guessed) {
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
