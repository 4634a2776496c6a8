//! What the reading of one file needs everywhere, and what it has found so far.

use std::cell::RefCell;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::Environment;
use super::effective::{self, Asked};
use super::problem::{Complaint, Problem};
use super::recording::{Node, Phantoms, Recording};

/// Goes through all sections; problems are collected, so that one does not hide the next.
pub(super) struct Reader<'a> {
    text: &'a str,
    pub(super) base_folder: &'a Path,
    pub(super) environment: Environment<'a>,
    /// Stands in for a table that is not there: all of its keys have their defaults.
    pub(super) empty: DeTable<'a>,
    /// Whether every user of this machine can read the file.
    pub(super) open_to_all: bool,
    /// Where there is no file: what it could hold is written down.
    pub(super) recording: Option<Recording>,
    pub(super) phantoms: Phantoms<'a>,
    found: RefCell<Found>,
}

/// What came up besides the settings themselves.
#[derive(Default)]
pub(super) struct Found {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    /// The files that secrets are to be read from.
    pub(super) files: Vec<PathBuf>,
    pub(super) asked: Asked,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, base_folder: &'a Path, environment: Environment<'a>) -> Self {
        let (empty, found) = (DeTable::new(), RefCell::default());
        let (open_to_all, recording, phantoms) = (false, None, Phantoms::default());
        Self { text, base_folder, environment, empty, open_to_all, recording, phantoms, found }
    }

    /// Reads no file.
    pub(super) fn recording() -> Self {
        let reader = Self::new("", Path::new(""), &|_| None);
        Self { recording: Some(Recording::default()), ..reader }
    }

    /// Writes something down of a key that the file can have.
    pub(super) fn note(&self, path: &str, note: impl FnOnce(&mut Node)) {
        if let Some(recording) = &self.recording {
            recording.note(path, note);
        }
    }

    /// The text is that of a file.
    pub(super) fn of_file(self, open_to_all: bool) -> Self {
        Self { open_to_all, ..self }
    }

    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    pub(super) fn problem(&self, place: Place, complaint: Complaint) {
        let problem = self.locate(place, complaint);
        self.found.borrow_mut().problems.push(problem);
    }

    pub(super) fn warning(&self, place: Place, complaint: Complaint) {
        let warning = self.locate(place, complaint);
        self.found.borrow_mut().warnings.push(warning);
    }

    /// Reads with `read`, and forgets the problems of it.
    pub(super) fn forgiving<T>(&self, read: impl FnOnce() -> T) -> T {
        let before = self.found.borrow().problems.len();
        let read = read();
        self.found.borrow_mut().problems.truncate(before);
        read
    }

    /// The problems so far.
    pub(super) fn problems(&self) -> Vec<Problem> {
        self.found.borrow().problems.clone()
    }

    /// Remembers a file that a secret is to be read from, there or not.
    pub(super) fn belongs(&self, file: PathBuf) {
        self.found.borrow_mut().files.push(file);
    }

    /// Remembers that the value at this path is a secret.
    pub(super) fn hides(&self, path: String) {
        self.found.borrow_mut().asked.secrets.insert(path);
    }

    /// Remembers the default of a key that is not given.
    pub(super) fn defaults(&self, path: &str, debug: &str, spellings: &[(String, String)]) {
        if let Some(default) = effective::default(debug, spellings) {
            self.found.borrow_mut().asked.defaults.insert(path.to_owned(), default);
        }
    }

    pub(super) fn into_found(self) -> Found {
        self.found.into_inner()
    }

    /// What stands there in the file.
    pub(super) fn source(&self, place: Place) -> &'a str {
        self.text.get(place.start..place.end).unwrap_or_default()
    }

    pub(super) fn line(&self, place: Place) -> usize {
        self.position(place).0
    }

    fn locate(&self, place: Place, complaint: Complaint) -> Problem {
        let (line, column) = self.position(place);
        complaint.at(line, column)
    }

    /// The line and the column of its first character.
    fn position(&self, place: Place) -> (usize, usize) {
        position_after(self.text.get(..place.start).unwrap_or(self.text))
    }
}

/// The line and the column, in characters, of what follows after `before`; both from 1.
pub(super) fn position_after(before: &str) -> (usize, usize) {
    let line = before.matches('\n').count() + 1;
    let last_line = before.rsplit('\n').next().unwrap_or_default();
    (line, last_line.chars().count() + 1)
}

/// A stretch of the file, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub(super) start: usize,
    end: usize,
}

impl Place {
    /// The place that begins `offset` bytes further on.
    pub(super) fn skip(self, offset: usize) -> Self {
        Self { start: self.start + offset, end: self.end }
    }
}

impl From<Range<usize>> for Place {
    fn from(range: Range<usize>) -> Self {
        Self { start: range.start, end: range.end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        assert_eq!(position_after(""), (1, 1));
        assert_eq!(position_after("a = \"微信\" "), (1, 10));
        assert_eq!(position_after("a\r\nb\n  "), (3, 3));
    }
}
