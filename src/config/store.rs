//! `[store]`.

use std::time::Duration;

use super::problem::Complaint;
use super::section::Section;
use super::value::{Form, TEXT};
use crate::session::store::{EncryptionKey, Settings};

const URL: Form = Form {
    noun: "URL of a store",
    help: r#"write "memory:", "redis://host:6379", "rediss://…", "redis+sentinel://…", "redis+cluster://…" or "unix:///run/redis.sock""#,
};
const KEY: Form = Form {
    noun: "encryption key",
    help: "it is base64 of 32 bytes: make one with `openssl rand -base64 32`",
};

/// Whether the replicas of a gateway share the store, and its sessions outlive the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shared {
    Yes,
    No,
}

pub(super) fn read(store: &mut Section<'_>) -> (Settings, Shared) {
    let mut shared = Shared::No;
    let url = store.key("url").parsed(&URL, |text| {
        shared = sharing(text)?;
        Ok(shared)
    });
    let keys = store
        .secret("encryption_keys")
        .list(&KEY, |text| EncryptionKey::parse(text).ok_or_else(|| KEY.missed()));
    if shared == Shared::Yes && !keys.is_given() {
        let missing = Complaint::new(
            "\"encryption_keys\" in [store] are missing: replicas must have the same",
        );
        store.reader().problem(url.place(), missing.help(KEY.help));
    }
    url.only(&Shared::No).checked();
    read_keys_of_redis(store);

    let settings = Settings {
        key_prefix: store.key("key_prefix").parsed(&TEXT, prefix).or("wxgate:".to_owned()),
        encryption_keys: keys.optional().unwrap_or_else(|| vec![EncryptionKey::random()]),
        timeout: store.key("timeout").timeout().or(Duration::from_millis(250)),
        connect_timeout: store.key("connect_timeout").timeout().or(Duration::from_secs(1)),
    };
    (settings, shared)
}

fn sharing(url: &str) -> Result<Shared, Complaint> {
    if url == "memory:" {
        return Ok(Shared::No);
    }
    let (scheme, rest) = url.split_once("://").ok_or_else(|| URL.missed())?;
    match scheme {
        "redis" | "rediss" | "redis+sentinel" | "redis+cluster" if !rest.is_empty() => {
            Ok(Shared::Yes)
        }
        "unix" if rest.starts_with('/') => Ok(Shared::Yes),
        _ => Err(URL.missed()),
    }
}

/// Braces would choose a slot of Redis Cluster, and hide a key from another replica's.
fn prefix(text: &str) -> Result<String, Complaint> {
    let fits = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'{' | b'}' | b'*' | b'?');
    match !text.is_empty() && text.len() <= 64 && text.bytes().all(fits) {
        true => Ok(text.to_owned()),
        false => Err(Complaint::new("is no prefix for keys")
            .help("write 1 to 64 letters, digits and signs, without braces, `*` and `?`")),
    }
}

fn read_keys_of_redis(store: &mut Section<'_>) {
    store.key("username").later().text().checked();
    store.secret("password").later().parsed(&TEXT, |_| Ok(())).checked();
    store.key("database").later().integer(0, 1_023).checked();
    store.key("sentinel_master").later().text().checked();
    let tls = |tls: &mut Section<'_>| {
        tls.key("ca").text().checked();
        tls.key("cert").text().checked();
        tls.key("key").text().checked();
        Some(())
    };
    store.key("tls").later().table(tls).checked();
}
