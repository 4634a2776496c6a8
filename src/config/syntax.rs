//! The text as TOML, or every place where it is none.

use toml::de::{DeTable, Error};

use super::problem::{Complaint, Problem, Problems};
use super::reader::position_after;

/// Parses the text. Where it is broken, nothing is said of the meaning of the rest: after a header
/// that cannot be read, every key would seem to be in the wrong table.
pub(super) fn document<'a>(name: &str, text: &'a str) -> Result<DeTable<'a>, Problems> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(document.into_inner());
    }
    let mut problems =
        Problems::new(name, errors.iter().map(|error| problem(text, error)).collect());
    // What follows on the same line is mostly an echo.
    problems.list.dedup_by_key(|problem| problem.line);
    Err(problems)
}

/// The parser's messages never quote the text, which may hold a secret.
fn problem(text: &str, error: &Error) -> Problem {
    let start = error.span().map_or(0, |span| span.start);
    let (line, column) = position_after(text.get(..start).unwrap_or(text));
    Complaint::new(error.message()).at(line, column)
}
