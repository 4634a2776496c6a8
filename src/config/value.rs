//! One value of the file, read as what its key wants.

use toml::Spanned;
use toml::de::DeValue;

use super::problem::Complaint;
use super::reader::{Place, Reader};
use super::recording::Kind;
use super::section::Section;
use super::variables::{BadReference, expand};

/// What a value has to be, in words.
pub(super) struct Form {
    /// As in "is no duration".
    pub(super) noun: &'static str,
    /// What to write.
    pub(super) help: &'static str,
}

impl Form {
    /// The value is none of these.
    pub(super) fn missed(&self) -> Complaint {
        Complaint::new(format!("is no {}", self.noun)).help(self.help)
    }
}

pub(super) const BOOLEAN: Form = Form { noun: "boolean", help: "write true or false" };
pub(super) const INTEGER: Form =
    Form { noun: "whole number", help: "write a number without quotes" };
pub(super) const NUMBER: Form = Form { noun: "number", help: "write one as 0.1" };
pub(super) const LIST: Form =
    Form { noun: "list", help: r#"write it in brackets: ["…", "…"]"# };
pub(super) const TABLE: Form = Form { noun: "table", help: "write it in braces: { key = … }" };
pub(super) const TEXT: Form = Form { noun: "string", help: "write it in quotes" };

/// A value at its place: of a key, or an element of a list.
pub(super) struct Item<'r> {
    reader: &'r Reader<'r>,
    /// The path of its section and the key: `limits.body_size`.
    path: String,
    secret: bool,
    value: &'r Spanned<DeValue<'r>>,
}

/// What a complaint about a value says of it.
pub(super) struct Label<'r> {
    pub(super) reader: &'r Reader<'r>,
    pub(super) place: Place,
    pub(super) key: String,
    /// The value as it may be shown.
    pub(super) subject: String,
    /// Whether something that is made from the value may be shown too.
    pub(super) open: bool,
}

impl<'r> Item<'r> {
    pub(super) fn new(
        reader: &'r Reader<'r>,
        path: String,
        secret: bool,
        value: &'r Spanned<DeValue<'r>>,
    ) -> Self {
        Self { reader, path, secret, value }
    }

    /// A string, with the environment's values in it, read by `parse`.
    pub(super) fn parsed<T>(
        &self,
        form: &Form,
        mut parse: impl FnMut(&str) -> Result<T, Complaint>,
    ) -> Option<T> {
        if self.reader.recording.is_some() && self.value.get_ref().is_str() {
            self.reader.note(&self.path, |node| node.is_a(Kind::text(form)));
            return None;
        }
        let text = self.text(form)?;
        let parsed = match text.as_str() {
            "" if self.secret => Err(Complaint::new("is empty")),
            text => parse(text),
        };
        self.or_complain(parsed)
    }

    pub(super) fn integer(&self, least: u64, most: u64) -> Option<u64> {
        let DeValue::Integer(digits) = self.value.get_ref() else {
            return self.other_type(&INTEGER);
        };
        let number = i128::from_str_radix(digits.as_str(), digits.radix()).ok();
        let in_range = |number: &u64| (least..=most).contains(number);
        let number = number.and_then(|number| u64::try_from(number).ok()).filter(in_range);
        let range = || Complaint::new(format!("is not from {least} to {most}"));
        self.or_complain(number.ok_or_else(range))
    }

    /// With a point in it or without.
    pub(super) fn number(&self) -> Option<f64> {
        let digits = match self.value.get_ref() {
            DeValue::Float(float) => float.as_str(),
            DeValue::Integer(integer) => integer.as_str(),
            _ => return self.other_type(&NUMBER),
        };
        self.or_complain(digits.parse().map_err(|_| NUMBER.missed()))
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        match self.value.get_ref() {
            DeValue::Boolean(boolean) => Some(*boolean),
            _ => self.other_type(&BOOLEAN),
        }
    }

    /// The elements of a list.
    pub(super) fn elements(&self, form: &Form) -> Option<Vec<Self>> {
        let DeValue::Array(array) = self.value.get_ref() else {
            return self.other_type(form);
        };
        let element = |value| Self::new(self.reader, self.path.clone(), self.secret, value);
        Some(array.iter().map(element).collect())
    }

    /// The elements of a list, or a single value as the only one.
    pub(super) fn one_or_more(&self) -> Option<Vec<Self>> {
        match self.value.get_ref() {
            DeValue::Array(_) => self.elements(&LIST),
            _ => Some(vec![Self::new(self.reader, self.path.clone(), self.secret, self.value)]),
        }
    }

    /// A table, read by `fill`.
    pub(super) fn table<T>(&self, fill: impl FnOnce(&mut Section<'r>) -> Option<T>) -> Option<T> {
        let DeValue::Table(table) = self.value.get_ref() else {
            return self.other_type(&TABLE);
        };
        self.reader.note(&self.path, |node| node.is_a(Kind::Table));
        Section::read(self.reader, &self.path, self.place(), table, fill)
    }

    /// What is to be said of a secret that stands in the file itself, where everybody can read that.
    pub(super) fn open_secret(&self, twin: &str) -> Option<Complaint> {
        let name = self.key();
        let open = "stands in a file that every user of this machine can read";
        let help =
            format!("write {name} = \"${{NAME}}\" and export NAME, or name a file in {twin}");
        let is_open = self.is_in_clear() && self.reader.open_to_all;
        is_open.then(|| Complaint::new(open).help(help))
    }

    /// Whether a value, or one in a list, stands in the file itself and not in a variable.
    fn is_in_clear(&self) -> bool {
        let plain = |value: &DeValue<'_>| value.as_str().is_some_and(|text| !text.contains("${"));
        match self.value.get_ref() {
            DeValue::Array(values) => values.iter().any(|value| plain(value.get_ref())),
            value => plain(value),
        }
    }

    pub(super) fn is_table(&self) -> bool {
        self.value.get_ref().is_table()
    }

    pub(super) fn reader(&self) -> &'r Reader<'r> {
        self.reader
    }

    pub(super) fn place(&self) -> Place {
        self.value.span().into()
    }

    /// The string, with the environment's values in it.
    pub(super) fn text(&self, form: &Form) -> Option<String> {
        let DeValue::String(text) = self.value.get_ref() else {
            return self.other_type(form);
        };
        match expand(text, self.reader.environment) {
            Ok(text) => Some(text),
            Err(references) => {
                references.iter().for_each(|reference| self.complain_of_reference(reference));
                None
            }
        }
    }

    pub(super) fn label(&self) -> Label<'r> {
        let open = match self.value.get_ref() {
            DeValue::String(text) => !self.secret && !text.contains("${"),
            _ => !self.secret,
        };
        let (reader, place) = (self.reader, self.place());
        Label { reader, place, key: self.key().to_owned(), subject: self.subject(), open }
    }

    /// The value as it stands in the file, without what the environment says, if it is no secret.
    pub(super) fn subject(&self) -> String {
        match self.value.get_ref() {
            _ if self.secret => "the value".to_owned(),
            DeValue::String(text) => quoted(text),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Boolean(boolean) => boolean.to_string(),
            other => with_article(other),
        }
    }

    fn key(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or_default()
    }

    fn or_complain<T>(&self, read: Result<T, Complaint>) -> Option<T> {
        read.map_err(|complaint| self.label().complain(complaint)).ok()
    }

    /// Names the type that it has, and not the value: that may be a secret in the wrong place.
    fn other_type<T>(&self, form: &Form) -> Option<T> {
        let subject = format!("{}: {}", self.key(), with_article(self.value.get_ref()));
        self.reader.problem(self.place(), form.missed().about(&subject));
        None
    }

    fn complain_of_reference(&self, reference: &BadReference) {
        let (start, complaint) = match reference {
            BadReference::Form => (
                "${".to_owned(),
                Complaint::new("`${` begins no reference to a variable").help(
                    "write ${NAME} or ${NAME:-default}, and $${ for the characters themselves",
                ),
            ),
            BadReference::Unset(name) => (
                format!("${{{name}"),
                Complaint::new(format!("the environment variable {name} is not set"))
                    .help(self.how_to_set(name)),
            ),
        };
        let offset = self.reader.source(self.place()).find(&start).unwrap_or_default();
        let complaint = complaint.about(&format!("{}:", self.key()));
        self.reader.problem(self.place().skip(offset), complaint);
    }

    fn how_to_set(&self, name: &str) -> String {
        match self.secret {
            true => format!("export {name}=…, or name a file that holds it in {}_file", self.key()),
            false => format!("export {name}=…, or give a default: ${{{name}:-…}}"),
        }
    }
}

impl Label<'_> {
    /// The same, about what is in the file that the value names.
    pub(super) fn of_content(self) -> Self {
        Self { subject: format!("the content of {}", self.subject), open: false, ..self }
    }

    pub(super) fn complain(&self, complaint: Complaint) {
        self.reader.problem(self.place, self.complete(complaint));
    }

    pub(super) fn warn(&self, complaint: Complaint) {
        self.reader.warning(self.place, self.complete(complaint));
    }

    fn complete(&self, complaint: Complaint) -> Complaint {
        let complaint = if self.open { complaint } else { complaint.without_suggestion() };
        let subject = if complaint.hides_value() { "the value" } else { &self.subject };
        complaint.about(&format!("{}: {subject}", self.key))
    }
}

/// A text as it may be shown: on one line, of bearable length, and without the user and password of
/// a URL.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    let shown = match text.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}"),
        None => text.to_owned(),
    };
    match shown.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("\"{}…\"", shown.get(..end).unwrap_or_default().escape_debug()),
        None => format!("{shown:?}"),
    }
}

/// The type of a value, as in "an integer".
pub(super) fn with_article(value: &DeValue<'_>) -> String {
    let kind = value.type_str();
    let article = if kind.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {kind}")
}
