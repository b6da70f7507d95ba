//! Migrations over several databases, driven by the rules that route statements.
//!
//! Each app has its migrations in a folder of Diesel's layout: `migrations/<app>/<version>_<name>/up.sql`, with
//! `down.sql` and `metadata.toml` where they are wanted. `up.postgres.sql` stands in the place of `up.sql` on that
//! engine, and so do `sqlite` and `mysql`. `up.mysql.sql` holds for MySQL and MariaDB, and on a MariaDB server
//! `up.mariadb.sql` goes before it. A source that is embedded or written by hand takes an app's folder's
//! place by [`Migrator::source`].
//!
//! ```no_run
//! use diesel::SqliteConnection;
//! use router_diesel::Databases;
//!
//! let databases = Databases::<SqliteConnection>::from_file("config/databases.yml")?;
//! let report = databases.migrator().migrate()?;
//! println!("{} migrations applied", report.done());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where a migration runs
//!
//! On every database that is no replica, is not `migrate: false` and has `migrate` among its operations, the
//! migrations of every app for which the routers allow it there: the whole chain is asked, routers of your own
//! included. Apps that are `managed: false` are never touched. Within one database, the migrations of all its apps
//! run in the order of their versions, then of their apps. What is not allowed is neither run nor recorded.
//!
//! # What is recorded, and where
//!
//! The table `__dbrouter_migrations` has a row for each database, app and version. It is on the database itself,
//! or where `migration_history` says; a database that others reach by `migrate_to` takes their
//! `migration_history` if it has none of its own.
//!
//! A migration and its record are one transaction, unless the engine commits definitions by itself (MariaDB and
//! MySQL) or `metadata.toml` says `run_in_transaction = false`. Then a crash leaves the migration *dirty*: nothing
//! more runs on that database until [`Migrator::resolve`] says what a person has found out. Where the record is
//! kept on another database, a marker in the table `__dbrouter_journal` of the migrated one is part of the
//! transaction, so that the next run can put the record right.
//!
//! Each migration has a connection of its own, so that what one sets does not reach the next: `search_path`, a role,
//! `USE`, temporary tables. The tables of records are named with their schema. A migration that ends the transaction in
//! which it is recorded is an error and is dirty then.
//!
//! # What keeps migrations from running
//!
//! | a migration is | then |
//! |---|---|
//! | dirty | nothing runs on that database |
//! | changed: edited after it was applied | nothing runs there, unless [`Migrator::changed`] allows it; it can be reverted, with a warning |
//! | out of order: pending, though a later one of its app was applied | it runs, with a warning, unless [`Migrator::out_of_order`] refuses it |
//! | missing: recorded, but not among the migrations | a warning |
//! | recorded under another alias, as after a rename, or where `migration_history` does not say | nothing runs there before [`Migrator::adopt`] |
//! | pending, though Diesel's own harness recorded it | nothing runs there before [`Migrator::adopt`] or [`Migrator::fake`] |
//! | of an app of which another database has records, though it does not migrate it any more | nothing runs here, unless [`Migrator::anew`] names the app or [`Migrator::fake`] says that it is here |
//! | applied before, but the records are lost with the database that kept them | nothing runs there before [`Migrator::fake`] |
//! | drift: recorded, but its table is not there | a warning |

mod adopt;
mod catalogue;
mod content;
mod error;
mod event;
mod fleet;
mod guard;
mod home;
mod journal;
pub(crate) mod leftover;
mod lint;
mod migration;
mod migrator;
mod physical;
mod plan;
mod problems;
mod record;
mod relation;
mod report;
mod run;
mod selection;
mod site;
pub(crate) mod skeleton;
mod source;
mod sql;
mod state;
mod step;
mod stray;
mod verbs;
mod version;

pub use adopt::{AdoptPlan, Adopted, DatabaseAdoption};
pub(crate) use catalogue::Tables;
pub(crate) use content::{Content, Contents};
pub use diesel_migrations;
pub use error::{Failure, FailureKind, MigrateError};
pub use event::Event;
pub use fleet::OnError;
pub(crate) use guard::{Strayed, guarded};
pub(crate) use home::{OwnTable, Owner};
pub use journal::Direction;
pub use lint::{LintCode, LintProblem, summary as lint_summary};
pub use migrator::{Migrator, Resolution};
pub use plan::{DatabasePlan, Plan, Step, Treat};
pub(crate) use record::{Record, RecordState, Records};
pub use report::{Action, DatabaseReport, DatabaseStatus, Done, Outcome, Report, Status};
pub(crate) use selection::is_migrated_by;
pub(crate) use site::{Site, history_of};
pub use state::{MigrationStatus, State};
pub use version::{MigrationId, Target, Version};
