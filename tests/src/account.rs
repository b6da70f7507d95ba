use std::{
    ffi::OsStr,
    os::unix::{fs::chown, process::CommandExt as _},
    path::Path,
    process::Command,
};

use std::sync::{PoisonError, RwLock};

use crate::{HarnessError, program};

/// The language that servers know beside English.
static LANGUAGE: RwLock<&str> = RwLock::new("de");

/// Has the servers that this process starts meanwhile know another language beside English than German, by its two
/// letters.
pub fn with_language<T>(language: &'static str, start: impl FnOnce() -> T) -> T {
    let set = |language| {
        std::mem::replace(&mut *LANGUAGE.write().unwrap_or_else(PoisonError::into_inner), language)
    };
    let before = set(language);
    let started = start();
    set(before);
    started
}

/// The system user that runs a server.
///
/// PostgreSQL refuses to run as root, so a harness started by root runs its servers as the user that the server's
/// package made, else as `nobody`. Any other user runs them as itself.
#[derive(Debug, Hash)]
pub(crate) enum Account {
    /// Whoever runs the tests.
    Own,
    /// Another user, by its numbers.
    Other { uid: u32, gid: u32 },
}

impl Account {
    /// Chooses the account for a server whose package makes the system user `preferred`.
    pub(crate) fn for_server(preferred: &str) -> Result<Self, HarnessError> {
        if id(&["-u"])? != 0 {
            return Ok(Self::Own);
        }
        let name = if id(&["-u", preferred]).is_ok() { preferred } else { "nobody" };
        Ok(Self::Other { uid: id(&["-u", name])?, gid: id(&["-g", name])? })
    }

    /// A command that runs `program` under this account, from `folder`, in English.
    ///
    /// A server that is told to speak the language of another locale than `C`, such as `C.UTF-8`, speaks German, or what
    /// [`with_language`] says: gettext heeds `LANGUAGE` in all locales but that one.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>, folder: &Path) -> Command {
        let language = *LANGUAGE.read().unwrap_or_else(PoisonError::into_inner);
        let mut command = Command::new(program);
        command.current_dir(folder).env("TMPDIR", folder).env("LC_ALL", "C").env("LANGUAGE", language);
        if let Self::Other { uid, gid } = self {
            // Setting the uid also drops root's other groups.
            command.uid(*uid).gid(*gid);
        }
        command
    }

    /// Makes this account the owner of a file or folder.
    pub(crate) fn own(&self, path: &Path) -> Result<(), HarnessError> {
        match self {
            Self::Own => Ok(()),
            Self::Other { uid, gid } => chown(path, Some(*uid), Some(*gid))
                .map_err(HarnessError::io(format!("hand `{}` to user {uid}", path.display()))),
        }
    }
}

/// The number that `id` answers.
fn id(arguments: &[&str]) -> Result<u32, HarnessError> {
    let answer = program::run(Command::new("id").args(arguments))?;
    answer
        .trim()
        .parse()
        .map_err(HarnessError::refused(format!("read the answer of `id {}`", arguments.join(" "))))
}
