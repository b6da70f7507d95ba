//! What a command's exit status says.

use std::process::{ExitCode, Termination};

/// The exit status of a command, the same for all of them.
///
/// ```
/// use router_cli::Exit;
///
/// assert_eq!(Exit::Unreachable.code(), 3);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[must_use]
#[non_exhaustive]
pub enum Exit {
    /// All is well. Notes on a sound configuration change nothing about that.
    Fine = 0,
    /// The command worked, and found what it was asked to look for: a warning, a router that names no database, a
    /// statement that would be refused or needs a hint, a replica that lags too far behind, a difference, a database that
    /// `status --check` cannot speak for because only a router in code may lead there.
    Found = 1,
    /// The command was called wrongly, the configuration cannot be used, or a program that it needs is missing.
    Usage = 2,
    /// A database could not be reached, or another process kept it locked: the same command may succeed later.
    Unreachable = 3,
    /// A migration or another task failed, or what an earlier one left keeps it from running.
    Failed = 4,
}

impl Exit {
    /// The number that the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        self.into()
    }
}
