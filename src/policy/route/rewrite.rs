//! What the upstream gets in the place of a route's own path.

use super::{BadPattern, Pattern};

/// The `rewrite` of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rewrite {
    /// This path.
    Exact(String),
    /// This prefix instead of the route's.
    Prefix {
        /// How long the route's is.
        length: usize,
        /// Without a closing `/`; empty for the root.
        prefix: String,
    },
}

/// Why a text is no rewriting of a route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRewrite {
    /// The route is one path, and what it becomes is not.
    #[error("the route is one path: write a path without `/**`")]
    NotExact,
    /// The route is a prefix, and what it becomes is not.
    #[error("the route is a prefix: write another one, as in \"/assets/**\"")]
    NotPrefix,
    /// It is no path that a request could have.
    #[error(transparent)]
    Pattern(#[from] BadPattern),
}

impl Rewrite {
    /// Reads what the path of a route becomes.
    pub fn parse(text: &str, route: &Pattern) -> Result<Self, BadRewrite> {
        match (route, Pattern::parse(text)?) {
            (Pattern::Exact(_), Pattern::Exact(path)) => Ok(Self::Exact(path)),
            (Pattern::Prefix(replaced), Pattern::Prefix(prefix)) => {
                Ok(Self::Prefix { length: replaced.len(), prefix })
            }
            (Pattern::Exact(_), Pattern::Prefix(_)) => Err(BadRewrite::NotExact),
            (Pattern::Prefix(_), Pattern::Exact(_)) => Err(BadRewrite::NotPrefix),
        }
    }

    /// What a canonical path that the route has matched becomes: canonical again, since a prefix ends
    /// where a segment does and what follows is the rest of a canonical path. Nothing of it is
    /// decoded or resolved once more, so that no `..` can come about (CVE-2026-48020).
    pub fn apply(&self, path: &str) -> String {
        match self {
            Self::Exact(path) => path.clone(),
            Self::Prefix { length, prefix } => {
                let rest = path.get(*length..).unwrap_or_default();
                match format!("{prefix}{rest}") {
                    path if path.is_empty() => "/".to_owned(),
                    path => path,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::path::canonical;

    fn rewritten(route: &str, rewrite: &str, path: &str) -> String {
        Rewrite::parse(rewrite, &Pattern::parse(route).unwrap()).unwrap().apply(path)
    }

    #[test]
    fn the_rest_of_the_path_goes_after_the_new_prefix() {
        for (route, rewrite, path, becomes) in [
            ("/static/**", "/assets/**", "/static/a/b.js", "/assets/a/b.js"),
            ("/static/**", "/assets/**", "/static", "/assets"),
            ("/static/**", "/assets/**", "/static/", "/assets/"),
            ("/static/**", "/**", "/static", "/"),
            ("/static/**", "/**", "/static/", "/"),
            ("/static/**", "/**", "/static/a", "/a"),
            ("/**", "/v1/**", "/", "/v1/"),
            ("/**", "/v1/**", "/a", "/v1/a"),
            ("/a/**", "/b/**", "/a/%25E4/x%20y", "/b/%25E4/x%20y"),
            ("/old", "/new/path", "/old", "/new/path"),
        ] {
            assert_eq!(rewritten(route, rewrite, path), becomes, "{route} {rewrite} {path}");
        }
    }

    #[test]
    fn a_prefix_becomes_a_prefix_and_a_path_a_path() {
        let parse = |route, rewrite| Rewrite::parse(rewrite, &Pattern::parse(route).unwrap());
        assert_eq!(parse("/a/**", "/b"), Err(BadRewrite::NotPrefix));
        assert_eq!(parse("/a", "/b/**"), Err(BadRewrite::NotExact));
        for bad in ["b/**", "/b/../**", "/b//**", "//**", "/b%2f/**", "/b/./**", "/b*/**"] {
            assert!(matches!(parse("/a/**", bad), Err(BadRewrite::Pattern(_))), "{bad}");
        }
    }

    proptest! {
        /// PTH-04: whatever a client writes, a rewritten path is canonical, so that nobody reads it
        /// in another way than it was authorised.
        #[test]
        fn pth_04_what_comes_out_is_canonical(
            rest in "(/|//|/\\.|/\\.\\.|/%2e|/%252e|/[a-z%.;~-]{1,4}|/%[0-9a-f]{2}){0,6}",
            prefix in prop::sample::select(vec!["/**", "/b/**", "/b/c/**"]),
        ) {
            let raw = format!("/a{rest}");
            let Ok(path) = canonical(raw.as_bytes()) else { return Ok(()) };
            prop_assume!(path == "/a" || path.starts_with("/a/"));
            let becomes = rewritten("/a/**", prefix, &path);
            prop_assert_eq!(&canonical(becomes.as_bytes()).unwrap(), &becomes);
            prop_assert!(!becomes.contains("/../") && !becomes.contains("//"));
        }
    }
}
