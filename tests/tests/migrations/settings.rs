// What one migration leaves on its connection. `main.rs` includes this file once for each kind of connection.

use std::process::Command;

use diesel::backend::Backend;
use diesel::connection::BoxableConnection;
use diesel::migration::{Migration, MigrationMetadata, MigrationName, MigrationSource, MigrationVersion};
use router_diesel::migrate::{FailureKind, State, Target, Version};

use super::{ENGINE, Conn, world};
use crate::world::{Engine, World};

/// What a migration leaves on a connection, and the text by which a later one would see it.
fn leftovers() -> Vec<(&'static str, &'static str)> {
    match ENGINE {
        Engine::Postgres => vec![
            ("SET search_path = ''", "current_setting('search_path')"),
            ("SELECT pg_catalog.set_config('search_path', '', false)", "current_setting('search_path')"),
            ("SET ROLE pg_monitor", "current_user"),
            ("SET SESSION AUTHORIZATION pg_monitor", "session_user"),
            ("SET statement_timeout = '77s'", "current_setting('statement_timeout')"),
            ("SET TIME ZONE 'Asia/Kolkata'", "current_setting('TimeZone')"),
            ("SET row_security = off", "current_setting('row_security')"),
            ("SET default_transaction_read_only = on", "current_setting('default_transaction_read_only')"),
            ("SET client_encoding = 'LATIN1'", "current_setting('client_encoding')"),
            ("SET standard_conforming_strings = off", "current_setting('standard_conforming_strings')"),
            ("SET app.tenant = '7'", "coalesce(current_setting('app.tenant', true), 'none')"),
            ("CREATE TEMPORARY TABLE left_here (id INT)", "coalesce(to_regclass('left_here')::text, 'none')"),
            ("LISTEN orders", "(SELECT count(*) FROM pg_listening_channels())::text"),
            (
                "SELECT pg_advisory_lock(7)",
                "(SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory')::text",
            ),
            (
                "PREPARE left_here AS SELECT 1",
                "(SELECT count(*) FROM pg_prepared_statements WHERE name = 'left_here')::text",
            ),
            ("RESET ALL", "current_setting('search_path')"),
        ],
        Engine::MariaDb => vec![
            ("USE information_schema", "DATABASE()"),
            ("SET sql_mode = ''", "@@sql_mode"),
            ("SET foreign_key_checks = 0", "@@foreign_key_checks"),
            ("SET time_zone = '+05:00'", "@@time_zone"),
            ("SET NAMES latin1", "@@character_set_client"),
            ("SET @left_here = 'x'", "COALESCE(@left_here, 'none')"),
            ("SET SESSION TRANSACTION READ ONLY", "@@tx_read_only"),
            ("SET autocommit = 0", "@@autocommit"),
            ("SET SESSION auto_increment_increment = 7", "@@auto_increment_increment"),
            ("LOCK TABLES seen WRITE", "'none'"),
            ("DO GET_LOCK('left_here', 0)", "IS_USED_LOCK('left_here') <=> CONNECTION_ID()"),
        ],
        Engine::Sqlite => vec![
            ("PRAGMA foreign_keys = ON", "(SELECT foreign_keys FROM pragma_foreign_keys)"),
            ("PRAGMA query_only = ON", "(SELECT query_only FROM pragma_query_only)"),
            ("PRAGMA recursive_triggers = ON", "(SELECT recursive_triggers FROM pragma_recursive_triggers)"),
            ("PRAGMA busy_timeout = 1", "(SELECT timeout FROM pragma_busy_timeout)"),
            ("ATTACH ':memory:' AS left_here", "(SELECT count(*) FROM pragma_database_list WHERE name = 'left_here')"),
            ("CREATE TEMPORARY TABLE left_here (id INT)", "(SELECT count(*) FROM sqlite_temp_master)"),
        ],
    }
}

const MAKE: &str = "CREATE TABLE seen (number INTEGER, value VARCHAR(255));";

/// Migrations which each leave something, with or without a transaction, and after each one that writes down what it
/// sees of it.
fn leave(world: &World<Conn>, metadata: &str) -> usize {
    let schema = if ENGINE == Engine::Postgres { "public." } else { "" };
    world.write("users/0100_seen/up.sql", MAKE);
    let leftovers = leftovers();
    for (index, (leave, see)) in leftovers.iter().enumerate() {
        let (leaves, sees) = (format!("users/{}_leave", 1000 + index * 2), format!("users/{}_see", 1001 + index * 2));
        world.write(&format!("{leaves}/up.sql"), &format!("{leave};"));
        world.write(&format!("{leaves}/metadata.toml"), metadata);
        world.write(&format!("{sees}/up.sql"), &format!("INSERT INTO {schema}seen SELECT {index}, {see};"));
    }
    leftovers.len()
}

fn seen(world: &World<Conn>) -> Vec<String> {
    world.texts("default", "SELECT COALESCE(value, 'null') AS value FROM seen ORDER BY number")
}

#[test]
fn what_a_migration_leaves_does_not_reach_the_next_one() {
    for metadata in ["run_in_transaction = true", "run_in_transaction = false"] {
        let (Some(one), Some(many)) = (world(""), world("")) else { return };
        let number = leave(&one, metadata);
        leave(&many, metadata);
        let users = |world: &World<Conn>| world.migrator().app("users");
        let done = users(&one).migrate().unwrap().done();
        assert_eq!(done, 1 + 2 * number);
        users(&many).target(Target::Version(Version::new("0100"))).migrate().unwrap();
        for version in 1000..1000 + 2 * number {
            let target = Target::Version(Version::new(&version.to_string()));
            assert_eq!(users(&many).target(target).migrate().unwrap().done(), 1);
        }
        let (one_run, many_runs) = (seen(&one), seen(&many));
        // The name of the database differs, as it must.
        let is_name = |see: &str| see == "DATABASE()";
        for (index, (leave, see)) in leftovers().into_iter().enumerate() {
            if !is_name(see) {
                assert_eq!(one_run[index], many_runs[index], "{leave} {metadata}");
            }
        }
        assert_eq!(one_run.len(), number);
        assert!(users(&one).status().unwrap().is_clean(), "{metadata}");
        assert_eq!(one.records("default").len(), 1 + 2 * number, "{metadata}");
        assert_eq!(one.tables("default"), many.tables("default"));
    }
}

/// Statements that no file may have, as a source shows none of its text.
struct Raw(&'static str);

impl<DB: Backend> Migration<DB> for Raw {
    fn run(&self, conn: &mut dyn BoxableConnection<DB>) -> diesel::migration::Result<()> {
        Ok(conn.batch_execute(self.0)?)
    }

    fn revert(&self, conn: &mut dyn BoxableConnection<DB>) -> diesel::migration::Result<()> {
        Ok(conn.batch_execute(self.0)?)
    }

    fn metadata(&self) -> &dyn MigrationMetadata {
        &InTransaction
    }

    fn name(&self) -> &dyn MigrationName {
        &Name
    }
}

struct InTransaction;

impl MigrationMetadata for InTransaction {}

struct Name;

impl MigrationName for Name {
    fn version(&self) -> MigrationVersion<'_> {
        "1".into()
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("1_raw")
    }
}

impl<DB: Backend> MigrationSource<DB> for Raw {
    fn migrations(&self) -> diesel::migration::Result<Vec<Box<dyn Migration<DB>>>> {
        Ok(vec![Box::new(Raw(self.0))])
    }
}

/// MariaDB ends a transaction at each definition by itself, and says so in its manual.
#[test]
fn a_migration_that_ends_its_transaction_is_told_and_in_doubt() {
    if ENGINE == Engine::MariaDb {
        return;
    }
    for sql in [
        "CREATE TABLE part (id INT); COMMIT",
        "CREATE TABLE part (id INT); COMMIT; BEGIN; CREATE TABLE other (id INT)",
        "ROLLBACK; CREATE TABLE part (id INT)",
        "CREATE TABLE part (id INT); COMMIT; CREATE TABLE part (id INT)",
    ] {
        // With its records beside its tables, and with them elsewhere.
        for (app, alias) in [("users", "default"), ("blog", "blog_admin")] {
            let Some(world) = world("") else { return };
            let migrator = world.migrator().source(app, Raw(sql)).app(app);
            let error = migrator.migrate().unwrap_err();
            let text = error.to_string();
            assert_eq!(error.failed[0].kind, FailureKind::Failed, "{sql}: {text}");
            assert!(text.contains("it may have run in part"), "{sql}: {text}");
            let is_found = text.contains("it ends the transaction in which it runs") && text.contains("run_in_transaction = false");
            assert!(is_found || sql.ends_with("COMMIT; CREATE TABLE part (id INT)"), "{sql}: {text}");
            let status = migrator.status().unwrap();
            assert_eq!(status.database(alias).unwrap().migrations[0].state, State::Dirty, "{sql} of {app}");
            assert!(world.tables(alias).contains("part"), "{sql}: {}", world.tables(alias));
            assert!(!world.tables(alias).contains("other"), "{sql}: {}", world.tables(alias));
        }
    }
}

#[test]
fn a_reverted_migration_that_ends_its_transaction_is_told_too() {
    if ENGINE == Engine::MariaDb {
        return;
    }
    for (app, alias) in [("users", "default"), ("blog", "blog_admin")] {
        let Some(world) = world("") else { return };
        world.migrator().source(app, Raw("CREATE TABLE part (id INT)")).app(app).migrate().unwrap();
        let migrator = world.migrator().source(app, Raw("DROP TABLE part; COMMIT")).app(app);
        let error = migrator.rollback(1).unwrap_err().to_string();
        assert!(error.contains("it ends the transaction in which it runs"), "{error}");
        let status = migrator.status().unwrap();
        assert_eq!(status.database(alias).unwrap().migrations[0].state, State::Dirty, "{app}");
    }
}

#[test]
fn a_migration_that_leaves_a_transaction_open_is_told() {
    let Some(world) = world("") else { return };
    world.write("users/0100_seen/up.sql", MAKE);
    let begin = if ENGINE == Engine::MariaDb { "START TRANSACTION" } else { "BEGIN" };
    world.write("users/0200_open/up.sql", &format!("{begin};\nINSERT INTO seen VALUES (1, 'x');"));
    world.write("users/0200_open/metadata.toml", "run_in_transaction = false");
    let migrator = world.migrator().app("users");
    let error = migrator.migrate().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("it leaves a transaction open") && text.contains("it may have run in part"), "{text}");
    assert_eq!(world.records("default")[1], "default users 0200 dirty");
    assert!(seen(&world).is_empty());
    // One that ends it is fine.
    world.write("users/0200_open/up.sql", &format!("{begin};\nINSERT INTO seen VALUES (1, 'x');\nCOMMIT;"));
    let reverted = router_diesel::migrate::Resolution::Reverted;
    migrator.resolve("users", "0200", reverted).unwrap();
    assert_eq!(migrator.migrate().unwrap().done(), 1);
    assert_eq!(seen(&world), ["x"]);
}

/// A database begins as a dump of the one before it: `pg_dump` empties the search path, for good.
#[test]
fn a_dump_can_be_the_first_migration() {
    if ENGINE != Engine::Postgres {
        return;
    }
    let (Some(old), Some(new)) = (world(""), world("")) else { return };
    old.execute("default", "CREATE TABLE users (id SERIAL PRIMARY KEY, name TEXT); CREATE FUNCTION one() RETURNS INT LANGUAGE sql AS $$ SELECT 1 $$");
    let url = &old.databases.config().database("default").unwrap().url;
    let dump = Command::new("pg_dump").arg(format!("--dbname={}", url.expose())).arg("--schema-only").output().unwrap();
    let dump = String::from_utf8(dump.stdout).unwrap();
    assert!(dump.contains("set_config('search_path', '', false)"), "{dump}");
    new.write("users/1_dump/up.sql", &dump);
    new.write("users/2_more/up.sql", "CREATE TABLE accounts (id INT);");
    let migrator = new.migrator().app("users");
    assert_eq!(migrator.migrate().unwrap().done(), 2);
    assert_eq!(new.tables("default"), "__dbrouter_migrations accounts users");
    assert_eq!(new.records("default"), ["default users 1 applied", "default users 2 applied"]);
    // All in one transaction: what fails leaves neither the dump nor the record.
    let Some(broken) = world("") else { return };
    broken.write("users/1_dump/up.sql", &format!("{dump}\nSELECT 1 FROM nowhere;"));
    let error = broken.migrator().app("users").migrate().unwrap_err().to_string();
    assert!(error.contains("nothing of it was changed"), "{error}");
    assert_eq!(broken.tables("default"), "__dbrouter_migrations");
    assert!(broken.records("default").is_empty());
}
