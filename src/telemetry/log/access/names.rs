//! How openids stand in the log.

use std::sync::OnceLock;

use ring::hmac;

use crate::telemetry::log::Openid;
use crate::telemetry::log::json::write_hex;

/// What the key of the hash is made for, so that no other use of its mother gives the same.
const PURPOSE: &[u8] = b"wxgate: openids in logs";
/// Of the hash: enough to tell users apart.
const HASH_BYTES: usize = 8;

/// How openids stand in the log.
#[derive(Clone, Debug)]
pub struct OpenidNames {
    form: Openid,
    key: hmac::Key,
    /// Tells the key from others.
    key_id: u64,
}

/// The hash of an openid, kept by whoever keeps the openid: it is made once, and not for each request.
#[derive(Debug, Default)]
pub struct KeptName(OnceLock<Kept>);

#[derive(Debug)]
struct Kept {
    /// Of the key it was made with: after a reload that may be another.
    key_id: u64,
    name: Box<str>,
}

impl OpenidNames {
    /// Replicas that share `secret` write the same.
    pub fn new(form: Openid, secret: &[u8]) -> Self {
        let mother = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&mother, PURPOSE).as_ref());
        let tag = hmac::sign(&key, PURPOSE);
        let key_id = tag.as_ref().first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
        Self { form, key, key_id }
    }

    /// The name of an openid in the log; none where none is written.
    pub fn of(&self, openid: &str) -> Option<String> {
        let mut name = String::new();
        self.write(openid, None, &mut name).then_some(name)
    }

    /// Writes the name of an openid, which may be kept; false where none is written.
    pub(super) fn write(&self, openid: &str, kept: Option<&KeptName>, text: &mut String) -> bool {
        match self.form {
            Openid::None => return false,
            Openid::Plain => text.push_str(openid),
            Openid::Hash => self.write_hash(openid, kept, text),
        }
        true
    }

    fn write_hash(&self, openid: &str, kept: Option<&KeptName>, text: &mut String) {
        let make = || Kept { key_id: self.key_id, name: self.hash(openid).into() };
        let kept = kept.map(|kept| kept.0.get_or_init(make));
        match kept.filter(|kept| kept.key_id == self.key_id) {
            Some(kept) => text.push_str(&kept.name),
            None => text.push_str(&self.hash(openid)),
        }
    }

    fn hash(&self, openid: &str) -> String {
        let tag = hmac::sign(&self.key, openid.as_bytes());
        let mut text = String::with_capacity(2 * HASH_BYTES);
        write_hex(tag.as_ref().get(..HASH_BYTES).unwrap_or_default(), &mut text);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_for_the_key_that_it_was_made_with() {
        let (old, new) =
            (OpenidNames::new(Openid::Hash, b"1"), OpenidNames::new(Openid::Hash, b"2"));
        let kept = KeptName::default();
        let written = |names: &OpenidNames| {
            let mut text = String::new();
            names.write("oAlice", Some(&kept), &mut text);
            text
        };
        for names in [&old, &new, &old] {
            assert_eq!(Some(written(names)), names.of("oAlice"));
        }
        assert_ne!(written(&old), written(&new));
    }
}
