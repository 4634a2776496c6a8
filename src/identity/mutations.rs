//! What another gateway changes of a request that it passes on by our word: it has the request, and we
//! only say whose it is.

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Call, HeaderRules, Identity, OVERRIDING, Subject};
use crate::session::TokenSource;
use crate::session::bearer::{cookies_of, cookies_without};

/// What is changed of the headers of a request. Nothing that is set is removed.
#[derive(Debug, Default)]
pub struct Mutations {
    /// Put in the place of every header of these names.
    pub set: HeaderMap,
    /// Taken off.
    pub remove: Vec<HeaderName>,
}

impl Mutations {
    /// Those of a request with these headers, of this user or of nobody, with tokens in these places.
    pub fn new(
        identity: &Identity,
        rules: &HeaderRules,
        client: &HeaderMap,
        tokens_at: &[TokenSource],
        subject: Option<&Subject<'_>>,
        call: &Call<'_>,
    ) -> Self {
        let mut changed = Self::default();
        if let Some(subject) = subject {
            identity.write(subject, call, &mut changed.set);
        }
        // Also those that do not seem to be there: not every gateway shows us every header.
        let feigned = client.keys().filter(|name| rules.feigns(name));
        identity.names().chain(&OVERRIDING).chain(feigned).for_each(|name| changed.remove(name));
        if !identity.forwards_token() {
            changed.remove_tokens(tokens_at, client);
        }
        changed
    }

    fn remove(&mut self, name: &HeaderName) {
        if !self.set.contains_key(name) && !self.remove.contains(name) {
            self.remove.push(name.clone());
        }
    }

    fn remove_tokens(&mut self, tokens_at: &[TokenSource], client: &HeaderMap) {
        for source in tokens_at {
            match source {
                TokenSource::Authorization => self.remove(&AUTHORIZATION),
                TokenSource::Header(name) => self.remove(name),
                // All of them at once, below; a parameter of the query is no header.
                TokenSource::Cookie(_) | TokenSource::Query(_) => {}
            }
        }
        let cookies = cookies_of(tokens_at);
        if !cookies.is_empty() {
            self.remove_cookies(&cookies, client);
        }
    }

    /// What is left of them goes on in one line (RFC 6265, 5.4).
    fn remove_cookies(&mut self, names: &[&str], client: &HeaderMap) {
        let rest = cookies_without(client, names).join("; ");
        match HeaderValue::try_from(rest) {
            Ok(rest) if !rest.is_empty() => drop(self.set.insert(COOKIE, rest)),
            _ => self.remove(&COOKIE),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use super::*;
    use crate::clock::Clock;
    use crate::identity::Settings;

    fn mutations(headers: &[(&str, &str)], tokens_at: &[TokenSource]) -> Mutations {
        let settings = Settings::default();
        let headers = headers.iter().map(|(name, value)| {
            (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap())
        });
        let client: HeaderMap = headers.collect();
        let rules = HeaderRules::new(&settings);
        let identity = Identity::new(settings, &[]);
        let openid = HeaderValue::from_static("o1");
        let claims = std::collections::BTreeMap::new();
        let subject = Subject { openid: &openid, unionid: None, app: 0, claims: &claims };
        let call = Call {
            request_id: &HeaderValue::from_static("r"),
            audience: None,
            clock: &Clock::system(),
            assertion: &OnceLock::new(),
        };
        Mutations::new(&identity, &rules, &client, tokens_at, Some(&subject), &call)
    }

    fn names(changed: &Mutations) -> Vec<&str> {
        changed.remove.iter().map(HeaderName::as_str).collect()
    }

    #[test]
    fn identity_is_set_or_removed_and_so_is_each_spelling_of_it() {
        let spoofed = [
            ("x-wx-openid", "oFORGED"),
            ("x_wx_openid", "oFORGED"),
            ("x.wx.unionid", "uFORGED"),
            ("x-wx-anything", "1"),
            ("x_forwarded_for", "6.6.6.6"),
            ("x-original-host", "6.6.6.6"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x_legacy", "1"),
            ("accept", "*/*"),
        ];
        let changed = mutations(&spoofed, &[]);
        assert_eq!(changed.set["x-wx-openid"], "o1");
        let mut removed = names(&changed);
        removed.sort_unstable();
        let expected = [
            "x-original-host",
            "x-wx-anything",
            "x-wx-appid",
            "x-wx-env",
            "x-wx-unionid",
            "x.wx.unionid",
            "x_forwarded_for",
            "x_wx_openid",
        ];
        let overriding = OVERRIDING.iter().map(HeaderName::as_str);
        let mut expected: Vec<_> = expected.into_iter().chain(overriding).collect();
        expected.sort_unstable();
        assert_eq!(removed, expected);
    }

    #[test]
    fn the_token_is_taken_out_and_other_cookies_stay() {
        let cookies = [("cookie", "a=1; t=TOKEN"), ("cookie", "b=2")];
        let changed = mutations(&cookies, &[TokenSource::Cookie("t".to_owned())]);
        assert_eq!(changed.set["cookie"], "a=1; b=2");
        let changed = mutations(&[("cookie", "t=TOKEN")], &[TokenSource::Cookie("t".to_owned())]);
        assert!(names(&changed).contains(&"cookie"));
        let both = ["t", "s"].map(|name| TokenSource::Cookie(name.to_owned()));
        let changed = mutations(&[("cookie", "t=TOKEN; s=TOKEN; a=1")], &both);
        assert_eq!(changed.set["cookie"], "a=1");
        let changed = mutations(&[("cookie", "t=TOKEN"), ("cookie", "s=TOKEN")], &both);
        assert!(names(&changed).contains(&"cookie") && !changed.set.contains_key("cookie"));
        let changed = mutations(&[], &[TokenSource::Authorization]);
        assert!(names(&changed).contains(&"authorization"));
    }
}
