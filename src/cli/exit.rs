//! How a command ends: the exit codes of sysexits(3), in one table.

use std::io;
use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what it is for.
    Done,
    /// The arguments are wrong.
    Usage,
    /// What was to be looked at is wrong: the file of `check`, the token of `token inspect`.
    Data,
    /// What was to be looked at is not there.
    NoInput,
    /// Something that it needs is not there: an address to listen on, a service.
    Unavailable,
    /// A fault of wxgate itself.
    Software,
    /// A file cannot be made.
    CannotCreate,
    /// It is not allowed: by the operating system, or by the admin listener.
    NoPermission,
    /// The configuration does not work.
    Config,
}

impl Exit {
    /// All of them, with their numbers and what they mean to whoever reads the help.
    pub const TABLE: [(Self, u8, &'static str); 9] = [
        (Self::Done, 0, "done"),
        (Self::Usage, 64, "wrong arguments"),
        (Self::Data, 65, "what was checked has problems"),
        (Self::NoInput, 66, "what was to be read is not there"),
        (Self::Unavailable, 69, "something that is needed is not there: an address, a service"),
        (Self::Software, 70, "a fault of wxgate itself"),
        (Self::CannotCreate, 73, "a file cannot be made"),
        (Self::NoPermission, 77, "not allowed, by the operating system or the admin listener"),
        (Self::Config, 78, "the configuration does not work"),
    ];

    /// The number.
    pub fn code(self) -> u8 {
        Self::TABLE.iter().find(|(exit, ..)| *exit == self).map_or(70, |(_, code, _)| *code)
    }

    /// How a failed call of the operating system ends a command.
    pub fn of_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::NoPermission,
            io::ErrorKind::NotFound => Self::NoInput,
            _ => Self::Unavailable,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command did not do what it is for.
#[derive(Debug)]
pub struct Failure {
    /// How it ends.
    pub exit: Exit,
    /// What is said of it, in one line.
    pub error: anyhow::Error,
}

impl Failure {
    /// A failure with this text.
    pub fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, error: anyhow::Error::msg(text.into()) }
    }
}

/// What stands in the way of a command that serves is missing, or is not allowed.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let denied = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
        let denied = denied.into_iter().any(|cause| Exit::of_io(cause) == Exit::NoPermission);
        let exit = if denied { Exit::NoPermission } else { Exit::Unavailable };
        Self { exit, error }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self { exit: Exit::of_io(&error), error: error.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_has_a_number_of_its_own() {
        let codes: std::collections::BTreeSet<_> =
            Exit::TABLE.iter().map(|(exit, ..)| exit.code()).collect();
        assert_eq!(codes.len(), Exit::TABLE.len());
    }
}
