//! `gateway.toml`: read as a whole, with every problem at its exact place.
//!
//! Each file of this module reads one table and fills the settings of the module that the table is
//! for; nobody else sees the file's shape. A `Section` asks for one key after the other, so what a
//! table can hold is said once, by the code that reads it. Problems are collected and not returned
//! early: one run shows all of them.

mod admin;
mod apps;
mod effective;
mod ext_authz;
mod files;
mod header_value;
mod identity;
mod key;
mod limits;
mod log;
mod problem;
mod quantity;
mod rate;
mod reader;
mod recording;
pub mod reference;
mod routes;
mod secret;
mod section;
mod server;
mod session;
mod store;
mod syntax;
mod traces;
mod upstreams;
mod url;
mod value;
mod variables;
mod wechat;

use std::fs;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use crate::identity::Settings as Identity;
use crate::identity::trace_context::Traces as Propagation;
use crate::policy::limits::Limits;
use crate::policy::route::Route;
use crate::session::{Settings as Session, store::Settings as Store};
use crate::telemetry::log::Settings as Log;
use crate::telemetry::traces::Settings as Traces;
use crate::upstream::Settings as Upstream;
use crate::wechat::app::App;
use crate::wechat::client::Settings as Wechat;
use crate::{admin as admin_listener, ext_authz as checks, listen, redis};

pub use admin::AdminPlace;
pub use files::{Fingerprint, NamedFiles};
pub use problem::{Problem, Problems};

use problem::Complaint;
use reader::{Place, Reader, position_after};
use recording::{Node, Recording};
use section::Section;

/// Reads "500ms", "10s", "5m", "24h" or "7d", as the file has them. What is none is told how to write one.
pub fn duration(text: &str) -> Result<std::time::Duration, String> {
    quantity::duration(text).map_err(|_| quantity::DURATION.help.to_owned())
}

/// Looks a variable up, as `std::env::var` does.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Everything that `gateway.toml` says, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `[server]`.
    pub server: listen::Settings,
    /// `[admin]`.
    pub admin: admin_listener::Settings,
    /// `[ext_authz]`, where it says where to listen.
    pub ext_authz: Option<checks::Settings>,
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
    /// `[traces]`, where it names a collector.
    pub traces: Option<Traces>,
    /// The files that secrets were read from.
    pub files: Vec<PathBuf>,
    /// All of it as the file has it, with defaults and without secrets.
    pub effective: serde_json::Value,
    /// What works, but is hardly meant.
    pub warnings: Problems,
}

/// Everything that was found in a file.
#[derive(Debug)]
pub struct Reading {
    /// What it says; none where there are problems.
    pub settings: Option<Settings>,
    /// What does not work.
    pub problems: Problems,
    /// What works, but is hardly meant; also beside problems.
    pub warnings: Problems,
}

/// Reads a file. Relative paths of secrets in it are relative to its folder.
pub fn load(path: &Path, environment: Environment<'_>) -> Result<Settings, Problems> {
    read(path, environment).into_result()
}

/// Reads a file, and gives the warnings where there are problems too.
pub fn read(path: &Path, environment: Environment<'_>) -> Reading {
    let name = path.display().to_string();
    let base_folder = path.parent().unwrap_or_else(|| Path::new(""));
    match text_of(path, &name) {
        Ok(text) => {
            let bare = without_byte_order_mark(&text);
            let reader = Reader::new(bare, base_folder, environment);
            reading(&name, reader.of_file(secret::is_readable_by_all(path)))
        }
        Err(problems) => Reading::of(problems),
    }
}

/// Reads `[admin]` alone. What is wrong elsewhere in the file, or a token that is not there, is not in the
/// way: a gateway that runs keeps such a file out.
pub fn read_admin(path: &Path, environment: Environment<'_>) -> Result<AdminPlace, Problems> {
    let name = path.display().to_string();
    let text = text_of(path, &name)?;
    let base_folder = path.parent().unwrap_or_else(|| Path::new(""));
    let reader = Reader::new(without_byte_order_mark(&text), base_folder, environment);
    let document = syntax::document(&name, reader.text())?;
    Ok(Section::read(&reader, "", Place::default(), &document, |file| {
        let server = reader.forgiving(|| file.table("server", server::read));
        let read = file.table("admin", |table| admin::read_to_ask(table, &server));
        let problems = Problems::new(&name, reader.problems());
        let listen = if problems.list.is_empty() { Ok(read.listen) } else { Err(problems) };
        AdminPlace { listen, token: read.token }
    }))
}

fn text_of(path: &Path, name: &str) -> Result<String, Problems> {
    let content = fs::read(path).map_err(|error| {
        let complaint = Complaint::new(format!("cannot be read: {error}"));
        Problems::of_file(name, complaint.help("name the configuration with --config FILE"))
    })?;
    String::from_utf8(content).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..valid).unwrap_or_default();
        let (line, column) = position_after(&String::from_utf8_lossy(before));
        Problems::new(name, vec![Complaint::new("this is not UTF-8").at(line, column)])
    })
}

/// Reads the text of a file of this name.
pub fn parse(
    name: &str,
    text: &str,
    base_folder: &Path,
    environment: Environment<'_>,
) -> Result<Settings, Problems> {
    reading(name, Reader::new(without_byte_order_mark(text), base_folder, environment))
        .into_result()
}

/// Windows editors put one there, which is no column.
fn without_byte_order_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn reading(name: &str, reader: Reader<'_>) -> Reading {
    let document = match syntax::document(name, reader.text()) {
        Ok(document) => document,
        Err(problems) => return Reading::of(problems),
    };
    let settings = Section::read(&reader, "", Place::default(), &document, settings);
    let environment = reader.environment;
    let found = reader.into_found();
    let files = NamedFiles(found.files.clone());
    let problems = Problems { files, ..Problems::new(name, found.problems) };
    let warnings = Problems::new(name, found.warnings);
    let effective = effective::effective(&document, &found.asked, environment);
    let settings =
        Settings { files: found.files, effective, warnings: warnings.clone(), ..settings };
    Reading { settings: problems.list.is_empty().then_some(settings), problems, warnings }
}

impl Reading {
    fn of(problems: Problems) -> Self {
        Self { settings: None, problems, warnings: Problems::default() }
    }

    /// The settings, or why there are none.
    pub fn into_result(self) -> Result<Settings, Problems> {
        self.settings.ok_or(self.problems)
    }
}

/// Every key that the file can have, in the order of the code.
fn every_key() -> Vec<Node> {
    let (reader, empty) = (Reader::recording(), DeTable::new());
    Section::read(&reader, "", Place::default(), &empty, settings);
    reader.recording.map(Recording::into_nodes).unwrap_or_default()
}

/// What later tables refer to is read first.
fn settings(file: &mut Section<'_>) -> Settings {
    let mut server = file.table("server", server::read);
    let admin = file.table("admin", |table| admin::read(table, &server));
    let ext_authz = file.table("ext_authz", |table| ext_authz::read(table, &server, &admin));
    let log = file.table("log", log::read);
    let apps = apps::read(file);
    let wechat = file.table("wechat", wechat::read);
    let (store, redis) = file.table("store", store::read);
    let session = file.table("session", |table| session::read(table, redis.is_some()));
    let around = identity::Around {
        appids: apps.values.iter().map(|app| app.appid.as_str()).collect(),
        signing_keys: &session.signing_keys,
        shared: redis.is_some(),
    };
    let identity = file.table("identity", |table| identity::read(table, &around));
    let upstreams = upstreams::read(file, &identity);
    let limits = file.table("limits", limits::read);
    let routes = routes::read(file, &apps, &upstreams, &identity);
    let traces = file.table("traces", traces::read);
    if traces.is_some() {
        // Its spans stand between the caller's and the upstream's.
        server.traces = Propagation::Own;
    }
    Settings {
        server,
        admin,
        ext_authz,
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
        traces,
        files: Vec::new(),
        effective: serde_json::Value::Null,
        warnings: Problems::default(),
    }
}
