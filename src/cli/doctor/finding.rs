//! One thing that the doctor looked at.

use serde_json::{Value, json};

use crate::cli::output::Output;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    Good,
    Warning,
    Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    /// Stable, for programs.
    pub(super) id: &'static str,
    pub(super) severity: Severity,
    /// What it is about: a key of the configuration, or an address.
    pub(super) about: String,
    pub(super) what: String,
    /// What to do; empty where it stands in `what`, or nothing is to be done.
    pub(super) help: String,
}

impl Finding {
    pub(super) fn good(id: &'static str, about: &str, what: impl Into<String>) -> Self {
        Self::new(id, Severity::Good, about, what, "")
    }

    pub(super) fn warning(
        id: &'static str,
        about: &str,
        what: impl Into<String>,
        help: &str,
    ) -> Self {
        Self::new(id, Severity::Warning, about, what, help)
    }

    pub(super) fn error(
        id: &'static str,
        about: &str,
        what: impl Into<String>,
        help: &str,
    ) -> Self {
        Self::new(id, Severity::Error, about, what, help)
    }

    fn new(
        id: &'static str,
        severity: Severity,
        about: &str,
        what: impl Into<String>,
        help: &str,
    ) -> Self {
        let (about, what, help) = (about.to_owned(), what.into(), help.to_owned());
        Self { id, severity, about, what, help }
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "id": self.id,
            "severity": self.severity.name(),
            "about": self.about,
            "what": self.what,
            "help": self.help,
        })
    }

    pub(super) fn line(&self, output: Output) -> String {
        let name = format!("{:8}", self.severity.name());
        let name = match self.severity {
            Severity::Good => output.good(name),
            Severity::Warning => output.doubtful(name),
            Severity::Error => output.bad(name),
        };
        let help = match self.help.as_str() {
            "" => String::new(),
            help => format!("{:9}{} {help}\n", "", output.faint("→")),
        };
        format!(
            "{name} {}: {} {}\n{help}",
            self.about,
            self.what,
            output.faint(format!("[{}]", self.id))
        )
    }
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}
