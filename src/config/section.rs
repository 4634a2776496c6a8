//! A table of the file, of which keys are asked for one after the other. What nobody asked for is
//! unknown.

use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::key::Key;
use super::problem::{Complaint, nearest_of};
use super::reader::{Place, Reader};
use super::recording::Kind;
use super::secret::SecretKey;
use super::value::{Item, TABLE, quoted, with_article};

/// A table that is being read.
pub(super) struct Section<'r> {
    reader: &'r Reader<'r>,
    /// As between the brackets of its header: `apps.shop`. Empty at the top of the file.
    path: String,
    /// Where it begins.
    place: Place,
    table: &'r DeTable<'r>,
    /// The keys that it can have, as far as they have been asked for.
    known: Vec<String>,
}

impl<'r> Section<'r> {
    /// Reads a table with `fill`, which asks for every key that it can have. The others are reported
    /// after it: there is no way to leave this out.
    pub(super) fn read<T>(
        reader: &'r Reader<'r>,
        path: &str,
        place: Place,
        table: &'r DeTable<'r>,
        fill: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let mut section = Self { reader, path: path.to_owned(), place, table, known: Vec::new() };
        let filled = fill(&mut section);
        section.report_unknown_keys();
        filled
    }

    /// A key that the table can have.
    pub(super) fn key(&mut self, name: &str) -> Key<'r> {
        self.ask(name, false)
    }

    /// Counts a file among those of the configuration: when it changes they are read again.
    pub(super) fn belongs(&self, file: PathBuf) {
        self.reader.belongs(file);
    }

    /// A key with a secret value, and its `_file` twin.
    pub(super) fn secret(&mut self, name: &str) -> SecretKey<'r> {
        self.reader.note(&self.path_of(name), |node| node.secret = true);
        SecretKey::new(self.ask(name, true), self.ask(&format!("{name}_file"), false))
    }

    /// A table of settings that all have a default: where it is not there, an empty one is read.
    pub(super) fn table<T>(&mut self, name: &str, fill: impl FnOnce(&mut Self) -> T) -> T {
        let (place, table) = match self.subtable(name) {
            Some((place, table)) => (place, table),
            None => (self.place, &self.reader.empty),
        };
        Self::read(self.reader, &self.path_of(name), place, table, fill)
    }

    /// A table of tables whose names are the user's.
    pub(super) fn named_tables<T>(
        &mut self,
        name: &str,
        mut fill: impl FnMut(&mut Self, &str) -> Option<T>,
    ) -> Named<T> {
        let mut named = Named { names: Vec::new(), places: Vec::new(), values: Vec::new() };
        if self.reader.recording.is_some() {
            let path = format!("{}.*", self.path_of(name));
            Item::new(self.reader, path, false, &self.reader.phantoms.table)
                .table(|section| fill(section, name));
        }
        for (table_name, place, item) in self.entries(name) {
            check_name(self.reader, place, table_name);
            named.names.push(table_name.to_owned());
            named.places.push(place);
            named.values.extend(item.table(|section| fill(section, table_name)));
        }
        named
    }

    /// The entries of a table whose keys are the user's, in the order of the file.
    pub(super) fn entries(&mut self, name: &str) -> Vec<(&'r str, Place, Item<'r>)> {
        let path = self.path_of(name);
        let table = self.subtable(name).map_or(&self.reader.empty, |(_, table)| table);
        if self.reader.recording.is_some() {
            let item =
                Item::new(self.reader, format!("{path}.*"), false, &self.reader.phantoms.text);
            return vec![("name", self.place, item)];
        }
        let entry = |(key, value): (&'r Spanned<DeString<'r>>, _)| {
            let path = format!("{path}.{}", key.get_ref());
            let item = Item::new(self.reader, path, false, value);
            (key.get_ref().as_ref(), Place::from(key.span()), item)
        };
        let mut entries: Vec<_> = table.iter().map(entry).collect();
        entries.sort_by_key(|(_, place, _)| place.start);
        entries
    }

    /// Where the section begins.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    pub(super) fn reader(&self) -> &'r Reader<'r> {
        self.reader
    }

    fn ask(&mut self, name: &str, secret: bool) -> Key<'r> {
        self.known.push(name.to_owned());
        let path = self.path_of(name);
        self.reader.note(&path, |_| {});
        let entry = self.table.get_key_value(name);
        let place = entry.map_or(self.place, |(key, _)| key.span().into());
        if secret {
            self.reader.hides(path.clone());
        }
        let item = entry.map(|(_, value)| Item::new(self.reader, path.clone(), secret, value));
        Key::new(self.reader, path, self.title(), place, item)
    }

    /// The table that a key holds, and where it begins. Another value is reported.
    fn subtable(&mut self, name: &str) -> Option<(Place, &'r DeTable<'r>)> {
        self.known.push(name.to_owned());
        self.reader.note(&self.path_of(name), |node| node.is_a(Kind::Table));
        let (key, value) = self.table.get_key_value(name)?;
        if let DeValue::Table(table) = value.get_ref() {
            return Some((value.span().into(), table));
        }
        let complaint = TABLE.missed().help(format!("write [{}]", self.path_of(name)));
        let subject = format!("{name}: {}", with_article(value.get_ref()));
        self.reader.problem(key.span().into(), complaint.about(&subject));
        None
    }

    fn path_of(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }

    /// Where a key of it stands, in words.
    fn title(&self) -> String {
        match self.path.as_str() {
            "" => "at the top of the file".to_owned(),
            "routes" => "in [[routes]]".to_owned(),
            path => format!("in [{path}]"),
        }
    }

    fn report_unknown_keys(&self) {
        for (key, value) in self.table {
            let name = key.get_ref().as_ref();
            if self.known.iter().any(|known| known == name) {
                continue;
            }
            let kind = match value.get_ref() {
                DeValue::Table(_) => "table",
                _ => "key",
            };
            let complaint =
                Complaint::new(format!("unknown {kind} {} {}", quoted(name), self.title()));
            let complaint = match nearest_of(name, &self.known) {
                Some(help) => complaint.help(help),
                None => complaint,
            };
            self.reader.problem(key.span().into(), complaint);
        }
    }
}

/// Tables whose names are the user's, in the order of the file.
pub(super) struct Named<T> {
    /// Also of those that could not be read: a reference to one is no further problem.
    pub(super) names: Vec<String>,
    pub(super) places: Vec<Place>,
    pub(super) values: Vec<T>,
}

/// Names stand in keys of the store, in metrics and in logs.
pub(super) fn check_name(reader: &Reader<'_>, place: Place, name: &str) {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !(1..=64).contains(&name.len()) || !name.chars().all(fits) {
        let complaint = Complaint::new(format!("{} is no name", quoted(name)))
            .help("write 1 to 64 letters, digits, `-` and `_`");
        reader.problem(place, complaint);
    }
}
