//! A secret: in the file by a variable, or in a file of its own that its `_file` twin names.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::key::{Key, Read};
use super::problem::Complaint;
use super::value::{Form, Item};

/// More is no secret but a slip.
const LARGEST_FILE: u64 = 64 << 10;
const READABLE_BY_ALL: u32 = 0o004;
const PATH: Form = Form { noun: "path of a file", help: "write it in quotes" };

/// A key with a secret value, and its `_file` twin.
pub(super) struct SecretKey<'r> {
    inline: Key<'r>,
    file: Key<'r>,
}

impl<'r> SecretKey<'r> {
    pub(super) fn new(inline: Key<'r>, file: Key<'r>) -> Self {
        Self { inline, file }
    }

    pub(super) fn parsed<T>(
        self,
        form: &Form,
        mut parse: impl FnMut(&str) -> Result<T, Complaint>,
    ) -> Read<'r, T> {
        self.file.note_as(&PATH, false);
        match self.is_in_file() {
            true => self.file.read(|item| from_file(item, |_, text| parse(text))).of_content(),
            false => self.inline.parsed(form, parse),
        }
    }

    /// A secret whose user reads its file again when it is time.
    pub(super) fn reread<T>(
        self,
        form: &Form,
        given: impl FnOnce(&str) -> T,
        in_file: impl FnOnce(&Path) -> T,
    ) -> Read<'r, T> {
        let (mut given, mut in_file) = (Some(given), Some(in_file));
        self.file.note_as(&PATH, false);
        let once = || Complaint::new("is read twice");
        match self.is_in_file() {
            true => {
                let mut path_of = |path: &Path, _: &str| Ok(in_file.take().ok_or_else(once)?(path));
                self.file.read(|item| from_file(item, &mut path_of)).of_content()
            }
            false => self.inline.parsed(form, |text| Ok(given.take().ok_or_else(once)?(text))),
        }
    }

    /// A list of secrets; the twin is the path of one or a list of paths.
    pub(super) fn list<T>(
        self,
        form: &Form,
        mut parse: impl FnMut(&str) -> Result<T, Complaint>,
    ) -> Read<'r, Vec<T>> {
        self.file.note_as(&PATH, true);
        match self.is_in_file() {
            true => {
                self.file.one_or_more(|item| from_file(item, |_, text| parse(text))).of_content()
            }
            false => self.inline.list(form, parse),
        }
    }

    fn is_in_file(&self) -> bool {
        let in_file = self.file.is_given();
        if in_file && self.inline.is_given() {
            let both = "and the key without `_file` are both given";
            self.file.problem(Complaint::new(both).help("keep one of them"));
        }
        self.inline.warn_where_all_can_read(self.file.name());
        in_file
    }
}

/// Reads the secret in the file that the item names.
pub(super) fn from_file<T>(
    item: &Item<'_>,
    parse: impl FnOnce(&Path, &str) -> Result<T, Complaint>,
) -> Option<T> {
    let (path, content) = read_file(item, LARGEST_FILE)?;
    warn_where_all_can_read(item, &path);
    let parsed = parse(&path, &content);
    parsed.map_err(|complaint| item.label().of_content().complain(complaint)).ok()
}

/// The path that the item names, from the folder of the configuration on.
pub(super) fn path(item: &Item<'_>) -> Option<PathBuf> {
    item.parsed(&PATH, |path| match path {
        "" => Err(Complaint::new("is empty")),
        path => Ok(item.reader().base_folder.join(path)),
    })
}

/// The path and the content of the file that the item names. It belongs to the configuration from
/// now on.
pub(super) fn read_file(item: &Item<'_>, largest: u64) -> Option<(PathBuf, String)> {
    let path = path(item)?;
    item.reader().belongs(path.clone());
    match content(&path, largest) {
        Ok(content) => Some((path, content)),
        Err(complaint) => {
            item.label().complain(complaint);
            None
        }
    }
}

pub(super) fn warn_where_all_can_read(item: &Item<'_>, path: &Path) {
    if is_readable_by_all(path) {
        item.label().warn(
            Complaint::new("can be read by every user of this machine")
                .help("take the right away: chmod o-r"),
        );
    }
}

/// The content of a file, without one newline at its end: editors and `echo` put it there.
fn content(path: &Path, largest: u64) -> Result<String, Complaint> {
    let unreadable = |error: io::Error| Complaint::new(format!("cannot be read: {error}"));
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Complaint::new("is no regular file"));
    }
    let mut content = Vec::new();
    let mut file = fs::File::open(path).map_err(unreadable)?.take(largest + 1);
    file.read_to_end(&mut content).map_err(unreadable)?;
    if content.len() as u64 > largest {
        return Err(Complaint::new("is too large for a secret"));
    }
    let content = String::from_utf8(content)
        .map_err(|_| Complaint::new("holds something other than text"))?;
    let line = content.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    match line.unwrap_or(&content) {
        "" => Err(Complaint::new("is empty")),
        content => Ok(content.to_owned()),
    }
}

pub(super) fn is_readable_by_all(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.permissions().mode() & READABLE_BY_ALL != 0)
}
