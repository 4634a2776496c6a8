//! What is different in another configuration, in words.

use std::fmt::Display;

use crate::config::{Problems, Settings};
use crate::policy::route::Route;

/// What changes, in words; none where nothing does.
pub(super) fn in_words(now: &Settings, next: &Settings) -> Option<String> {
    if settings_of(now) == settings_of(next) {
        return None;
    }
    let mut words = Vec::new();
    words.extend(Count::of(&routes(now), &routes(next)).in_words());
    let upstreams = |settings: &Settings| {
        let named = settings.upstreams.iter().map(|it| (it.name.clone(), it.clone()));
        named.collect::<Vec<_>>()
    };
    words.extend(each("upstream", &upstreams(now), &upstreams(next)));
    let apps = |settings: &Settings| {
        settings.apps.iter().map(|it| (it.name.clone(), it.clone())).collect::<Vec<_>>()
    };
    words.extend(each("app", &apps(now), &apps(next)));
    let (session, next_session) = (now.session.clone(), next.session.clone());
    if session.signing_keys != next_session.signing_keys {
        words.push("the signing keys changed".to_owned());
    }
    let signing_keys = next.session.signing_keys.clone();
    let session = crate::session::Settings { signing_keys, ..session };
    let (mut identity, next_identity) = (now.identity.clone(), &next.identity);
    if let (Some(now), Some(next)) = (&mut identity.assertion, &next_identity.assertion)
        && now.keys != next.keys
    {
        words.push("the keys of assertions changed".to_owned());
        now.keys.clone_from(&next.keys);
    }
    for (table, changed) in [
        ("the encryption keys", now.store != next.store),
        ("the headers of [traces]", now.traces != next.traces),
        ("the token of [ext_authz]", now.ext_authz != next.ext_authz),
        ("[session]", session != next_session),
        ("[server]", now.server != next.server),
        ("[admin]", now.admin != next.admin),
        ("[wechat]", now.wechat != next.wechat),
        ("[identity]", identity != *next_identity),
        ("[limits]", now.limits != next.limits),
        ("[log]", now.log != next.log),
    ] {
        if changed {
            words.push(format!("{table} changed"));
        }
    }
    if words.is_empty() {
        words.push("other settings changed".to_owned());
    }
    Some(words.join(", "))
}

/// Without what says nothing of what the gateway does.
fn settings_of(settings: &Settings) -> Settings {
    let (warnings, effective) = (Problems::default(), serde_json::Value::Null);
    Settings { files: Vec::new(), warnings, effective, ..settings.clone() }
}

/// A route with the names of what it refers to, whose positions may change.
type Named<'a> = (Route, Option<&'a str>, Vec<&'a str>);

fn routes(settings: &Settings) -> Vec<(String, Named<'_>)> {
    let upstream = |position: usize| settings.upstreams.get(position).map(|it| it.name.as_str());
    let app = |position: &usize| settings.apps.get(*position).map(|it| it.name.as_str());
    let named = |route: &Route| {
        let apps = route.apps.iter().filter_map(app).collect();
        let plain = Route { upstream: None, apps: Vec::new(), ..route.clone() };
        (plain, route.upstream.and_then(upstream), apps)
    };
    let key = |route: &Route| format!("{} {:?} {:?}", route.path, route.host, route.methods);
    settings.routes.iter().map(|route| (key(route), named(route))).collect()
}

#[derive(Default)]
struct Count {
    new: usize,
    changed: usize,
    gone: usize,
}

impl Count {
    fn of<T: PartialEq>(now: &[(String, T)], next: &[(String, T)]) -> Self {
        let mut count = Self::default();
        for (key, value) in next {
            match now.iter().find(|(known, _)| known == key) {
                None => count.new += 1,
                Some((_, known)) if known != value => count.changed += 1,
                Some(_) => {}
            }
        }
        let is_gone = |(key, _): &&(String, T)| !next.iter().any(|(kept, _)| kept == key);
        count.gone = now.iter().filter(is_gone).count();
        count
    }

    fn in_words(&self) -> Vec<String> {
        let counted = |count: usize, what: &str| {
            let routes = if count == 1 { "route" } else { "routes" };
            (count > 0).then(|| format!("{count} {routes} {what}"))
        };
        [(self.changed, "changed"), (self.new, "new"), (self.gone, "gone")]
            .into_iter()
            .filter_map(|(count, what)| counted(count, what))
            .collect()
    }
}

/// Things with names, each on its own.
fn each<T: PartialEq>(
    kind: impl Display,
    now: &[(String, T)],
    next: &[(String, T)],
) -> Vec<String> {
    let mut words = Vec::new();
    for (name, value) in next {
        match now.iter().find(|(known, _)| known == name) {
            None => words.push(format!("{kind} {name} new")),
            Some((_, known)) if known != value => words.push(format!("{kind} {name} changed")),
            Some(_) => {}
        }
    }
    let gone = now.iter().filter(|(name, _)| !next.iter().any(|(kept, _)| kept == name));
    words.extend(gone.map(|(name, _)| format!("{kind} {name} gone")));
    words
}
