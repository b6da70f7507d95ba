//! Which settings of its connection a statement makes, and which it asks for.

use sqlparser::tokenizer::{Token, Word};

use super::Dialect;
use super::effects::{is, is_any};
use super::variables::{Variables, text_of};

/// Adds the settings of a text to its variables. `@@` stands before their names; `@@*` is any setting.
pub(super) fn of_settings(dialect: Dialect, tokens: &[&Token], variables: &mut Variables) {
    let mut settings = Settings { variables };
    for statement in tokens.split(|token| **token == Token::SemiColon) {
        match dialect {
            Dialect::Postgres => settings.postgres(statement),
            Dialect::Mysql => settings.mysql(statement),
            Dialect::Sqlite => settings.sqlite(statement),
        }
    }
}

struct Settings<'v> {
    variables: &'v mut Variables,
}

impl Settings<'_> {
    fn set(&mut self, name: &str) {
        self.variables.set.insert(format!("@@{}", name.to_lowercase()).into());
    }

    fn ask(&mut self, name: &str) {
        self.variables.asked.insert(format!("@@{}", name.to_lowercase()).into());
        self.variables.asked.insert("@@*".into());
    }

    fn postgres(&mut self, statement: &[&Token]) {
        match statement {
            [first, rest @ ..] if is(Some(first), "set") => self.postgres_set(rest),
            [first, ..] if is(Some(first), "discard") => self.set("*"),
            [first, rest @ ..] if is(Some(first), "reset") => match postgres_name(rest) {
                Some(name) if name != "all" => self.set(&name),
                _ => self.set("*"),
            },
            [first, rest @ ..] if is(Some(first), "show") => {
                if let Some(name) = postgres_name(rest).filter(|name| name != "all") {
                    self.ask(&name);
                }
            }
            _ => self.postgres_calls(statement),
        }
    }

    fn postgres_set(&mut self, rest: &[&Token]) {
        let rest = match rest {
            [first, second, ..] if is(Some(first), "session") && is(Some(second), "characteristics") => {
                return self.set("*");
            }
            [first, second, ..] if is(Some(first), "session") && !is(Some(second), "authorization") => {
                &rest[1..]
            }
            _ => rest,
        };
        // Those of a transaction end with it, and no other node sees them.
        if is_any(rest.first(), &["local", "transaction", "constraints"]) {
            return;
        }
        match postgres_name(rest) {
            Some(name) => self.set(&name),
            None => self.set("*"),
        }
    }

    /// `current_setting('name')`, `set_config('name', …, false)`.
    fn postgres_calls(&mut self, statement: &[&Token]) {
        for (at, token) in statement.iter().enumerate() {
            let Token::Word(word) = token else { continue };
            let name = match &statement[at + 1..] {
                [Token::LParen, Token::SingleQuotedString(name), ..] => Some(name.as_str()),
                [Token::LParen, ..] => None,
                _ => continue,
            };
            if word.value.eq_ignore_ascii_case("current_setting") {
                self.ask(name.unwrap_or("*"));
            } else if word.value.eq_ignore_ascii_case("set_config") {
                self.set(name.unwrap_or("*"));
            }
        }
    }

    fn mysql(&mut self, statement: &[&Token]) {
        if is(statement.first(), "set") {
            self.mysql_set(&statement[1..]);
        } else if let [first, .., like, Token::SingleQuotedString(name)] = statement
            && is(Some(first), "show")
            && is(Some(like), "like")
            && statement.iter().any(|token| is(Some(token), "variables"))
            && !statement.iter().any(|token| is(Some(token), "global"))
        {
            self.ask(name);
        }
        for at in 0..statement.len() {
            if let Some((name, next)) = system_variable(statement, at)
                && !is_assigned(statement, at, next)
            {
                self.ask(&name);
            }
        }
    }

    /// `SET a = 1, SESSION b = 2, @@c = 3`
    fn mysql_set(&mut self, list: &[&Token]) {
        if is_any(list.first(), &["transaction", "password", "role", "default", "statement", "resource"]) {
            return;
        }
        let mut depth = 0_u32;
        let mut begins = true;
        for (at, token) in list.iter().enumerate() {
            match token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                Token::Comma if depth == 0 => {
                    begins = true;
                    continue;
                }
                _ if begins && is_any(Some(token), &["session", "local"]) => continue,
                Token::Word(word) if begins => self.mysql_setting(list, at, word),
                _ => {}
            }
            begins = false;
        }
    }

    fn mysql_setting(&mut self, list: &[&Token], at: usize, word: &Word) {
        let token = list[at];
        if let Some((name, _)) = system_variable(list, at) {
            self.set(&name);
        } else if is_any(Some(&token), &["names", "character", "charset"]) {
            self.set("*");
        } else if !word.value.starts_with('@')
            && !is_any(Some(&token), &["global", "persist", "persist_only"])
        {
            self.set(&word.value);
        }
    }

    /// `PRAGMA name`, `PRAGMA schema.name = value`, `PRAGMA name(value)`
    fn sqlite(&mut self, statement: &[&Token]) {
        if !is(statement.first(), "pragma") {
            return;
        }
        let at = if statement.get(2) == Some(&&Token::Period) { 3 } else { 1 };
        let Some(Token::Word(name)) = statement.get(at).copied() else { return };
        match statement.get(at + 1) {
            None => self.ask(&name.value),
            Some(_) => self.set(&name.value),
        }
    }
}

/// The name of a setting of PostgreSQL, as `SET`, `RESET` and `SHOW` take it.
fn postgres_name(tokens: &[&Token]) -> Option<String> {
    match tokens {
        [first, second, ..] if is(Some(first), "time") && is(Some(second), "zone") => {
            Some("timezone".to_owned())
        }
        [first, second, ..] if is(Some(first), "session") && is(Some(second), "authorization") => {
            Some("session_authorization".to_owned())
        }
        [first, ..] if is(Some(first), "names") => Some("client_encoding".to_owned()),
        [first, second, ..]
            if is(Some(first), "schema") && matches!(second, Token::SingleQuotedString(_)) =>
        {
            Some("search_path".to_owned())
        }
        [Token::Word(word), Token::Period, Token::Word(rest), ..] => {
            Some(format!("{}.{}", word.value, rest.value).to_lowercase())
        }
        [Token::Word(word), ..] => Some(word.value.to_lowercase()),
        _ => None,
    }
}

/// The session's system variable that stands here, and the place behind it: `@@x`, `@@session.x`, `` @@session.`x` ``.
pub(super) fn system_variable(tokens: &[&Token], at: usize) -> Option<(String, usize)> {
    let Token::Word(Word { value, quote_style: None, .. }) = tokens[at] else { return None };
    let (name, next) = (value.strip_prefix("@@")?, at + 1);
    match name.to_ascii_lowercase().as_str() {
        "global" => None,
        "session" | "local" if tokens.get(next) == Some(&&Token::Period) => {
            Some((text_of(tokens.get(next + 1)?)?.to_owned(), next + 2))
        }
        _ => Some((name.to_owned(), next)),
    }
}

/// Whether what stands here is set: in a list of SET, before an `=`.
fn is_assigned(statement: &[&Token], at: usize, next: usize) -> bool {
    let before = at.checked_sub(1).map(|before| statement[before]);
    let begins = is(before.as_ref(), "set") || before == Some(&Token::Comma);
    is(statement.first(), "set")
        && begins
        && matches!(statement.get(next), Some(Token::Eq | Token::Assignment))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::effects::words;
    use crate::statement::tokens::tokenize;

    fn used(dialect: Dialect, sql: &str) -> (String, String) {
        let tokens = tokenize(dialect, sql).expect("it can be taken apart");
        let mut variables = Variables::default();
        of_settings(dialect, &words(&tokens), &mut variables);
        let text = |names: &std::collections::BTreeSet<Box<str>>| {
            let names: Vec<_> =
                names.iter().map(|name| name.trim_start_matches("@@")).filter(|it| *it != "*").collect();
            names.join(" ")
        };
        let all = if variables.set.contains("@@*") { "*" } else { "" };
        (text(&variables.asked), text(&variables.set) + all)
    }

    #[test]
    fn settings_of_postgres() {
        for (sql, asked, set) in [
            ("SET search_path = acme", "", "search_path"),
            ("SET SESSION app.Tenant TO '7'", "", "app.tenant"),
            ("SET LOCAL app.tenant = '7'", "", ""),
            ("SET TIME ZONE 'UTC'", "", "timezone"),
            ("SET ROLE clerk", "", "role"),
            ("SET SESSION AUTHORIZATION clerk", "", "session_authorization"),
            ("SET SCHEMA 'acme'", "", "search_path"),
            ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "", "*"),
            ("SET TRANSACTION READ ONLY", "", ""),
            ("RESET timezone", "", "timezone"),
            ("RESET ALL", "", "*"),
            ("DISCARD ALL", "", "*"),
            ("SHOW search_path", "search_path", ""),
            ("SHOW TIME ZONE", "timezone", ""),
            ("SHOW ALL", "", ""),
            ("SELECT current_setting('app.tenant', true), 1 FROM users", "app.tenant", ""),
            ("SELECT pg_catalog.set_config('app.tenant', '7', false)", "", "app.tenant"),
            ("SELECT set_config($1, $2, $3)", "", "*"),
            ("SET a.b = 1; SHOW a.b", "a.b", "a.b"),
            ("SELECT 1", "", ""),
        ] {
            assert_eq!(used(Dialect::Postgres, sql), (asked.to_owned(), set.to_owned()), "{sql}");
        }
    }

    #[test]
    fn settings_of_mysql() {
        for (sql, asked, set) in [
            ("SET time_zone = '+00:00'", "", "time_zone"),
            ("SET SESSION Time_Zone = '+00:00', sql_mode = ''", "", "sql_mode time_zone"),
            ("SET @@session.time_zone = '+00:00', @@sql_mode = @@global.sql_mode", "", "sql_mode time_zone"),
            ("SET @@`time_zone` = @@system_time_zone", "system_time_zone", "time_zone"),
            ("SET GLOBAL time_zone = '+00:00'", "", ""),
            ("SET @x = 1, time_zone = (SELECT 1, 2)", "", "time_zone"),
            ("SET NAMES utf8mb4", "", "*"),
            ("SET TRANSACTION READ ONLY", "", ""),
            (
                "SELECT @@time_zone, @@session.sql_mode, @@global.port, @@`version`",
                "sql_mode time_zone version",
                "",
            ),
            ("SHOW VARIABLES LIKE 'time_zone'", "time_zone", ""),
            ("SHOW GLOBAL VARIABLES LIKE 'time_zone'", "", ""),
        ] {
            assert_eq!(used(Dialect::Mysql, sql), (asked.to_owned(), set.to_owned()), "{sql}");
        }
    }

    #[test]
    fn settings_of_sqlite() {
        for (sql, asked, set) in [
            ("PRAGMA foreign_keys", "foreign_keys", ""),
            ("PRAGMA main.Cache_Size = 7", "", "cache_size"),
            ("PRAGMA foreign_keys(0)", "", "foreign_keys"),
            ("SELECT 1", "", ""),
        ] {
            assert_eq!(used(Dialect::Sqlite, sql), (asked.to_owned(), set.to_owned()), "{sql}");
        }
    }
}
