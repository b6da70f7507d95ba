//! Finding the servers' programs, and running them.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::HarnessError;

/// The folder that holds all of `programs`: the first on `PATH`, else the first of `elsewhere`.
pub(crate) fn folder_of(programs: &[&str], elsewhere: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(elsewhere)
        .find(|folder| programs.iter().all(|program| folder.join(program).is_file()))
}

/// Debian's folders of PostgreSQL programs, the highest version first.
pub(crate) fn debian_postgres_folders() -> Vec<PathBuf> {
    let Ok(versions) = fs::read_dir("/usr/lib/postgresql") else { return Vec::new() };
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(Result::ok)
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

/// Runs a program to its end and returns what it wrote on stdout.
///
/// # Errors
/// If it cannot be started, or ends with an error: then with the last lines of what it wrote.
pub(crate) fn run(command: &mut Command) -> Result<String, HarnessError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().map_err(HarnessError::io(format!("start `{program}`")))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let written = stdout + &String::from_utf8_lossy(&output.stderr);
    Err(HarnessError::Failed { program, output: last_lines(&written) })
}

/// The last lines of a log: enough to see why a server gave up.
pub(crate) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// What tells one build of a program from another without running it.
pub(crate) fn build_of(program: &Path) -> io::Result<impl std::hash::Hash + use<>> {
    let metadata = fs::metadata(program)?;
    Ok((program.to_owned(), metadata.modified()?, metadata.len()))
}
