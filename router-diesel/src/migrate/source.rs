//! Reads an app's folder of migrations, and everybody else's sources.
//!
//! Every problem of every folder is collected, so that one run tells of all.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use diesel::backend::Backend;
use router_core::AppLabel;

use super::lint::{LintCode, LintProblem};
use super::migration::{AnySource, AppMigration, Body, Files, SqlFile};
use super::skeleton::is_skeleton;
use super::{MigrationId, Version};
use crate::config::App;
use crate::engine::words;

/// What was found for one app, in version order.
pub(crate) fn from_source<DB: Backend>(
    app: &AppLabel,
    source: &AnySource<DB>,
    problems: &mut Vec<LintProblem>,
) -> Vec<AppMigration<DB>> {
    let found = match source.migrations() {
        Ok(found) => found,
        Err(error) => {
            let message = format!("the migrations of app `{app}` cannot be listed: {error}");
            problems.push(LintProblem::new(LintCode::UnreadableSource, app, message));
            return Vec::new();
        }
    };
    let migrations = found.iter().map(|migration| AppMigration {
        id: MigrationId::new(
            app.clone(),
            Version::new(&migration.name().version().to_string()),
            migration.name().to_string(),
        ),
        in_transaction: migration.metadata().run_in_transaction(),
        body: Body::Source(Arc::clone(source)),
    });
    in_order(migrations.collect(), problems)
}

/// The migrations in an app's folder; nothing where it is not there. One that the file names must be.
pub(crate) fn from_folder<DB: Backend>(
    app: &App,
    problems: &mut Vec<LintProblem>,
) -> Option<Vec<AppMigration<DB>>> {
    let App { label: app, migrations: folder, names_migrations, .. } = app;
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if *names_migrations {
                problems.push(no_folder(app, folder));
            }
            return None;
        }
        Err(error) => {
            problems.push(unreadable(app, folder, &error));
            return Some(Vec::new());
        }
    };
    let mut migrations = Vec::new();
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir() && !is_hidden(path))
        .collect();
    paths.sort();
    for path in paths {
        if let Some(migration) = read(app, &path, problems) {
            migrations.push(migration);
        }
    }
    Some(in_order(migrations, problems))
}

fn no_folder(app: &AppLabel, folder: &Path) -> LintProblem {
    let message = format!("the folder of the migrations of app `{app}` is not there{}", seen_from(folder));
    LintProblem::new(LintCode::NoFolder, app, message).file(folder).help(format!(
        "correct `migrations` of app `{app}`, or run this where its folder is; `dbrouter new {app} NAME` makes it"
    ))
}

/// From where a path that does not say so itself is looked at, as the end of a sentence.
pub(crate) fn seen_from(path: &Path) -> String {
    match std::env::current_dir() {
        Ok(current) if path.is_relative() => format!(", seen from `{}`", current.display()),
        _ => String::new(),
    }
}

/// Sorts by version, and tells of versions that are there twice.
fn in_order<DB: Backend>(
    mut migrations: Vec<AppMigration<DB>>,
    problems: &mut Vec<LintProblem>,
) -> Vec<AppMigration<DB>> {
    migrations.sort_by(|a, b| a.id.order().cmp(&b.id.order()).then_with(|| a.id.name.cmp(&b.id.name)));
    for pair in migrations.windows(2) {
        let [first, second] = pair else { continue };
        if first.id.version == second.id.version {
            let message = format!(
                "app `{}` has the version {} twice: `{}` and `{}`",
                first.id.app, first.id.version, first.id.name, second.id.name
            );
            let mut problem = LintProblem::new(LintCode::DuplicateVersion, &first.id.app, message)
                .version(&first.id.version)
                .help("give the one that no database has run a later version");
            if let Body::Files(files) = &second.body {
                problem = problem.file(&files.folder);
            }
            problems.push(problem);
        }
    }
    migrations
}

fn is_hidden(path: &Path) -> bool {
    name_of(path).starts_with('.')
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn unreadable(app: &AppLabel, path: &Path, error: &std::io::Error) -> LintProblem {
    let message = format!("cannot be read: {error}");
    LintProblem::new(LintCode::UnreadableSource, app, message).file(path)
}

/// The version that a folder's name begins with: digits, perhaps with dashes, before the first `_`.
fn version_of(name: &str) -> Option<Version> {
    let (version, rest) = name.split_once('_')?;
    let is_version = version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
        && version.bytes().any(|byte| byte.is_ascii_digit());
    (is_version && !rest.is_empty()).then(|| Version::new(version))
}

fn read<DB: Backend>(
    app: &AppLabel,
    folder: &Path,
    problems: &mut Vec<LintProblem>,
) -> Option<AppMigration<DB>> {
    let names = match file_names(folder) {
        Ok(names) => names,
        Err(error) => {
            problems.push(unreadable(app, folder, &error));
            return None;
        }
    };
    // Diesel passes over empty folders, which version control leaves behind.
    if names.is_empty() {
        return None;
    }
    let name = name_of(folder);
    let Some(version) = version_of(&name) else {
        problems.push(no_version(app, folder, &name));
        return None;
    };
    let id = MigrationId::new(app.clone(), version, name);
    let before = problems.len();
    let mut files = Files { folder: folder.to_owned(), ..Files::default() };
    let mut in_transaction = true;
    for file in names {
        let path = folder.join(&file);
        if file == "metadata.toml" {
            match metadata(&path) {
                Ok(metadata) => in_transaction = metadata.run_in_transaction,
                Err(error) => problems.push(
                    LintProblem::new(LintCode::Metadata, app, format!("cannot be understood: {error}"))
                        .version(&id.version)
                        .file(&path)
                        .help("it may say `run_in_transaction = false`, and nothing else"),
                ),
            }
        } else if let Some((side, infix)) = side_of(&file) {
            let sides = if side == "up" { &mut files.up } else { &mut files.down };
            if let Some((infix, file)) = read_side(&id, side, infix, path, problems) {
                sides.insert(infix, file);
            }
        }
    }
    if problems.len() == before && files.up.all().next().is_none() {
        let message = format!("`{}` in the migrations of app `{app}` has no `up.sql`", id.name);
        problems.push(
            LintProblem::new(LintCode::NoMigration, app, message)
                .version(&id.version)
                .file(folder)
                .help("write one, or move the folder elsewhere"),
        );
    }
    Some(AppMigration { id, in_transaction, body: Body::Files(Box::new(files)) })
}

fn no_version(app: &AppLabel, folder: &Path, name: &str) -> LintProblem {
    let message =
        format!("`{name}` in the migrations of app `{app}` is no migration: its name has no version");
    LintProblem::new(LintCode::NoMigration, app, message)
        .file(folder)
        .help("call it `<version>_<name>`, such as `20240301120000_create_posts`, or move it elsewhere")
}

/// The names of the files in a folder, in order, but for hidden ones.
fn file_names(folder: &Path) -> std::io::Result<Vec<String>> {
    let entries = fs::read_dir(folder)?.flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    Ok(names)
}

/// What the name of a file says of the servers that it holds for: every one, or those of the infix.
type Infix = Option<&'static str>;

/// Reads a file of SQL.
fn read_side(
    id: &MigrationId,
    side: &str,
    infix: Option<Infix>,
    path: PathBuf,
    problems: &mut Vec<LintProblem>,
) -> Option<(Infix, SqlFile)> {
    let MigrationId { app, version, name } = id;
    let Some(infix) = infix else {
        let message = format!("`{}` is for no engine that is known", name_of(&path));
        problems.push(
            LintProblem::new(LintCode::NoMigration, app, message)
                .version(version)
                .file(&path)
                .help(format!("use {} between `{side}.` and `.sql`", known_infixes())),
        );
        return None;
    };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            problems.push(unreadable(app, &path, &error).version(version));
            return None;
        }
    };
    // What undoes a migration may be written later: until then it is refused when it is to run.
    let is_unwritten = is_skeleton(&text);
    if side == "up" && (is_unwritten || text.trim().is_empty()) {
        let how = if is_unwritten { "as `dbrouter new` wrote it" } else { "empty" };
        let message = format!(
            "migration `{name}` of app `{app}` is {how}: nothing would run, and it would count as applied"
        );
        problems.push(
            LintProblem::new(LintCode::Empty, app, message)
                .version(version)
                .file(&path)
                .help("write its SQL, remove the folder, or say why in a comment that nothing is to be done"),
        );
    }
    Some((infix, SqlFile::new(path, text)))
}

/// Which side of a migration a file is, and by what infix for which servers: `Some(None)` is every one.
pub(crate) fn side_of(file: &str) -> Option<(&'static str, Option<Infix>)> {
    let (side, rest) = match file.split_once('.')? {
        ("up", rest) => ("up", rest),
        ("down", rest) => ("down", rest),
        _ => return None,
    };
    if rest == "sql" {
        return Some((side, Some(None)));
    }
    let infix = rest.strip_suffix(".sql")?;
    Some((side, words::file_infixes().find(|known| *known == infix).map(Some)))
}

/// What may stand in the name of a file, for people.
fn known_infixes() -> String {
    let mut all: Vec<_> = words::file_infixes().map(|infix| format!("`{infix}`")).collect();
    let last = all.pop().unwrap_or_default();
    format!("{} or {last}", all.join(", "))
}

/// What `metadata.toml` may say.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    #[serde(default = "yes")]
    run_in_transaction: bool,
}

fn yes() -> bool {
    true
}

fn metadata(path: &Path) -> Result<Metadata, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    toml::from_str(&text).map_err(|error| error.message().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_data() {
        for (name, version) in [
            ("20240301120000_create_posts", Some("20240301120000")),
            ("2024-03-01-120000_create_posts", Some("20240301120000")),
            ("1_x", Some("1")),
            ("create_posts", None),
            ("_x", None),
            ("20240301", None),
            ("20240301_", None),
            ("-_x", None),
            ("2024a_x", None),
        ] {
            assert_eq!(version_of(name), version.map(Version::new), "{name}");
        }
    }

    #[test]
    fn sides_as_data() {
        assert_eq!(side_of("up.sql"), Some(("up", Some(None))));
        assert_eq!(side_of("down.mysql.sql"), Some(("down", Some(Some("mysql")))));
        assert_eq!(side_of("up.mariadb.sql"), Some(("up", Some(Some("mariadb")))));
        assert_eq!(side_of("up.oracle.sql"), Some(("up", None)));
        assert_eq!(side_of("README.md"), None);
        assert_eq!(side_of("up.sql.orig"), None);
    }
}
