//! One migration of one app, wherever it comes from.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use diesel::backend::Backend;
use diesel::migration::MigrationSource;
use sha2::{Digest, Sha256};

use super::MigrationId;
use super::journal::Direction;
use super::skeleton::is_skeleton;
use super::sql::Script;
use crate::config::Engine;
use crate::engine::Product;
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
    /// The file that a server of this product runs, where there is one.
    pub(crate) fn up(&self, product: Product) -> Option<&SqlFile> {
        match &self.body {
            Body::Files(files) => files.up.of(product),
            Body::Source(_) => None,
        }
    }

    /// The file that undoes it on a server of this product, where there is one.
    pub(crate) fn down(&self, product: Product) -> Option<&SqlFile> {
        match &self.body {
            Body::Files(files) => files.down.of(product),
            Body::Source(_) => None,
        }
    }

    /// The file that a server of this product runs in a direction, where there is one.
    pub(crate) fn side(&self, product: Product, direction: Direction) -> Option<&SqlFile> {
        match direction {
            Direction::Up => self.up(product),
            Direction::Down => self.down(product),
        }
    }

    /// Whether a path is that of a file of this migration which only servers of other products run.
    pub(crate) fn is_for_others(&self, product: Product, path: &Path) -> bool {
        let Body::Files(files) = &self.body else { return false };
        [&files.up, &files.down].into_iter().any(|sides| {
            sides.all().any(|file| file.path == path)
                && sides.of(product).is_none_or(|file| file.path != path)
        })
    }

    /// What the record keeps of its text. A source without text has none.
    pub(crate) fn checksum(&self, product: Product) -> Option<&str> {
        self.up(product).map(|file| file.checksum.as_str())
    }

    /// The file to name in a message.
    pub(crate) fn file(&self, product: Product) -> Option<PathBuf> {
        match &self.body {
            Body::Files(files) => {
                Some(files.up.of(product).map_or_else(|| files.folder.clone(), |file| file.path.clone()))
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

/// The file for every server, and those that stand in its place on some.
#[derive(Debug, Default)]
pub(crate) struct Sides {
    pub(crate) any: Option<SqlFile>,
    /// Each with what its name has between the side and `.sql`, as `mariadb`.
    pub(crate) special: Vec<(&'static str, SqlFile)>,
}

impl Sides {
    /// The file that a server of this product runs: the one that holds for fewest others.
    pub(crate) fn of(&self, product: Product) -> Option<&SqlFile> {
        let named = |infix| self.special.iter().find(|(of, _)| *of == infix).map(|(_, file)| file);
        product.file_infixes().find_map(named).or(self.any.as_ref())
    }

    /// Adds a file, for every server or for those of an infix.
    pub(crate) fn insert(&mut self, infix: Option<&'static str>, file: SqlFile) {
        match infix {
            None => self.any = Some(file),
            Some(infix) => self.special.push((infix, file)),
        }
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
    scripts: [OnceLock<Script>; Engine::ALL.len()],
}

impl SqlFile {
    pub(crate) fn new(path: PathBuf, text: String) -> Self {
        let checksum = checksum(&text);
        Self { path, text, checksum, scripts: [const { OnceLock::new() }; Engine::ALL.len()] }
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

    /// What a server is sent: the text, but for what the engine's own client program keeps for itself.
    pub(crate) fn text_for(&self, engine: Engine) -> Cow<'_, str> {
        engine.spec().for_server(&self.text)
    }

    /// The statements of the file, taken apart once for each engine.
    pub(crate) fn script(&self, engine: Engine) -> &Script {
        self.scripts[engine as usize]
            .get_or_init(|| Script::read(&Classifier::new(Dialect::from(engine)), &self.text_for(engine)))
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
    use crate::migrate::source::side_of;

    #[test]
    fn the_file_for_fewest_servers_goes_first() {
        let product = |name: &str| {
            let mut all = Engine::ALL.iter().flat_map(|engine| engine.spec().products());
            *all.find(|product| product.name() == name).unwrap()
        };
        for (files, name, expected) in [
            ("up.sql up.mysql.sql up.mariadb.sql", "mariadb", Some("up.mariadb.sql")),
            ("up.sql up.mysql.sql up.mariadb.sql", "mysql", Some("up.mysql.sql")),
            ("up.sql up.mysql.sql up.mariadb.sql", "postgres", Some("up.sql")),
            ("up.sql up.mysql.sql", "mariadb", Some("up.mysql.sql")),
            ("up.sql up.mariadb.sql", "mysql", Some("up.sql")),
            ("up.mariadb.sql", "mysql", None),
            ("up.postgres.sql", "sqlite", None),
        ] {
            let mut sides = Sides::default();
            for file in files.split(' ') {
                let (_, infix) = side_of(file).unwrap();
                sides.insert(infix.unwrap(), SqlFile::new(file.into(), String::new()));
            }
            let found = sides.of(product(name)).map(|file| file.path.to_str().unwrap());
            assert_eq!(found, expected, "{files} on {name}");
        }
    }

    #[test]
    fn line_ends_do_not_count() {
        assert_eq!(checksum("SELECT 1;\r\n"), checksum("\u{feff}SELECT 1;\n"));
        assert_ne!(checksum("SELECT 1;"), checksum("SELECT 2;"));
        assert_eq!(checksum(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
