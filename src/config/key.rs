//! A key of a section, and what was read from it.

use std::fmt::Debug;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::problem::{Complaint, nearest_of};
use super::quantity::{self, DURATION, SIZE};
use super::reader::{Place, Reader};
use super::recording::{Kind, Node};
use super::section::Section;
use super::value::{Form, Item, LIST, Label, TEXT};

/// A key that was asked for; its value is read by one of the methods.
pub(super) struct Key<'r> {
    reader: &'r Reader<'r>,
    /// The path of its section and its name: `limits.body_size`.
    path: String,
    /// Where it stands or should stand, in words.
    section: String,
    /// The key, or its section where it is not given.
    place: Place,
    item: Option<Item<'r>>,
}

/// What was read from a key. A value that is wrong has been reported.
#[must_use]
pub(super) struct Read<'r, T> {
    key: Key<'r>,
    label: Option<Label<'r>>,
    value: Option<T>,
    /// How defaults are spelled in the file, by their `Debug`.
    spellings: Vec<(String, String)>,
}

impl<'r> Key<'r> {
    pub(super) fn new(
        reader: &'r Reader<'r>,
        path: String,
        section: String,
        place: Place,
        item: Option<Item<'r>>,
    ) -> Self {
        Self { reader, path, section, place, item }
    }

    /// The feature comes later: its value is checked, and to use it is a problem. Who brings the
    /// feature takes the word off.
    pub(super) fn later(self) -> Self {
        self.note(|node| node.later = true);
        if self.is_given() {
            self.problem(Complaint::new("is not available yet"));
        }
        self
    }

    pub(super) fn text(self) -> Read<'r, String> {
        self.parsed(&TEXT, |text| match text {
            "" => Err(Complaint::new("is empty")),
            text => Ok(text.to_owned()),
        })
    }

    pub(super) fn parsed<T>(
        self,
        form: &Form,
        parse: impl FnMut(&str) -> Result<T, Complaint>,
    ) -> Read<'r, T> {
        self.read(|item| item.parsed(form, parse))
    }

    /// One of a few words, with what they stand for.
    pub(super) fn choice<T: Copy + Debug>(self, choices: &[(&str, T)]) -> Read<'r, T> {
        if self.reader.recording.is_some() {
            let names = choices.iter().map(|(name, _)| (*name).to_owned()).collect();
            return self.noted(Kind::Choice(names));
        }
        let spelling = |(name, choice): &(&str, T)| (format!("{choice:?}"), (*name).to_owned());
        let spellings = choices.iter().map(spelling).collect();
        let read = self.parsed(&TEXT, |text| {
            let choice = choices.iter().find(|(name, _)| *name == text);
            choice.map(|(_, choice)| *choice).ok_or_else(|| {
                let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
                let help = nearest_of(text, &names).unwrap_or_default();
                Complaint::new("is none of the values").help(help)
            })
        });
        Read { spellings, ..read }
    }

    pub(super) fn boolean(self) -> Read<'r, bool> {
        if self.reader.recording.is_some() {
            return self.noted(Kind::Boolean);
        }
        self.read(Item::boolean)
    }

    pub(super) fn integer(self, least: u32, most: u32) -> Read<'r, usize> {
        if self.reader.recording.is_some() {
            return self.noted(Kind::Integer { least: least.into(), most: most.into() });
        }
        self.read(|item| item.integer(least.into(), most.into()).and_then(|n| n.try_into().ok()))
    }

    pub(super) fn number(self) -> Read<'r, f64> {
        if self.reader.recording.is_some() {
            return self.noted(Kind::Number);
        }
        self.read(Item::number)
    }

    /// A duration; zero turns something off.
    pub(super) fn duration(self) -> Read<'r, Duration> {
        self.parsed(&DURATION, quantity::duration)
    }

    /// A duration that cannot be zero.
    pub(super) fn timeout(self) -> Read<'r, Duration> {
        self.duration().check(|duration| match duration.is_zero() {
            true => Err(Complaint::new("must be longer than nothing")),
            false => Ok(()),
        })
    }

    /// A number of bytes.
    pub(super) fn size(self, least: u64) -> Read<'r, u64> {
        self.parsed(&SIZE, quantity::size).check(|size| match *size >= least {
            true => Ok(()),
            false => Err(Complaint::new(format!("is too small; it must be {least}B or more"))),
        })
    }

    /// A list with at least one element, each of them read by `parse`.
    pub(super) fn list<T>(
        self,
        form: &Form,
        mut parse: impl FnMut(&str) -> Result<T, Complaint>,
    ) -> Read<'r, Vec<T>> {
        self.items(&LIST, |item| item.parsed(form, &mut parse)).not_empty()
    }

    /// A list whose elements are read by `read`.
    pub(super) fn items<T>(
        self,
        form: &Form,
        mut read: impl FnMut(&Item<'r>) -> Option<T>,
    ) -> Read<'r, Vec<T>> {
        if self.reader.recording.is_some() {
            self.note(|node| node.list = true);
            let phantoms = &self.reader.phantoms;
            for phantom in [&phantoms.text, &phantoms.table] {
                // What it is, is written down where it is read.
                let _ = read(&Item::new(self.reader, format!("{}[]", self.path), false, phantom));
            }
            return self.not_given();
        }
        self.read(|item| all(item.elements(form)?, read))
    }

    /// A list with at least one element, or a single value as the only one.
    pub(super) fn one_or_more<T>(
        self,
        mut read: impl FnMut(&Item<'r>) -> Option<T>,
    ) -> Read<'r, Vec<T>> {
        if self.reader.recording.is_some() {
            let _ = read(&self.phantom(&self.reader.phantoms.text));
            return self.items(&LIST, read);
        }
        self.read(|item| all(item.one_or_more()?, read)).not_empty()
    }

    /// A table that may be left out as a whole.
    pub(super) fn table<T>(self, fill: impl FnOnce(&mut Section<'r>) -> Option<T>) -> Read<'r, T> {
        if self.reader.recording.is_some() {
            let _ = self.phantom(&self.reader.phantoms.table).table(fill);
            return self.not_given();
        }
        self.read(|item| item.table(fill))
    }

    pub(super) fn read<T>(self, read: impl FnOnce(&Item<'r>) -> Option<T>) -> Read<'r, T> {
        if self.reader.recording.is_some() {
            let _ = read(&self.phantom(&self.reader.phantoms.text));
            return self.not_given();
        }
        let value = self.item.as_ref().and_then(read);
        let label = self.item.as_ref().map(Item::label);
        Read { key: self, label, value, spellings: Vec::new() }
    }

    pub(super) fn is_given(&self) -> bool {
        self.item.is_some()
    }

    /// Complains about the key itself, not its value.
    pub(super) fn problem(&self, complaint: Complaint) {
        self.reader.problem(self.place, complaint.about(&self.title()));
    }

    /// Warns of the key itself.
    pub(super) fn warning(&self, complaint: Complaint) {
        self.reader.warning(self.place, complaint.about(&self.title()));
    }

    /// The key does nothing here, for this reason.
    pub(super) fn unused(&self, reason: &str) {
        if self.is_given() {
            self.warning(Complaint::new(format!("does nothing {reason}")));
        }
    }

    pub(super) fn name(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or_default()
    }

    /// Writes down that it is such a text, or a list of them too.
    pub(super) fn note_as(&self, form: &Form, list: bool) {
        self.note(|node| {
            node.list = list;
            node.is_a(Kind::text(form));
        });
        if list {
            self.reader.note(&format!("{}[]", self.path), |node| node.is_a(Kind::text(form)));
        }
    }

    fn note(&self, note: impl FnOnce(&mut Node)) {
        self.reader.note(&self.path, note);
    }

    fn noted<T>(self, kind: Kind) -> Read<'r, T> {
        self.note(|node| node.is_a(kind));
        self.not_given()
    }

    fn phantom(&self, value: &'r Spanned<DeValue<'r>>) -> Item<'r> {
        Item::new(self.reader, self.path.clone(), false, value)
    }

    fn not_given<T>(self) -> Read<'r, T> {
        Read { key: self, label: None, value: None, spellings: Vec::new() }
    }

    /// Warns of a secret that stands in the file itself, where everybody can read that.
    pub(super) fn warn_where_all_can_read(&self, twin: &str) {
        if let Some(complaint) = self.item.as_ref().and_then(|item| item.open_secret(twin)) {
            self.warning(complaint);
        }
    }

    fn title(&self) -> String {
        format!("{:?} {}", self.name(), self.section)
    }
}

/// Reads every element, also after one that is wrong; then there is no list.
fn all<'r, T>(items: Vec<Item<'r>>, read: impl FnMut(&Item<'r>) -> Option<T>) -> Option<Vec<T>> {
    let read: Vec<_> = items.iter().map(read).collect();
    read.into_iter().collect()
}

impl<'r, T> Read<'r, T> {
    /// The value is the content of a file: what is said further is said of that.
    pub(super) fn of_content(self) -> Self {
        Self { label: self.label.map(Label::of_content), ..self }
    }

    /// The value, or what holds where the key is not given.
    pub(super) fn or(self, default: T) -> T
    where
        T: Debug,
    {
        if !self.is_given() {
            self.key.reader.defaults(&self.key.path, &format!("{default:?}"), &self.spellings);
        }
        self.value.unwrap_or(default)
    }

    pub(super) fn optional(self) -> Option<T> {
        self.value
    }

    /// The value; a key that is not given is a problem.
    pub(super) fn required(self, help: &str) -> Option<T> {
        self.key.note(|node| node.required = true);
        if self.label.is_none() {
            self.key.problem(Complaint::new("is missing").help(help));
        }
        self.value
    }

    /// Only that the value is right mattered: its feature comes later.
    pub(super) fn checked(self) {}

    /// Checks a value that was read.
    pub(super) fn check(mut self, check: impl FnOnce(&T) -> Result<(), Complaint>) -> Self {
        let checked = self.value.as_ref().map_or(Ok(()), check);
        if let (Err(complaint), Some(label)) = (checked, &self.label) {
            label.complain(complaint);
            self.value = None;
        }
        self
    }

    /// Warns of a value that was read.
    pub(super) fn warn(self, check: impl FnOnce(&T) -> Option<Complaint>) -> Self {
        let warning = self.value.as_ref().and_then(check);
        if let (Some(warning), Some(label)) = (warning, &self.label) {
            label.warn(warning);
        }
        self
    }

    /// The key does nothing here, for this reason.
    pub(super) fn unused(&self, reason: &str) {
        self.key.unused(reason);
    }

    /// The key cannot be here, for this reason.
    pub(super) fn misplaced(&self, reason: &str) {
        if self.is_given() {
            self.key.problem(Complaint::new(format!("can do nothing {reason}")));
        }
    }

    pub(super) fn is_given(&self) -> bool {
        self.label.is_some()
    }

    /// Whether there is a value that could not be read.
    pub(super) fn is_wrong(&self) -> bool {
        self.is_given() && self.value.is_none()
    }

    /// The value's place, or the section's.
    pub(super) fn place(&self) -> Place {
        self.label.as_ref().map_or(self.key.place, |label| label.place)
    }

    pub(super) fn value(&self) -> Option<&T> {
        self.value.as_ref()
    }
}

impl<T> Read<'_, Vec<T>> {
    pub(super) fn not_empty(self) -> Self {
        self.check(|list| match list.is_empty() {
            true => Err(Complaint::new("is empty").help("leave the key out for its default")),
            false => Ok(()),
        })
    }
}
