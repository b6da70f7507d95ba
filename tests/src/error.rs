use std::{
    env,
    error::Error,
    fmt,
    io::{self, Write as _},
    panic::Location,
    thread,
    time::Duration,
};

/// Why the harness could not give a test its server.
#[derive(Debug)]
#[non_exhaustive]
pub enum HarnessError {
    /// A program is neither on `PATH` nor where its package puts it.
    Missing {
        /// The program that was looked for.
        program: &'static str,
        /// The Debian and Ubuntu package that brings it.
        package: &'static str,
    },
    /// A folder, a file or a process could not be made or read.
    Io {
        /// What the harness was about to do.
        doing: String,
        /// What the system answered.
        source: io::Error,
    },
    /// A program ended with an error, or a server did not come up.
    Failed {
        /// The program.
        program: String,
        /// The last lines that it wrote.
        output: String,
    },
    /// A server refused what the harness asked of it.
    Refused {
        /// What the harness asked for.
        doing: String,
        /// The server's answer.
        source: Box<dyn Error + Send + Sync>,
    },
    /// What the harness waited for did not come.
    Late {
        /// What it waited for.
        waiting_for: String,
        /// For how long it did.
        limit: Duration,
    },
}

impl HarnessError {
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    pub(crate) fn refused<E>(doing: impl Into<String>) -> impl FnOnce(E) -> Self
    where
        E: Error + Send + Sync + 'static,
    {
        let doing = doing.into();
        move |source| Self::Refused { doing, source: Box::new(source) }
    }
}

impl fmt::Display for HarnessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { program, package } => write!(f, "`{program}` was not found: install `{package}`"),
            Self::Io { doing, .. } | Self::Refused { doing, .. } => write!(f, "could not {doing}"),
            Self::Failed { program, output } => write!(f, "`{program}` failed:\n{output}"),
            Self::Late { waiting_for, limit } => {
                write!(f, "waited {} s in vain for {waiting_for}", limit.as_secs())
            }
        }
    }
}

impl Error for HarnessError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Missing { .. } | Self::Failed { .. } | Self::Late { .. } => None,
            Self::Io { source, .. } => Some(source),
            Self::Refused { source, .. } => Some(source.as_ref()),
        }
    }
}

/// Gives a test its server; without one the test is skipped, loudly.
///
/// `None` means that the server is not installed: a line on stderr, which neither `cargo test` nor nextest hides,
/// says which package is missing.
///
/// # Panics
/// If the server is not installed and `CI` is set, since a gate that skips is no gate; and if the server is
/// installed but did not start.
#[track_caller]
pub fn require<T>(started: Result<T, HarnessError>) -> Option<T> {
    let on_missing = if env::var_os("CI").is_some() { OnMissing::Fail } else { OnMissing::Skip };
    started_or(on_missing, started)
}

enum OnMissing {
    Skip,
    Fail,
}

#[track_caller]
fn started_or<T>(on_missing: OnMissing, started: Result<T, HarnessError>) -> Option<T> {
    match (started, on_missing) {
        (Ok(server), _) => Some(server),
        (Err(error @ HarnessError::Missing { .. }), OnMissing::Skip) => {
            let test = thread::current();
            let test = test.name().unwrap_or("a test");
            // The handle itself, not `eprintln!`: the test runner captures the macro and not the handle.
            let _ = writeln!(io::stderr(), "\nSKIPPED {test}, {}: {error}\n", Location::caller());
            None
        }
        (Err(error @ HarnessError::Missing { .. }), OnMissing::Fail) => {
            panic!("{error} (CI is set, so no test may be skipped)")
        }
        (Err(error), _) => {
            let mut message = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                message.push_str(&format!(": {cause}"));
                source = cause.source();
            }
            panic!("{message}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing() -> Result<(), HarnessError> {
        Err(HarnessError::Missing { program: "mariadbd", package: "mariadb-server" })
    }

    #[test]
    fn a_missing_server_skips_the_test() {
        assert_eq!(started_or(OnMissing::Skip, missing()), None);
    }

    #[test]
    #[should_panic(expected = "`mariadbd` was not found: install `mariadb-server` (CI is set")]
    fn a_missing_server_fails_under_ci() {
        started_or(OnMissing::Fail, missing());
    }

    #[test]
    #[should_panic(expected = "could not start `initdb`: no room")]
    fn a_server_that_is_there_and_does_not_start_fails_everywhere() {
        let error = HarnessError::io("start `initdb`")(io::Error::other("no room"));
        started_or::<()>(OnMissing::Skip, Err(error));
    }
}
