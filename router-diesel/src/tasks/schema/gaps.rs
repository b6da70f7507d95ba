//! What a dump leaves out, and which migrations wrote some of that: comments of the dump that a load reads again.
//!
//! They stand below the migrations that made the schema. A line is `-- lacks <app> <version> <what>`, with `%20` for a
//! space of the first two.

use std::path::Path;

use router_core::AppLabel;

use super::applied::Applied;
use crate::engine::dump::Scope;
use crate::engine::url::percent::{decoded, encode};
use crate::engine::{Engine, Product, RoutedConnection};
use crate::migrate::{Content, Contents, Tables, Version};
use crate::statement::TableName;

/// What stands before what is left out.
const LEFT_OUT: &str = "-- Left out: ";
/// What stands before each migration that wrote some of it.
const PREFIX: &str = "-- lacks ";

/// What a dump leaves out.
///
/// A load records the migrations that wrote some of that only where it is told to, by
/// [`record_incomplete`](crate::tasks::Tasks::record_incomplete).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LeftOut {
    /// What the dump leaves out: `rows`, `grants` and so on.
    pub kinds: Vec<String>,
    /// The migrations that wrote some of that.
    pub migrations: Vec<Lacking>,
    /// How many migrations could not be read, as they are not among the files.
    pub unread: usize,
}

/// A migration that wrote something which a dump leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lacking {
    /// Its app.
    pub app: String,
    /// Its version.
    pub version: Version,
    /// What it wrote: ``rows of `tags`; grants``.
    pub what: String,
}

impl std::fmt::Display for Lacking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{} ({})", self.app, self.version, self.what)
    }
}

impl LeftOut {
    /// Reads what a dump says of itself. A file that was not written by `schema dump` says nothing.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn of_file(path: &Path) -> std::io::Result<Option<Self>> {
        Ok(Self::read(&std::fs::read_to_string(path)?))
    }

    /// What is left out of a dump of a database on which these migrations were applied.
    pub(super) fn find<C: RoutedConnection>(
        contents: &Contents<C::Backend>,
        product: Product,
        applied: &[Applied],
        scope: &Scope,
        tables: &Tables,
    ) -> Self {
        let spec = product.engine().spec();
        let is_held = |content: &Content| match content {
            // The rows of a table that is not there any more are not missed.
            Content::Rows(table) => {
                !tables.may_have(table)
                    || scope.rows_of.iter().any(|row| is_same(product.engine(), row, table))
            }
            Content::Grants => scope.grants && spec.dumps_grants(),
            Content::Other(_) => false,
        };
        let kinds = spec.left_out(scope);
        Self { kinds, ..Self::among(contents, product, applied, is_held) }
    }

    /// The same for a file that does not say it, by what its statements write.
    pub(super) fn of_statements<C: RoutedConnection>(
        contents: &Contents<C::Backend>,
        product: Product,
        applied: &[Applied],
        dump: &str,
    ) -> Self {
        let held = Contents::<C::Backend>::of_text(product.engine(), dump);
        let is_held = |content: &Content| match content {
            Content::Rows(table) => held.iter().any(|held| match held {
                Content::Rows(other) => {
                    let schema = other.schema().or(table.schema()).unwrap_or_default();
                    is_same(product.engine(), &(schema.to_owned(), other.name().to_owned()), table)
                }
                _ => false,
            }),
            content => held.contains(content),
        };
        Self::among(contents, product, applied, is_held)
    }

    fn among<DB: diesel::backend::Backend>(
        contents: &Contents<DB>,
        product: Product,
        applied: &[Applied],
        is_held: impl Fn(&Content) -> bool,
    ) -> Self {
        let mut left_out = Self::default();
        for Applied { id, .. } in applied {
            let Some(written) = contents.of(id, product) else {
                left_out.unread += 1;
                continue;
            };
            let lacks: Vec<String> =
                written.iter().filter(|content| !is_held(content)).map(ToString::to_string).collect();
            if !lacks.is_empty() {
                let (app, version) = (id.app.to_string(), id.version.clone());
                left_out.migrations.push(Lacking { app, version, what: lacks.join("; ") });
            }
        }
        left_out
    }

    /// The comments of a dump.
    pub(super) fn write(&self) -> String {
        let mut text = format!("{LEFT_OUT}{}.\n", self.kinds.join(", "));
        if !self.migrations.is_empty() {
            text.push_str(&format!(
                "-- Migrations that wrote some of that: {}. `dbrouter schema load --record-incomplete` records them.\n",
                self.migrations.len()
            ));
        }
        for Lacking { app, version, what } in &self.migrations {
            let [app, version] = [app.as_str(), version.as_str()].map(|field| encode(field, b""));
            text.push_str(&format!("{PREFIX}{app} {version} {}\n", what.replace(['\r', '\n'], " ")));
        }
        if self.unread > 0 {
            text.push_str(&format!("{UNREAD}{}\n", self.unread));
        }
        text
    }

    /// What a dump says of itself at its head, which ends with the first statement.
    pub(super) fn read(dump: &str) -> Option<Self> {
        let head = dump.lines().take_while(|line| line.is_empty() || line.starts_with("--"));
        let mut found: Option<Self> = None;
        for line in head {
            if let Some(kinds) = line.strip_prefix(LEFT_OUT) {
                let kinds = kinds.trim_end_matches('.').split(", ").map(str::to_owned).collect();
                found.get_or_insert_default().kinds = kinds;
            } else if let Some(lacking) = line.strip_prefix(PREFIX) {
                let mut fields = lacking.splitn(3, ' ');
                if let (Some(app), Some(version), Some(what)) = (fields.next(), fields.next(), fields.next())
                {
                    found.get_or_insert_default().migrations.push(Lacking {
                        app: decoded(app),
                        version: Version::new(&decoded(version)),
                        what: what.to_owned(),
                    });
                }
            } else if let Some(number) = line.strip_prefix(UNREAD) {
                found.get_or_insert_default().unread = number.parse().unwrap_or_default();
            }
        }
        found
    }

    /// The migrations among these which wrote something that is left out.
    pub(super) fn lacking(&self, applied: &[Applied]) -> Vec<String> {
        let is_applied = |lacking: &&Lacking| {
            let app = AppLabel::new(&lacking.app);
            applied.iter().any(|it| it.id.app == app && it.id.version == lacking.version)
        };
        self.migrations.iter().filter(is_applied).map(ToString::to_string).collect()
    }
}

/// What stands before how many migrations could not be read.
const UNREAD: &str = "-- Migrations that could not be read, as they are not among the files: ";

/// Whether a table that a migration names is one that is dumped.
fn is_same(engine: Engine, (schema, name): &(String, String), table: &TableName) -> bool {
    let same = |a: &str, b: &str| if engine.spec().folds_case() { a.eq_ignore_ascii_case(b) } else { a == b };
    same(name, table.name()) && table.schema().is_none_or(|named| same(schema, named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let lacking = |app: &str, version: &str, what: &str| Lacking {
            app: app.to_owned(),
            version: Version::new(version),
            what: what.to_owned(),
        };
        let left_out = LeftOut {
            kinds: vec!["rows, except those of `a`".to_owned(), "grants".to_owned()],
            migrations: vec![lacking("blog", "2 b", "rows of `tags`; grants")],
            unread: 1,
        };
        let text = left_out.write();
        assert_eq!(
            text,
            "-- Left out: rows, except those of `a`, grants.
-- Migrations that wrote some of that: 1. `dbrouter schema load --record-incomplete` records them.
-- lacks blog 2%20b rows of `tags`; grants
-- Migrations that could not be read, as they are not among the files: 1
"
        );
        let read =
            LeftOut::read(&format!("-- Written by.\n-- applied blog 1 x -\n\n{text}\nCREATE TABLE x;"))
                .unwrap();
        assert_eq!((read.migrations, read.unread), (left_out.migrations, 1));
        assert_eq!(LeftOut::read("-- by hand\nCREATE TABLE a (id INT);\n-- lacks a 1 b"), None);
    }
}
