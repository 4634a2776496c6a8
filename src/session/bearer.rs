//! Where the token of a request stands.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderValue};

use super::TokenSource;

/// A token and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer<'a> {
    /// The token.
    pub token: Cow<'a, str>,
    /// Which of the sources it came from.
    pub source: &'a TokenSource,
}

/// Two tokens, in one place or in two: nobody can say whose request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than one token in the request")]
pub struct Doubled;

/// The one token of a request, looked for in these sources.
pub fn find<'a>(
    sources: &'a [TokenSource],
    headers: &'a HeaderMap,
    query: Option<&'a str>,
) -> Result<Option<Bearer<'a>>, Doubled> {
    let mut found = None;
    for source in sources {
        if let Some(token) = source.token(headers, query)? {
            if found.is_some() {
                return Err(Doubled);
            }
            found = Some(Bearer { token, source });
        }
    }
    Ok(found)
}

/// The sources that hold a token of ours, where none is asked for. Of two in one place nobody can say
/// whose they are: that place counts too.
pub fn places(
    sources: &[TokenSource],
    headers: &HeaderMap,
    query: Option<&str>,
    is_ours: impl Fn(&str) -> bool,
) -> Vec<TokenSource> {
    let holds_ours = |source: &&TokenSource| match source.token(headers, query) {
        Ok(token) => token.is_some_and(|token| is_ours(&token)),
        Err(Doubled) => true,
    };
    sources.iter().filter(holds_ours).cloned().collect()
}

impl TokenSource {
    fn token<'a>(
        &self,
        headers: &'a HeaderMap,
        query: Option<&'a str>,
    ) -> Result<Option<Cow<'a, str>>, Doubled> {
        match self {
            Self::Authorization => {
                let value = one(headers.get_all(AUTHORIZATION).iter())?;
                let text = value.map(|value| text(value).unwrap_or("Bearer -"));
                Ok(text.and_then(after_bearer).map(Cow::Borrowed))
            }
            Self::Header(name) => {
                let value = one(headers.get_all(name).iter())?;
                // What is no text is no token of ours; it is refused like any other bad one.
                Ok(value.map(|value| Cow::Borrowed(bare(text(value).unwrap_or("-")))))
            }
            Self::Cookie(name) => {
                let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
                let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| {
                    let (key, value) = pair.trim().split_once('=')?;
                    (key == name).then_some(value)
                });
                Ok(one(pairs)?.map(Cow::Borrowed))
            }
            Self::Query(name) => {
                let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
                one(pairs.filter(|(key, _)| key == name).map(|(_, value)| value))
            }
        }
    }
}

/// `to_str` looks at each byte by itself, and a token is long. That it is ASCII is seen when it is verified.
fn text(value: &HeaderValue) -> Option<&str> {
    str::from_utf8(value.as_bytes()).ok()
}

fn one<T>(mut values: impl Iterator<Item = T>) -> Result<Option<T>, Doubled> {
    let first = values.next();
    if values.next().is_some() { Err(Doubled) } else { Ok(first) }
}

/// The token after `Bearer` in any case (RFC 9110, 11.1); another scheme is not ours.
fn after_bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| bare(token))
}

/// Without the white space that HTTP knows (RFC 9110, 5.6.3). `trim` takes that of Unicode too, and two
/// spellings of one token are two texts to whoever compares them.
fn bare(token: &str) -> &str {
    token.trim_matches([' ', '\t'])
}

/// A query without one of its parameters; none where nothing is left.
pub fn query_without(query: &str, name: &str) -> Option<String> {
    let is_other = |pair: &&str| {
        form_urlencoded::parse(pair.as_bytes()).next().is_none_or(|(key, _)| key != name)
    };
    let rest: Vec<_> = query.split('&').filter(is_other).collect();
    (!rest.is_empty()).then(|| rest.join("&"))
}

/// The names of a parameter, each as it is spelled in this query, once: who does not decode them has no
/// other way to find it.
pub fn spellings<'a>(query: &'a str, name: &str) -> Vec<&'a str> {
    let named = |pair: &&str| {
        form_urlencoded::parse(pair.as_bytes()).next().is_some_and(|(key, _)| key == name)
    };
    let keys = query.split('&').filter(named).map(|pair| pair.split('=').next().unwrap_or(pair));
    let mut spellings = Vec::new();
    for key in keys {
        if !spellings.contains(&key) {
            spellings.push(key);
        }
    }
    spellings
}

/// The Cookie headers without these cookies; those of which nothing is left are not among them.
pub fn cookies_without(headers: &HeaderMap, names: &[&str]) -> Vec<String> {
    let is_named = |pair: &str| pair.split_once('=').is_some_and(|(key, _)| names.contains(&key));
    let is_other = |pair: &&str| !pair.is_empty() && !is_named(pair);
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let rests = lines.map(|line| line.split(';').map(str::trim).filter(is_other));
    let rests = rests.map(|rest| rest.collect::<Vec<_>>().join("; "));
    rests.filter(|rest| !rest.is_empty()).collect()
}

/// The cookies among these places.
pub fn cookies_of(places: &[TokenSource]) -> Vec<&str> {
    let names = places.iter().filter_map(|source| match source {
        TokenSource::Cookie(name) => Some(name.as_str()),
        _ => None,
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Vec<TokenSource> {
        vec![
            TokenSource::Authorization,
            TokenSource::Header("x-wx-skey".parse().unwrap()),
            TokenSource::Cookie("t".to_owned()),
            TokenSource::Query("token".to_owned()),
        ]
    }

    fn token(headers: &[(&str, &str)], query: &str) -> Result<Option<String>, Doubled> {
        let headers = headers.iter().map(|(name, value)| {
            (http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap())
        });
        let sources = sources();
        let headers: HeaderMap = headers.collect();
        Ok(find(&sources, &headers, Some(query))?.map(|bearer| bearer.token.into_owned()))
    }

    #[test]
    fn a_token_is_found_in_each_place() {
        let found = Ok(Some("a.b.c".to_owned()));
        assert_eq!(token(&[("authorization", "bearer  a.b.c ")], ""), found);
        assert_eq!(token(&[("x-wx-skey", "\ta.b.c ")], ""), found);
        assert_eq!(token(&[("cookie", "x=1; t=a.b.c")], ""), found);
        assert_eq!(token(&[], "x=1&token=a.b.c"), found);
        assert_eq!(token(&[("authorization", "Basic YTpi")], ""), Ok(None));
        assert_eq!(token(&[("authorization", "Bearer")], ""), Ok(Some(String::new())));
    }

    #[test]
    fn the_white_space_of_unicode_belongs_to_the_token() {
        for space in ["\u{a0}", "\u{3000}", "\u{2028}", "\u{85}"] {
            for around in [format!("{space}a.b.c"), format!("a.b.c{space}")] {
                for (name, value) in
                    [("authorization", format!("Bearer {around}")), ("x-wx-skey", around.clone())]
                {
                    let mut headers = HeaderMap::new();
                    headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
                    let sources = sources();
                    let found = find(&sources, &headers, None).unwrap().unwrap();
                    assert_eq!(found.token, around, "{name}");
                }
            }
        }
    }

    #[test]
    fn two_tokens_are_refused() {
        assert_eq!(token(&[("authorization", "Bearer a"), ("x-wx-skey", "a")], ""), Err(Doubled));
        assert_eq!(token(&[("cookie", "t=a; t=b")], ""), Err(Doubled));
        assert_eq!(token(&[("cookie", "t=a")], "token=a"), Err(Doubled));
        assert_eq!(token(&[], "token=a&token=a"), Err(Doubled));
        let sources = sources();
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, "Basic a".parse().unwrap());
        headers.append(AUTHORIZATION, "Bearer a".parse().unwrap());
        assert_eq!(find(&sources, &headers, None), Err(Doubled));
    }

    #[test]
    fn a_token_is_taken_out_of_query_and_cookies() {
        assert_eq!(query_without("a=1&token=x&b=2", "token").as_deref(), Some("a=1&b=2"));
        assert_eq!(query_without("t%6fken=x", "token"), None);
        let query = "t%6fken=x&a=1&token&t%6Fken=&t%6fken=y&tokens=1";
        assert_eq!(spellings(query, "token"), ["t%6fken", "token", "t%6Fken"]);
        let mut headers = HeaderMap::new();
        for line in ["a=1; t=x; b", "t=x", "s=y;c=t;"] {
            headers.append(COOKIE, line.parse().unwrap());
        }
        assert_eq!(cookies_without(&headers, &["t"]), ["a=1; b", "s=y; c=t"]);
        assert_eq!(cookies_without(&headers, &["t", "s"]), ["a=1; b", "c=t"]);
    }
}
