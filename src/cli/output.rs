//! What a command writes for people: in colour on a terminal, plain everywhere else.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use clap::builder::styling::{AnsiColor, Style};

use super::exit::{Exit, Failure};

/// Standard output, and whether it is a terminal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    /// A person looks at it.
    pub(super) terminal: bool,
    /// It is shown in colour.
    pub(super) colour: bool,
}

impl Output {
    /// Standard output of this process. `NO_COLOR` (no-color.org) and `TERM=dumb` want none.
    pub(super) fn stdout() -> Self {
        let terminal = io::stdout().is_terminal();
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_some_and(|term| term == "dumb");
        Self { terminal, colour: terminal && !dumb && set("NO_COLOR").is_none() }
    }

    pub(super) fn bad(self, text: impl Display) -> String {
        self.styled(text, AnsiColor::Red.on_default().bold())
    }

    pub(super) fn doubtful(self, text: impl Display) -> String {
        self.styled(text, AnsiColor::Yellow.on_default().bold())
    }

    pub(super) fn good(self, text: impl Display) -> String {
        self.styled(text, AnsiColor::Green.on_default().bold())
    }

    pub(super) fn strong(self, text: impl Display) -> String {
        self.styled(text, Style::new().bold())
    }

    pub(super) fn faint(self, text: impl Display) -> String {
        self.styled(text, Style::new().dimmed())
    }

    fn styled(self, text: impl Display, style: Style) -> String {
        match self.colour {
            true => format!("{style}{text}{style:#}"),
            false => text.to_string(),
        }
    }
}

/// Writes a text to standard output. Whoever closed it early, as `head` does, has seen enough.
pub(super) fn write(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure { exit: Exit::CannotCreate, error: error.into() })
        }
        _ => Ok(()),
    }
}

/// Writes JSON, for programs, on lines that people can read too.
pub(super) fn write_json(value: &serde_json::Value) -> Result<(), Failure> {
    write(&format!("{value:#}\n"))
}
