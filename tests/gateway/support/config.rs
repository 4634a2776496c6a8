//! The text of a `gateway.toml`, table by table.

use std::collections::{BTreeMap, HashMap};

use super::wechat::{APPID, OTHER_APPID, SECRET};

/// Every route of the standard configuration. `/api` needs a token, `/maybe` takes one, `/public` does
/// not look at it.
const ROUTES: [&str; 7] = [
    r#"{ path = "/wxLogin", action = "login" }"#,
    r#"{ path = "/session", action = "session" }"#,
    r#"{ path = "/refresh", action = "refresh" }"#,
    r#"{ path = "/logout", action = "logout" }"#,
    r#"{ path = "/api/**", upstream = "shop" }"#,
    r#"{ path = "/maybe/**", upstream = "shop", auth = "optional" }"#,
    r#"{ path = "/public/**", upstream = "shop", auth = "none" }"#,
];

/// A configuration in the making. Its holes `${NAME}` are filled when the gateway starts.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    tables: BTreeMap<String, String>,
    routes: Vec<String>,
    pub(crate) variables: HashMap<String, String>,
}

impl Default for Config {
    fn default() -> Self {
        let config = Self {
            tables: BTreeMap::new(),
            routes: ROUTES.map(str::to_owned).to_vec(),
            variables: HashMap::new(),
        };
        config
            .variable("SECRET", SECRET)
            .table("server", "listen = [\"127.0.0.1:0\"]\nlame_duck = \"0s\"")
            .table("admin", "listen = \"127.0.0.1:0\"")
            .table("wechat", "base_url = \"${WECHAT}\"")
            .table("apps.shop", &format!("appid = \"{APPID}\"\nsecret = \"${{SECRET}}\""))
            .table("upstreams.shop", "servers = [\"${UPSTREAM}\"]")
    }
}

impl Config {
    /// The standard one with a second app, which all routes serve too.
    pub(crate) fn with_two_apps() -> Self {
        let other = format!("appid = \"{OTHER_APPID}\"\nsecret = \"${{SECRET}}\"");
        Self::default().table("apps.other", &other)
    }

    /// Puts a table in the place of the one of this name.
    pub(crate) fn table(mut self, name: &str, body: &str) -> Self {
        self.tables.insert(name.to_owned(), body.to_owned());
        self
    }

    /// Adds a key to a table.
    pub(crate) fn key(mut self, table: &str, line: &str) -> Self {
        let body = self.tables.entry(table.to_owned()).or_default();
        body.push('\n');
        body.push_str(line);
        self
    }

    /// Adds a route, an inline table without its braces.
    pub(crate) fn route(mut self, route: &str) -> Self {
        self.routes.push(format!("{{ {route} }}"));
        self
    }

    /// Puts these routes in the place of all others.
    pub(crate) fn routes(mut self, routes: &[&str]) -> Self {
        self.routes = routes.iter().map(|route| format!("{{ {route} }}")).collect();
        self
    }

    /// Fills a hole.
    pub(crate) fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    /// Signs tokens with the first of these keys, and verifies them with all.
    pub(crate) fn signing_keys(mut self, keys: &[&str]) -> Self {
        let names: Vec<_> = (0..keys.len()).map(|index| format!("\"${{KEY_{index}}}\"")).collect();
        for (index, key) in keys.iter().enumerate() {
            self = self.variable(&format!("KEY_{index}"), *key);
        }
        self.key("session", &format!("signing_keys = [{}]", names.join(", ")))
    }

    pub(crate) fn text(&self) -> String {
        let routes = format!("routes = [\n{}\n]\n", self.routes.join(",\n"));
        let tables = self.tables.iter().map(|(name, body)| format!("\n[{name}]\n{body}\n"));
        routes + &tables.collect::<String>()
    }
}
