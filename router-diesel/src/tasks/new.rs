//! `new`: begins a migration.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use router_core::Alias;
use serde::Serialize;

use super::TaskError;
use crate::config::App;
use crate::migrate::skeleton::{DOWN, HEAD, UP};
use crate::time::Utc;
use crate::topology::Routing;

/// The files of a new migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NewMigration {
    /// The folder: `<app's place>/<version>_<name>`.
    pub folder: PathBuf,
    /// The file to fill with what is to be done.
    pub up: PathBuf,
    /// The file to fill with what undoes it.
    pub down: PathBuf,
    /// Where the migration will run; nowhere for an app that is migrated on no database.
    pub databases: Vec<String>,
}

impl fmt::Display for NewMigration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "created `{}`", self.up.display())?;
        writeln!(f, "created `{}`", self.down.display())
    }
}

/// Makes the folder of a new migration of an app, with `up.sql` and `down.sql` to fill.
///
/// The version is the time `now` in UTC, as Diesel's own command makes it, or the next second that is free. A name in other words than
/// `snake_case` is put into it: `Add posts` becomes `add_posts`.
///
/// # Errors
/// The app is not known, the name has none of the letters that a folder may have, or the files cannot be
/// written: nothing is ever overwritten.
pub fn new_migration(
    routing: &Routing,
    app: &str,
    name: &str,
    now: SystemTime,
) -> Result<NewMigration, TaskError> {
    let config = routing.config();
    let Some(app) = config.app(app) else {
        return Err(TaskError::unknown_app(app, config));
    };
    let name = snake_case(name).ok_or_else(|| TaskError::BadName { name: name.to_owned() })?;
    let route = routing.routes().into_iter().find(|route| route.app == app.label);
    let databases = route.map(|route| route.migrate).unwrap_or_default();
    fs::create_dir_all(&app.migrations).map_err(TaskError::file(None, "make the folder", &app.migrations))?;
    let version = free_version(&app.migrations, now).map_err(TaskError::file(
        None,
        "read the folder",
        &app.migrations,
    ))?;
    let folder = app.migrations.join(format!("{version}_{name}"));
    // Fails where the folder is there, so that nothing in it is overwritten.
    fs::create_dir(&folder).map_err(|error| {
        let doing = match error.kind() {
            ErrorKind::AlreadyExists => "begin a migration in the folder of another,",
            _ => "make the folder",
        };
        TaskError::file(None, doing, &folder)(error)
    })?;
    let (up, down) = (folder.join("up.sql"), folder.join("down.sql"));
    write(&up, &format!("{}{UP}\n", head(app, &databases)))?;
    write(&down, &format!("{}{DOWN}\n", head(app, &databases)))?;
    let databases = databases.iter().map(Alias::to_string).collect();
    Ok(NewMigration { folder, up, down, databases })
}

/// The first second from `now` on of which the app has no migration yet: one version is one migration's.
fn free_version(folder: &Path, now: SystemTime) -> io::Result<String> {
    let taken: Vec<OsString> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<_>>()?;
    let mut moment = now;
    loop {
        let Utc { year, month, day, hour, minute, second } = Utc::from(moment);
        let version = format!("{year:04}-{month:02}-{day:02}-{hour:02}{minute:02}{second:02}");
        if !taken.iter().any(|name| name.to_string_lossy().starts_with(&version)) {
            return Ok(version);
        }
        moment += Duration::from_secs(1);
    }
}

/// What whoever writes the migration should know.
fn head(app: &App, databases: &[Alias]) -> String {
    let list = |names: Vec<String>| names.join(", ");
    let tables = list(app.tables.iter().map(|pattern| format!("`{pattern}`")).collect());
    let place = match databases {
        [] if !app.managed => "runs nowhere, as the app is `managed: false`".to_owned(),
        [] => "runs nowhere, as no database allows migrations of the app".to_owned(),
        databases => {
            format!("runs on {}", list(databases.iter().map(|alias| format!("`{alias}`")).collect()))
        }
    };
    format!("{HEAD}{}`, with the tables {tables}; {place}.\n", app.label)
}

fn write(path: &Path, text: &str) -> Result<(), TaskError> {
    fs::write(path, text).map_err(TaskError::file(None, "write", path))
}

/// A name as one of a folder: letters, digits and `_`. Nothing where none of it is left.
fn snake_case(name: &str) -> Option<String> {
    let mut snake = String::new();
    let mut previous_is_small = false;
    for letter in name.trim().chars() {
        if letter.is_alphanumeric() {
            if letter.is_uppercase() && previous_is_small {
                snake.push('_');
            }
            snake.extend(letter.to_lowercase());
        } else if matches!(letter, ' ' | '_' | '-' | '.') {
            if !snake.is_empty() && !snake.ends_with('_') {
                snake.push('_');
            }
        } else {
            return None;
        }
        previous_is_small = letter.is_lowercase() || letter.is_ascii_digit();
    }
    let snake = snake.trim_end_matches('_').to_owned();
    (!snake.is_empty() && snake.len() <= 200).then_some(snake)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::config::Config;
    use crate::migrate::skeleton::is_skeleton;

    #[test]
    fn names_as_data() {
        for (name, snake) in [
            ("create_posts", Some("create_posts")),
            ("Add posts", Some("add_posts")),
            ("AddSlugToPosts", Some("add_slug_to_posts")),
            ("  drop--old.table ", Some("drop_old_table")),
            ("v2", Some("v2")),
            ("", None),
            ("__", None),
            ("../../etc", None),
            ("a/b", None),
            ("a\\b", None),
            ("a\nb", None),
        ] {
            assert_eq!(snake_case(name).as_deref(), snake, "{name}");
        }
    }

    #[test]
    fn skeletons_as_data() {
        let head = "-- App `blog`, with the tables `posts`; runs on `blog_db`.";
        for (text, expected) in [
            (format!("{head}\n{UP}\n"), true),
            (format!("{head}\r\n{DOWN}\r\n\r\n"), true),
            (format!("{UP}\n"), true),
            (format!("{head}\n{UP}\n-- nothing: this was done by hand\n"), false),
            (format!("{head}\n{UP}\nDROP TABLE posts;\n"), false),
            ("-- nothing to be done\n".to_owned(), false),
            (head.to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(is_skeleton(&text), expected, "{text}");
        }
    }

    #[test]
    fn a_migration_says_where_it_runs_and_overwrites_nothing() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().display();
        let config = Config::from_yaml(&format!(
            "apps:
  blog: {{ tables: [posts, 'blog_*'], migrations: '{root}/m/blog' }}
  legacy: {{ managed: false, migrations: '{root}/m/legacy' }}
databases:
  default: {{ url: 'sqlite://default.sqlite3' }}
  blog_db: {{ url: 'sqlite://blog.sqlite3', apps: [blog], migrate_to: blog_admin }}
  blog_admin: {{ url: 'sqlite://blog.sqlite3' }}
"
        ))
        .unwrap();
        let routing = Routing::new(config).unwrap();
        let now = UNIX_EPOCH + Duration::from_secs(1_795_170_706);
        let made = new_migration(&routing, "blog", "Create posts", now).unwrap();
        assert_eq!(
            made.folder.display().to_string(),
            format!("{root}/m/blog/2026-11-20-103146_create_posts")
        );
        assert_eq!(
            fs::read_to_string(&made.up).unwrap(),
            "-- App `blog`, with the tables `posts`, `blog_*`; runs on `blog_admin`.\n-- What this migration does:\n"
        );
        assert!(is_skeleton(&fs::read_to_string(&made.up).unwrap()));
        assert!(is_skeleton(&fs::read_to_string(&made.down).unwrap()));
        fs::write(&made.up, "CREATE TABLE posts (id INTEGER);").unwrap();
        let second = new_migration(&routing, "blog", "create_posts", now).unwrap();
        assert_eq!(
            second.folder.display().to_string(),
            format!("{root}/m/blog/2026-11-20-103147_create_posts")
        );
        assert!(fs::read_to_string(&made.up).unwrap().starts_with("CREATE"));

        let made = new_migration(&routing, "legacy", "x", now).unwrap();
        assert!(
            fs::read_to_string(&made.down).unwrap().contains("runs nowhere, as the app is `managed: false`")
        );
        let error = new_migration(&routing, "blgo", "x", now).unwrap_err();
        assert_eq!(error.to_string(), "unknown app `blgo`; did you mean `blog`?");
    }
}
