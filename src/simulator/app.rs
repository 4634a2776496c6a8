//! The Mini Programs that WeChat knows.

use std::collections::HashMap;

use super::errcode::Failure;

/// The apps and their secrets.
#[derive(Debug)]
pub(super) struct Apps {
    secrets: HashMap<String, String>,
    /// The first configured app, which the control calls take where none is named.
    first: Option<String>,
    /// Whether any well-formed pair is taken at first sight.
    open: bool,
}

impl Apps {
    pub(super) fn new(apps: Vec<(String, String)>) -> Self {
        let first = apps.first().map(|(appid, _)| appid.clone());
        Self { open: apps.is_empty(), first, secrets: apps.into_iter().collect() }
    }

    /// The appids known so far, in order.
    pub(super) fn known(&self) -> Vec<&str> {
        let mut appids: Vec<_> = self.secrets.keys().map(String::as_str).collect();
        appids.sort_unstable();
        appids
    }

    /// Whether the app exists, or may: with open doors, any well-formed appid does.
    pub(super) fn has(&self, appid: &str) -> bool {
        self.secrets.contains_key(appid) || (self.open && is_appid(appid))
    }

    /// The app that is meant where none is named: the first configured, or the only one seen.
    pub(super) fn meant(&self) -> Option<&str> {
        match (&self.first, self.known().as_slice()) {
            (Some(first), _) => Some(first),
            (None, [only]) => self.secrets.get_key_value(*only).map(|(appid, _)| appid.as_str()),
            _ => None,
        }
    }

    /// Checks the pair in WeChat's order: the appid before the secret.
    pub(super) fn authenticate(&mut self, appid: &str, secret: &str) -> Result<(), Failure> {
        if appid.is_empty() {
            return Err(Failure::of(41002));
        }
        if !self.has(appid) {
            return Err(Failure::of(40013));
        }
        if secret.is_empty() {
            return Err(Failure::of(41004));
        }
        if let Some(known) = self.secrets.get(appid) {
            return if known == secret { Ok(()) } else { Err(Failure::of(40125)) };
        }
        if !is_hex(secret, 32) {
            return Err(Failure::of(40125));
        }
        self.secrets.insert(appid.to_owned(), secret.to_owned());
        Ok(())
    }
}

/// `wx` and 16 lowercase hex digits.
pub(super) fn is_appid(text: &str) -> bool {
    text.strip_prefix("wx").is_some_and(|rest| is_hex(rest, 16))
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const APPID: &str = "wx00000000000000aa";
    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn refusal(apps: &mut Apps, appid: &str, secret: &str) -> i64 {
        apps.authenticate(appid, secret).err().map_or(0, |failure| failure.errcode)
    }

    #[test]
    fn the_first_sight_of_an_open_app_fixes_its_secret() {
        let mut apps = Apps::new(Vec::new());
        assert_eq!(apps.meant(), None);
        assert_eq!(refusal(&mut apps, APPID, "short"), 40125);
        assert_eq!(refusal(&mut apps, APPID, SECRET), 0);
        assert_eq!(refusal(&mut apps, APPID, "f0000000000000000000000000000000"), 40125);
        assert_eq!(refusal(&mut apps, "wx1", SECRET), 40013);
        assert_eq!(apps.meant(), Some(APPID));
    }

    #[test]
    fn configured_apps_are_the_only_ones() {
        let mut apps = Apps::new(vec![("wxdemo".to_owned(), "s".to_owned())]);
        assert_eq!(refusal(&mut apps, "wxdemo", "s"), 0);
        assert_eq!(refusal(&mut apps, APPID, SECRET), 40013);
        assert_eq!(refusal(&mut apps, "", SECRET), 41002);
        assert_eq!(refusal(&mut apps, "wxdemo", ""), 41004);
    }
}
