//! What an operator should know of a Redis that works.

/// One thing that an operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its name, for programs.
    pub id: &'static str,
    /// Whether it is a fault now, and not only may become one.
    pub is_fault: bool,
    /// What it is, and what to do.
    pub text: String,
}

impl Finding {
    pub(super) fn fault(id: &'static str, text: String) -> Self {
        Self { id, is_fault: true, text }
    }

    pub(super) fn warning(id: &'static str, text: String) -> Self {
        Self { id, is_fault: false, text }
    }
}
