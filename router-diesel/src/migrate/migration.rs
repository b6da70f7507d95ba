//! One migration of one app, wherever it comes from.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use diesel::backend::Backend;
use diesel::migration::MigrationSource;
use sha2::{Digest, Sha256};

use super::MigrationId;
use super::journal::Direction;
use super::skeleton::is_skeleton;
use super::sql::Script;
use crate::config::Engine;
use crate::statement::Classifier;
use crate::statement::Dialect;

/// Somebody else's source of migrations: embedded, or written by hand.
pub(crate) type AnySource<DB> = Arc<dyn MigrationSource<DB> + Send + Sync>;

/// A migration that was found, and how to run it.
pub(crate) struct AppMigration<DB: Backend> {
    pub(crate) id: MigrationId,
    /// Whether it runs in one transaction with its record.
    pub(crate) in_transaction: bool,
    pub(crate) body: Body<DB>,
}

/// Where the statements of a migration are.
pub(crate) enum Body<DB: Backend> {
    /// In files that we read.
    Files(Box<Files>),
    /// In a source that knows how to run them. It is asked anew by each thread, as what it gives cannot be sent.
    Source(AnySource<DB>),
}

impl<DB: Backend> AppMigration<DB> {
    /// The file that an engine runs, where there is one.
    pub(crate) fn up(&self, engine: Engine) -> Option<&SqlFile> {
        match &self.body {
            Body::Files(files) => files.up.of(engine),
            Body::Source(_) => None,
        }
    }

    /// The file that undoes it on an engine, where there is one.
    pub(crate) fn down(&self, engine: Engine) -> Option<&SqlFile> {
        match &self.body {
            Body::Files(files) => files.down.of(engine),
            Body::Source(_) => None,
        }
    }

    /// The file that an engine runs in a direction, where there is one.
    pub(crate) fn side(&self, engine: Engine, direction: Direction) -> Option<&SqlFile> {
        match direction {
            Direction::Up => self.up(engine),
            Direction::Down => self.down(engine),
        }
    }

    /// What the record keeps of its text. A source without text has none.
    pub(crate) fn checksum(&self, engine: Engine) -> Option<&str> {
        self.up(engine).map(|file| file.checksum.as_str())
    }

    /// The file to name in a message.
    pub(crate) fn file(&self, engine: Engine) -> Option<PathBuf> {
        match &self.body {
            Body::Files(files) => {
                Some(files.up.of(engine).map_or_else(|| files.folder.clone(), |file| file.path.clone()))
            }
            Body::Source(_) => None,
        }
    }
}

impl<DB: Backend> fmt::Debug for AppMigration<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppMigration")
            .field("id", &self.id)
            .field("in_transaction", &self.in_transaction)
            .finish_non_exhaustive()
    }
}

/// The files of a migration's folder.
#[derive(Debug, Default)]
pub(crate) struct Files {
    pub(crate) folder: PathBuf,
    pub(crate) up: Sides,
    pub(crate) down: Sides,
}

/// The file for every engine, and those that stand in its place on one.
#[derive(Debug, Default)]
pub(crate) struct Sides {
    pub(crate) any: Option<SqlFile>,
    pub(crate) special: Vec<(Engine, SqlFile)>,
}

impl Sides {
    pub(crate) fn of(&self, engine: Engine) -> Option<&SqlFile> {
        self.special.iter().find(|(of, _)| *of == engine).map(|(_, file)| file).or(self.any.as_ref())
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &SqlFile> {
        self.any.iter().chain(self.special.iter().map(|(_, file)| file))
    }
}

/// A file of SQL, read once for all databases.
#[derive(Debug)]
pub(crate) struct SqlFile {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) checksum: String,
    scripts: [OnceLock<Script>; 3],
}

impl SqlFile {
    pub(crate) fn new(path: PathBuf, text: String) -> Self {
        let checksum = checksum(&text);
        Self { path, text, checksum, scripts: [const { OnceLock::new() }; 3] }
    }

    /// Why there is nothing in it to run, if so. Comments may be there to say that nothing is to be done, but not
    /// those alone that a new migration begins with.
    pub(crate) fn lack(&self) -> Option<&'static str> {
        if self.text.trim().is_empty() {
            Some("is empty")
        } else if is_skeleton(&self.text) {
            Some("holds only comments, those that `dbrouter new` wrote")
        } else {
            None
        }
    }

    /// The statements of the file, taken apart once for each engine.
    pub(crate) fn script(&self, engine: Engine) -> &Script {
        let index = match engine {
            Engine::Sqlite => 0,
            Engine::Postgres => 1,
            Engine::Mysql => 2,
        };
        self.scripts[index].get_or_init(|| Script::read(&Classifier::new(Dialect::from(engine)), &self.text))
    }
}

/// SHA-256 of a text whose line ends are made alike, so that a check-out on another system changes nothing.
pub(crate) fn checksum(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_do_not_count() {
        assert_eq!(checksum("SELECT 1;\r\n"), checksum("\u{feff}SELECT 1;\n"));
        assert_ne!(checksum("SELECT 1;"), checksum("SELECT 2;"));
        assert_eq!(checksum(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
