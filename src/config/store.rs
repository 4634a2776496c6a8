//! `[store]`.

use std::path::{Path, PathBuf};

use super::key::Read;
use super::problem::Complaint;
use super::section::Section;
use super::value::{Form, TEXT};
use crate::redis;
use crate::redis::settings::{
    ClientCertificate, KeyPrefix, Login, Options, Password, SettingsError, Tls,
};
use crate::secret::Secret;
use crate::session::store::{EncryptionKey, Settings};

const MEMORY: &str = "memory:";
/// Kubernetes sets it in every pod.
const KUBERNETES: &str = "KUBERNETES_SERVICE_HOST";

const URL: Form = Form {
    noun: "URL of a store",
    help: r#"write "memory:", "redis://host:6379", "rediss://…", "redis+sentinel://…", "redis+cluster://…" or "unix:///run/redis.sock""#,
};
const KEY: Form = Form {
    noun: "encryption key",
    help: "it is base64 of 32 bytes: make one with `openssl rand -base64 32`",
};

const NAME: Form = Form { noun: "path of a file", help: "write it in quotes" };

/// The store's settings, and where Redis is; without it the store is this process's memory.
pub(super) fn read(store: &mut Section<'_>) -> (Settings, Option<redis::Settings>) {
    let url = store.key("url").parsed(&URL, |text| {
        let wrong = matches!(redis::Settings::parse_url(text), Err(SettingsError::Url(_)));
        if wrong && text != MEMORY { Err(URL.missed()) } else { Ok(text.to_owned()) }
    });
    let shared = url.value().is_some_and(|url| url != MEMORY);
    if !url.is_given() && (store.reader().environment)(KUBERNETES).is_some() {
        let memory = Complaint::new(
            "sessions are kept in this pod's memory: they end with it, and other replicas do not know them",
        );
        let help = "set url in [store] to a Redis, or to \"memory:\" where that is meant";
        store.reader().warning(store.place(), memory.help(help));
    }
    let keys = store
        .secret("encryption_keys")
        .list(&KEY, |text| EncryptionKey::parse(text).ok_or_else(|| KEY.missed()));
    if shared && !keys.is_given() {
        let missing = Complaint::new(
            "\"encryption_keys\" in [store] are missing: replicas must have the same",
        );
        store.reader().problem(url.place(), missing.help(KEY.help));
    }
    let options = options(store, shared);
    let redis = url.value().filter(|_| shared).and_then(|text| {
        let settings = redis::Settings::new(text, options);
        settings
            .map_err(|error| store.reader().problem(url.place(), Complaint::new(error.to_string())))
            .ok()
    });
    (Settings { encryption_keys: keys.optional().unwrap_or_default() }, redis)
}

/// What is there for Redis alone; beside `memory:` each of it is said to do nothing.
fn options(store: &mut Section<'_>, shared: bool) -> Options {
    let password = |store: &mut Section<'_>, name: &'static str| {
        let given = |text: &str| Password::Given(Secret::new(text));
        let in_file = |path: &Path| Password::File(path.to_owned());
        of_redis(store.secret(name).reread(&TEXT, given, in_file), shared)
    };
    let database = of_redis(store.key("database").integer(0, 1_023), shared);
    Options {
        username: of_redis(store.key("username").text(), shared),
        password: password(store, "password"),
        database: database.and_then(|number| number.try_into().ok()),
        key_prefix: of_redis(store.key("key_prefix").parsed(&TEXT, prefix), shared),
        timeout: of_redis(store.key("timeout").timeout(), shared),
        connect_timeout: of_redis(store.key("connect_timeout").timeout(), shared),
        tls: of_redis(store.key("tls").table(tls), shared),
        sentinel_master: of_redis(store.key("sentinel_master").text(), shared),
        sentinel_login: Login {
            username: of_redis(store.key("sentinel_username").text(), shared),
            password: password(store, "sentinel_password"),
        },
    }
}

fn of_redis<T>(read: Read<'_, T>, shared: bool) -> Option<T> {
    if !shared {
        read.unused("where the url is memory:");
    }
    read.optional()
}

/// The files are read for each new connection, so that they may be replaced.
fn tls(tls: &mut Section<'_>) -> Option<Tls> {
    let ca = path(tls, "ca");
    let (cert, key) = (path(tls, "cert"), path(tls, "key"));
    let client = match (cert, key) {
        (Some(cert), Some(key)) => Some(ClientCertificate { cert, key }),
        (None, None) => None,
        _ => {
            let half = Complaint::new("has a cert without a key, or a key without a cert");
            tls.reader().problem(tls.place(), half);
            None
        }
    };
    Some(Tls { ca, client })
}

fn path(section: &mut Section<'_>, name: &'static str) -> Option<PathBuf> {
    let base = section.reader().base_folder.to_owned();
    section.key(name).parsed(&NAME, |path| Ok(base.join(path))).optional()
}

/// Braces would choose a slot of Redis Cluster, and hide a key from another replica's.
fn prefix(text: &str) -> Result<KeyPrefix, Complaint> {
    let globs = text.contains(['*', '?']) || text.is_empty();
    KeyPrefix::parse(text).filter(|_| !globs).ok_or_else(|| {
        Complaint::new("is no prefix for keys")
            .help("write 1 to 64 letters, digits and signs, without braces, `*` and `?`")
    })
}
