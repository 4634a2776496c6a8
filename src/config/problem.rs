//! What is wrong with a configuration: where, what, and what to do about it.

use std::fmt;

use super::files::NamedFiles;

/// Everything that was found in one file, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    /// The file, as the user named it.
    pub file: String,
    /// What was found.
    pub list: Vec<Problem>,
    /// The files that it names, there or not: a change of one of them may be the remedy.
    pub files: NamedFiles,
}

/// One thing that was found. No secret and no value of a variable is ever in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The line, from 1; 0 where it is about the file as a whole.
    pub line: usize,
    /// The column in characters, from 1; 0 where it is about the file as a whole.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problems {
    /// A single problem of the file as a whole.
    pub(super) fn of_file(file: &str, complaint: Complaint) -> Self {
        Self::new(file, vec![complaint.at(0, 0)])
    }

    /// Puts them in the order of the file.
    pub(super) fn new(file: &str, mut list: Vec<Problem>) -> Self {
        list.sort();
        list.dedup();
        Self { file: file.to_owned(), list, files: NamedFiles::default() }
    }
}

impl fmt::Display for Problems {
    /// One line each: `gateway.toml:12:5: what; help`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}:", self.file)?;
            if problem.line > 0 {
                write!(f, "{}:{}:", problem.line, problem.column)?;
            }
            write!(f, " {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

/// A [`Problem`] without its place: what a parser of a single value says. Where it is about a value it
/// goes on after it: "is no duration".
#[derive(Clone, Debug)]
pub(super) struct Complaint {
    message: String,
    help: Option<String>,
    suggestion: Option<String>,
    hides_value: bool,
}

impl Complaint {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, suggestion: None, hides_value: false }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// A better help, but made from the value itself: it is lost where that must not be shown.
    pub(super) fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    pub(super) fn without_suggestion(mut self) -> Self {
        self.suggestion = None;
        self
    }

    /// The value is a secret in a place where none belongs.
    pub(super) fn hide_value(mut self) -> Self {
        self.hides_value = true;
        self
    }

    pub(super) fn hides_value(&self) -> bool {
        self.hides_value
    }

    /// Says first what it is about.
    pub(super) fn about(mut self, subject: &str) -> Self {
        self.message = format!("{subject} {}", self.message);
        self
    }

    pub(super) fn at(self, line: usize, column: usize) -> Problem {
        Problem { line, column, message: self.message, help: self.suggestion.or(self.help) }
    }
}

/// "did you mean" for a name that is not among the known ones, else what is known.
pub(super) fn nearest_of(name: &str, known: &[impl AsRef<str>]) -> Option<String> {
    let known = || known.iter().map(AsRef::as_ref);
    let distance =
        |known: &str| strsim::damerau_levenshtein(&name.to_lowercase(), &known.to_lowercase());
    let nearest = known().min_by_key(|known| distance(known))?;
    if distance(nearest) <= 1 + nearest.chars().count() / 4 {
        return Some(format!("did you mean {nearest:?}?"));
    }
    let known: Vec<_> = known().map(|known| format!("{known:?}")).collect();
    Some(match known.as_slice() {
        [only] => format!("there is {only}"),
        known => format!("there are {}", known.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_one_that_somebody_may_have_meant() {
        let known = ["listen", "token", "Upper"];
        for (name, nearest) in [
            ("lisen", "did you mean \"listen\"?"),
            ("tokne", "did you mean \"token\"?"),
            ("LISTEN", "did you mean \"listen\"?"),
            ("uper", "did you mean \"Upper\"?"),
            ("xyz", "there are \"listen\", \"token\", \"Upper\""),
        ] {
            assert_eq!(nearest_of(name, &known).as_deref(), Some(nearest));
        }
        assert_eq!(nearest_of("xyz", &["shop"]).as_deref(), Some("there is \"shop\""));
        assert_eq!(nearest_of("xyz", &[] as &[&str]), None);
    }
}
