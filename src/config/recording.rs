//! What the file can hold, as the code that reads it says.
//!
//! The reader runs once over a file that is not there. Each key that is asked for is written down with
//! what its value has to be, so that the schema and the reference need no list of their own.

use std::cell::RefCell;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::value::Form;

/// What a value has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Choice(Vec<String>),
    Integer { least: u64, most: u64 },
    Number,
    Table,
    Text { noun: &'static str, help: &'static str },
}

/// A key that the file can have.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// `apps.*.env`: `*` stands for a name of the user's, `[]` for the elements of a list.
    pub(super) path: String,
    pub(super) kinds: Vec<Kind>,
    /// Whether it is a list; what its elements are is the kind of `path[]`.
    pub(super) list: bool,
    pub(super) required: bool,
    /// Whether the key without `_file` or the one with it is given.
    pub(super) secret: bool,
    pub(super) later: bool,
}

/// What has been asked for, in the order of the code.
#[derive(Debug, Default)]
pub(super) struct Recording(RefCell<Vec<Node>>);

impl Recording {
    pub(super) fn note(&self, path: &str, note: impl FnOnce(&mut Node)) {
        let mut nodes = self.0.borrow_mut();
        let position = nodes.iter().position(|node| node.path == path).unwrap_or(nodes.len());
        if position == nodes.len() {
            nodes.push(Node { path: path.to_owned(), ..Node::default() });
        }
        if let Some(node) = nodes.get_mut(position) {
            note(node);
        }
    }

    pub(super) fn into_nodes(self) -> Vec<Node> {
        self.0.into_inner()
    }
}

impl Node {
    pub(super) fn is_a(&mut self, kind: Kind) {
        if !self.kinds.contains(&kind) {
            self.kinds.push(kind);
        }
    }
}

impl Kind {
    pub(super) fn text(form: &Form) -> Self {
        Self::Text { noun: form.noun, help: form.help }
    }
}

/// Values that stand in for those of a file while the reader is recorded.
#[derive(Debug)]
pub(super) struct Phantoms<'a> {
    pub(super) text: Spanned<DeValue<'a>>,
    pub(super) table: Spanned<DeValue<'a>>,
}

impl Default for Phantoms<'_> {
    fn default() -> Self {
        Self {
            text: Spanned::new(0..0, DeValue::String("".into())),
            table: Spanned::new(0..0, DeValue::Table(DeTable::new())),
        }
    }
}
