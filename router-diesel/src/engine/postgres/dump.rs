//! The schema of a database of PostgreSQL, which `pg_dump` writes.

use std::borrow::Cow;
use std::process::Command;

use diesel::QueryResult;

use super::Postgres;
use super::client::{PACKAGE, tool};
use crate::engine::client::{ClientError, run};
use crate::engine::dump::clean::{Verdict, clean};
use crate::engine::dump::lines::{Line, Quoting, lines};
use crate::engine::dump::{DumpError, Dumps, Loading, Scope, sorted_inserts};
use crate::engine::records::RecordTables as _;
use crate::engine::{Ask, DatabaseUrl};

/// Settings with which `pg_dump` begins, and which differ between its versions.
const SETTINGS: [&str; 12] = [
    "SET statement_timeout ",
    "SET lock_timeout ",
    "SET idle_in_transaction_session_timeout ",
    "SET transaction_timeout ",
    "SET client_encoding ",
    "SET standard_conforming_strings = on",
    "SET check_function_bodies ",
    "SET xmloption ",
    "SET client_min_messages ",
    "SET row_security ",
    "SET default_tablespace = ''",
    "SELECT pg_catalog.set_config('search_path'",
];

impl Dumps for Postgres {
    fn dump(&self, _: &mut dyn Ask, url: &DatabaseUrl, scope: &Scope) -> Result<String, DumpError> {
        if scope.rows_of.is_empty() {
            return Ok(cleaned(&run(schema(url, scope)?, PACKAGE)?));
        }
        // Rows come before keys, indexes and triggers, so that neither their order nor a trigger counts.
        let section = |name: &str| -> Result<String, DumpError> {
            let mut command = schema(url, scope)?;
            command.arg(format!("--section={name}"));
            Ok(cleaned(&run(command, PACKAGE)?))
        };
        let mut command = tool("pg_dump", url)?;
        command.args(["--data-only", "--column-inserts", "--encoding=UTF8", "--no-subscriptions"]);
        let tables = scope.rows_of.iter();
        command.args(tables.map(|(schema, table)| format!("--table={}.{}", pattern(schema), pattern(table))));
        let rows = cleaned(&run(command, PACKAGE)?);
        let rows = sorted_inserts(&lines(&rows, Quoting::Postgres));
        Ok(format!("{}\n{rows}\n{}", section("pre-data")?, section("post-data")?))
    }

    fn left_out(&self, scope: &Scope) -> Vec<String> {
        let mut all =
            vec![scope.rows(), "contents of materialized views".to_owned(), "large objects".to_owned()];
        if !scope.grants {
            all.push("grants".to_owned());
        }
        let others =
            ["owners", "roles", "settings of roles and of the database", "subscriptions", "user mappings"];
        all.extend(others.map(str::to_owned));
        all
    }

    fn dumps_grants(&self) -> bool {
        true
    }

    /// A function may come before the tables that it uses.
    fn loading(&self, _: &mut dyn Ask, _: &DatabaseUrl) -> Result<Loading, DumpError> {
        Ok(Loading::Transaction {
            setup: Some("SET check_function_bodies = false; SET xmloption = content;"),
        })
    }

    /// Newer versions of `pg_dump` put what they write between two words for `psql`.
    fn for_server<'s>(&self, dump: &'s str) -> Cow<'s, str> {
        let is_word = |text: &str| text.starts_with("\\restrict ") || text.starts_with("\\unrestrict ");
        if !dump.lines().any(is_word) {
            return dump.into();
        }
        let mut text = dump.to_owned();
        for line in
            lines(dump, Quoting::Postgres).into_iter().filter(|line| line.is_code && is_word(line.text))
        {
            let start = line.text.as_ptr().addr() - dump.as_ptr().addr();
            text.replace_range(start..start + line.text.len(), &" ".repeat(line.text.len()));
        }
        text.into()
    }

    fn own_tables(&self, conn: &mut dyn Ask, scope: &Scope) -> QueryResult<Vec<String>> {
        let foreign: String =
            scope.foreign_schemas.iter().map(|schema| format!(", {}", self.quoted(schema))).collect();
        let tables = conn.texts(&format!(
            "SELECT CASE nspname WHEN 'public' THEN '' ELSE nspname || '.' END || relname AS value
             FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
             WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND nspname NOT IN ('information_schema'{foreign})
               AND nspname NOT LIKE 'pg\\_%' AND relname NOT LIKE '\\_\\_dbrouter\\_%'
               AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass
                               AND objid = pg_class.oid AND deptype = 'e')
             ORDER BY 1"
        ))?;
        Ok(tables.into_iter().flatten().collect())
    }
}

/// The program that writes a schema.
fn schema(url: &DatabaseUrl, scope: &Scope) -> Result<Command, ClientError> {
    let mut command = tool("pg_dump", url)?;
    command.args([
        "--schema-only",
        "--no-owner",
        "--no-tablespaces",
        // A subscription holds the password of another server.
        "--no-subscriptions",
        "--encoding=UTF8",
        "--exclude-table=*.__dbrouter_*",
    ]);
    if !scope.grants {
        command.arg("--no-privileges");
    }
    command.args(scope.foreign_schemas.iter().map(|schema| format!("--exclude-schema={}", pattern(schema))));
    Ok(command)
}

/// A name as a pattern that means nothing else.
fn pattern(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Cleans what `pg_dump` wrote.
fn cleaned(dump: &str) -> String {
    let heap = "SET default_table_access_method = heap;";
    let lines = lines(dump, Quoting::Postgres);
    let is_method =
        |line: &Line<'_>| line.is_code && line.text.starts_with("SET default_table_access_method");
    let all_heap = lines.iter().filter(|line| is_method(line)).all(|line| line.text == heap);
    clean(&lines, |text| {
        if text.starts_with("--")
            || text.starts_with("\\restrict ")
            || text.starts_with("\\unrestrict ")
            || SETTINGS.iter().any(|prefix| text.starts_with(prefix))
            || (all_heap && text == heap)
        {
            Verdict::Drop
        } else if text.starts_with("COMMENT ON EXTENSION ") || text.starts_with("CREATE USER MAPPING ") {
            // The one is the extension's own and needs its owner, the other holds passwords.
            Verdict::DropStatement
        } else if let Some(schema) = text.strip_prefix("CREATE SCHEMA ") {
            // Every database has `public` but those where it was dropped and made again, and `dbrouter create` makes the
            // current one.
            Verdict::Keep(format!("CREATE SCHEMA IF NOT EXISTS {schema}").into())
        } else {
            Verdict::Keep(text.into())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_of_postgres_is_left_with_its_statements() {
        let dump = "--
-- PostgreSQL database dump
--

\\restrict abc

-- Dumped from database version 15.18
-- Dumped by pg_dump version 17.1

SET statement_timeout = 0;
SET transaction_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);

--
-- Name: EXTENSION x; Type: COMMENT
--

COMMENT ON EXTENSION x IS 'two
lines; of it';


CREATE USER MAPPING FOR a SERVER b OPTIONS (
    password 'secret'
);


CREATE SCHEMA public;


--
-- Name: f(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.f() RETURNS text
    LANGUAGE sql
    AS $$


-- kept
SELECT 'x';
SET statement_timeout = 0;
$$;


SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE public.posts (
    id integer
);


--
-- PostgreSQL database dump complete
--

\\unrestrict abc

";
        assert_eq!(
            cleaned(dump),
            "CREATE SCHEMA IF NOT EXISTS public;

CREATE FUNCTION public.f() RETURNS text
    LANGUAGE sql
    AS $$


-- kept
SELECT 'x';
SET statement_timeout = 0;
$$;

CREATE TABLE public.posts (
    id integer
);
"
        );
    }

    #[test]
    fn another_access_method_is_kept() {
        let dump = "SET default_table_access_method = heap;\n\nSET default_table_access_method = columnar;\n";
        assert_eq!(cleaned(dump), dump);
    }
}
