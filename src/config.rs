//! `gateway.toml`: read as a whole, with every problem at its exact place.
//!
//! Each file of this module reads one table and fills the settings of the module that the table is
//! for; nobody else sees the file's shape. A `Section` asks for one key after the other, so what a
//! table can hold is said once, by the code that reads it. Problems are collected and not returned
//! early: one run shows all of them.

mod admin;
mod apps;
mod effective;
mod identity;
mod key;
mod limits;
mod log;
mod problem;
mod quantity;
mod reader;
mod routes;
mod secret;
mod section;
mod server;
mod session;
mod store;
mod syntax;
mod upstreams;
mod url;
mod value;
mod variables;
mod wechat;

use std::fs;
use std::path::{Path, PathBuf};

use crate::identity::Settings as Identity;
use crate::policy::limits::Limits;
use crate::policy::route::Route;
use crate::session::{Settings as Session, store::Settings as Store};
use crate::telemetry::log::Settings as Log;
use crate::upstream::Settings as Upstream;
use crate::wechat::app::App;
use crate::wechat::client::Settings as Wechat;
use crate::{admin as admin_listener, listen, redis};

pub use problem::{Problem, Problems};

use problem::Complaint;
use reader::{Place, Reader, position_after};
use section::Section;

/// Looks a variable up, as `std::env::var` does.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Everything that `gateway.toml` says, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[server]`.
    pub server: listen::Settings,
    /// `[admin]`.
    pub admin: admin_listener::Settings,
    /// `[log]`.
    pub log: Log,
    /// `[apps.*]`; never empty.
    pub apps: Vec<App>,
    /// `[wechat]`.
    pub wechat: Wechat,
    /// `[store]`.
    pub store: Store,
    /// Redis of `[store]`; without it the store is this process's memory.
    pub redis: Option<redis::Settings>,
    /// `[session]`.
    pub session: Session,
    /// `[identity]`.
    pub identity: Identity,
    /// `[upstreams.*]`.
    pub upstreams: Vec<Upstream>,
    /// `[limits]`.
    pub limits: Limits,
    /// `[[routes]]`; never empty.
    pub routes: Vec<Route>,
    /// The files that secrets were read from.
    pub files: Vec<PathBuf>,
    /// All of it as the file has it, with defaults and without secrets.
    pub effective: serde_json::Value,
    /// What works, but is hardly meant.
    pub warnings: Problems,
}

/// Reads a file. Relative paths of secrets in it are relative to its folder.
pub fn load(path: &Path, environment: Environment<'_>) -> Result<Settings, Problems> {
    let name = path.display().to_string();
    let content = fs::read(path).map_err(|error| {
        let complaint = Complaint::new(format!("cannot be read: {error}"));
        Problems::of_file(&name, complaint.help("name the configuration with --config FILE"))
    })?;
    let text = str::from_utf8(&content).map_err(|error| {
        let before = content.get(..error.valid_up_to()).unwrap_or_default();
        let (line, column) = position_after(&String::from_utf8_lossy(before));
        Problems::new(&name, vec![Complaint::new("this is not UTF-8").at(line, column)])
    })?;
    parse(&name, text, path.parent().unwrap_or_else(|| Path::new("")), environment)
}

/// Reads the text of a file of this name.
pub fn parse(
    name: &str,
    text: &str,
    base_folder: &Path,
    environment: Environment<'_>,
) -> Result<Settings, Problems> {
    // Windows editors put a byte order mark there, which is no column.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let reader = Reader::new(text, base_folder, environment);
    let document = syntax::document(name, text)?;
    let settings = Section::read(&reader, "", Place::default(), &document, settings);
    let found = reader.into_found();
    if !found.problems.is_empty() {
        return Err(Problems::new(name, found.problems));
    }
    let warnings = Problems::new(name, found.warnings);
    let effective = effective::effective(&document, &found.asked, environment);
    Ok(Settings { files: found.files, effective, warnings, ..settings })
}

/// What later tables refer to is read first.
fn settings(file: &mut Section<'_>) -> Settings {
    let server = file.table("server", server::read);
    let admin = file.table("admin", |table| admin::read(table, &server));
    let log = file.table("log", log::read);
    let apps = apps::read(file);
    let wechat = file.table("wechat", wechat::read);
    let (store, redis) = file.table("store", store::read);
    let session = file.table("session", |table| session::read(table, redis.is_some()));
    let identity = file.table("identity", identity::read);
    let upstreams = upstreams::read(file, &identity);
    let limits = file.table("limits", limits::read);
    let routes = routes::read(file, &apps, &upstreams, &identity);
    Settings {
        server,
        admin,
        log,
        apps: apps.values,
        wechat,
        store,
        redis,
        session,
        identity,
        upstreams: upstreams.values,
        limits,
        routes,
        files: Vec::new(),
        effective: serde_json::Value::Null,
        warnings: Problems::default(),
    }
}
