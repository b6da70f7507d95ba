//! PostgreSQL's `SELECT set_config(…)` as a whole statement: what each call sets, where that stands in the text or among
//! the values that are bound.

use sqlparser::tokenizer::{Token, Word};

use super::effects::{is, lifts_guard};
use crate::engine::{Bound, Engine};

/// One call of `set_config(name, value, is_local)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SetConfig {
    name: Arg,
    value: Arg,
    is_local: Arg,
}

/// An argument of the call.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Arg {
    Known(Bound),
    /// The value that is bound there, counted from 0.
    Bound(usize),
}

impl SetConfig {
    /// The same call with the values that are bound.
    fn resolve(&self, binds: &[Bound]) -> Option<Resolved> {
        let get = |arg: &Arg| match arg {
            Arg::Known(value) => Some(value.clone()),
            Arg::Bound(index) => binds.get(*index).cloned(),
        };
        let Bound::Text(name) = get(&self.name)? else { return None };
        let value = match get(&self.value)? {
            Bound::Null => None,
            Bound::Text(value) => Some(value),
            Bound::Bool(_) | Bound::Other => return None,
        };
        let is_local = match get(&self.is_local)? {
            Bound::Bool(is_local) => is_local,
            Bound::Text(word) => is_true(&word),
            Bound::Null | Bound::Other => false,
        };
        is_local.then_some(Resolved { name, value })
    }

    fn has_binds(&self) -> bool {
        [&self.name, &self.value, &self.is_local].iter().any(|arg| matches!(arg, Arg::Bound(_)))
    }
}

/// A call that sets something until the transaction ends. `None` sets the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
}

impl Resolved {
    /// Whether it may give back the right to write, or that of another user.
    pub(crate) fn lifts_guard(&self) -> bool {
        let value = self.value.clone().map(Token::SingleQuotedString);
        lifts_guard(&self.name.to_ascii_lowercase(), value.as_ref())
    }

    /// The call with its values in the text.
    fn sql(&self) -> String {
        let spec = Engine::Postgres.spec();
        let value = self.value.as_ref().map_or("NULL".to_owned(), |value| spec.quoted(value));
        format!("set_config({}, {value}, true)", spec.quoted(&self.name))
    }
}

/// What the calls set until the transaction ends, if they all do.
pub(crate) fn resolve(calls: &[SetConfig], binds: &[Bound]) -> Option<Vec<Resolved>> {
    calls.iter().map(|call| call.resolve(binds)).collect()
}

/// The statement that makes these settings, with its values in the text.
pub(crate) fn written(resolved: &[Resolved]) -> String {
    let calls: Vec<_> = resolved.iter().map(Resolved::sql).collect();
    format!("SELECT {}", calls.join(", "))
}

/// Whether some of the arguments are bound.
pub(super) fn have_binds(calls: &[SetConfig]) -> bool {
    calls.iter().any(SetConfig::has_binds)
}

/// A list of calls of `set_config` with literals and bound values alone, if the statement is nothing else.
pub(super) fn read(statement: &[&Token]) -> Option<Vec<SetConfig>> {
    let [first, rest @ ..] = statement else { return None };
    if !is(Some(first), "select") {
        return None;
    }
    let mut reader = Reader { rest, binds: 0 };
    let mut calls = Vec::new();
    loop {
        calls.push(reader.call()?);
        reader.alias();
        match reader.rest {
            [] => return Some(calls),
            [Token::Comma, rest @ ..] => reader.rest = rest,
            _ => return None,
        }
    }
}

struct Reader<'t> {
    rest: &'t [&'t Token],
    /// How many values without a number were bound so far.
    binds: usize,
}

impl Reader<'_> {
    fn takes(&mut self, token: &Token) -> Option<()> {
        let (first, rest) = self.rest.split_first()?;
        (**first == *token).then(|| self.rest = rest)
    }

    fn takes_word(&mut self, word: &str) -> Option<()> {
        let (first, rest) = self.rest.split_first()?;
        is(Some(first), word).then(|| self.rest = rest)
    }

    fn call(&mut self) -> Option<SetConfig> {
        if self.takes_word("pg_catalog").is_some() {
            self.takes(&Token::Period)?;
        }
        self.takes_word("set_config")?;
        self.takes(&Token::LParen)?;
        let name = self.arg()?;
        self.takes(&Token::Comma)?;
        let value = self.arg()?;
        self.takes(&Token::Comma)?;
        let is_local = self.arg()?;
        self.takes(&Token::RParen)?;
        Some(SetConfig { name, value, is_local })
    }

    /// `AS x`, or `x` alone.
    fn alias(&mut self) {
        match self.rest {
            [alias, Token::Word(_), rest @ ..] if is(Some(alias), "as") => self.rest = rest,
            [Token::Word(word), rest @ ..] if !word.value.eq_ignore_ascii_case("from") => self.rest = rest,
            _ => {}
        }
    }

    /// A literal or a bound value, perhaps cast to a type that leaves its text as it is.
    fn arg(&mut self) -> Option<Arg> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        let arg = match first {
            Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) => text_arg(text),
            Token::DollarQuotedString(text) => text_arg(&text.value),
            Token::Placeholder(name) => self.bound(name)?,
            Token::Question => self.bound("?")?,
            Token::Word(Word { quote_style: None, value, .. }) => match value.to_ascii_lowercase().as_str() {
                "null" => Arg::Known(Bound::Null),
                "true" => Arg::Known(Bound::Bool(true)),
                "false" => Arg::Known(Bound::Bool(false)),
                "cast" => {
                    self.takes(&Token::LParen)?;
                    let arg = self.arg()?;
                    self.takes_word("as")?;
                    self.harmless_type()?;
                    self.takes(&Token::RParen)?;
                    arg
                }
                _ => return None,
            },
            _ => return None,
        };
        while self.takes(&Token::DoubleColon).is_some() {
            self.harmless_type()?;
        }
        Some(arg)
    }

    /// `$2`, or `?`, which counts from left to right.
    fn bound(&mut self, name: &str) -> Option<Arg> {
        let number: usize = match name.trim_start_matches(['$', '?']) {
            "" => {
                self.binds += 1;
                self.binds
            }
            number => number.parse().ok()?,
        };
        number.checked_sub(1).map(Arg::Bound)
    }

    /// A type whose cast leaves a text or a truth value as it is.
    fn harmless_type(&mut self) -> Option<()> {
        if self.takes_word("pg_catalog").is_some() {
            self.takes(&Token::Period)?;
        }
        ["text", "varchar", "bool", "boolean"].iter().find_map(|word| self.takes_word(word))
    }
}

fn text_arg(text: &str) -> Arg {
    Arg::Known(Bound::Text(text.to_owned()))
}

/// Whether PostgreSQL takes a text for true, as a `bool`.
fn is_true(word: &str) -> bool {
    let word = word.trim().to_ascii_lowercase();
    let begins = |whole: &str, least: usize| word.len() >= least && whole.starts_with(&word);
    begins("true", 1) || begins("yes", 1) || word == "on" || word == "1"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::{Dialect, effects, tokens};

    fn calls(sql: &str) -> Option<Vec<SetConfig>> {
        let tokens = tokens::tokenize(Dialect::Postgres, sql).ok()?;
        read(&effects::words(&tokens))
    }

    fn set(sql: &str, binds: &[Bound]) -> Option<Vec<(String, Option<String>)>> {
        let resolved = resolve(&calls(sql)?, binds)?;
        Some(resolved.into_iter().map(|one| (one.name, one.value)).collect())
    }

    fn text(text: &str) -> Bound {
        Bound::Text(text.to_owned())
    }

    #[test]
    fn a_setting_is_read_in_every_form_that_a_literal_has() {
        let seven = Some(vec![("app.tenant".to_owned(), Some("7".to_owned()))]);
        for call in [
            "set_config('app.tenant', '7', true)",
            "pg_catalog.set_config('app.tenant', '7', 't') AS tenant",
            "Set_Config('app.tenant'::text, '7'::pg_catalog.varchar, TRUE::bool) tenant",
            "set_config('app.tenant', $$7$$, 'yes')",
            "set_config($x$app.tenant$x$, E'7', '1'::boolean)",
            "set_config('app.tenant', CAST('7' AS text), 'on')",
        ] {
            assert_eq!(set(&format!("SELECT {call}"), &[]), seven, "{call}");
        }
        let both = "SELECT set_config('a', '1', true), set_config('b', NULL, true)";
        let expected = vec![("a".to_owned(), Some("1".to_owned())), ("b".to_owned(), None)];
        assert_eq!(set(both, &[]), Some(expected));
    }

    #[test]
    fn bound_values_are_taken_from_their_places() {
        let binds = [text("app.tenant"), text("7"), Bound::Bool(true)];
        let seven = Some(vec![("app.tenant".to_owned(), Some("7".to_owned()))]);
        for sql in [
            "SELECT set_config($1, $2, $3)",
            "SELECT set_config(?, ?, ?)",
            "SELECT set_config($1::text, $2, $3::bool)",
        ] {
            assert_eq!(set(sql, &binds), seven, "{sql}");
        }
        let swapped = [text("7"), Bound::Bool(true), text("app.tenant")];
        assert_eq!(set("SELECT set_config($3, $1, $2)", &swapped), seven);
        let to_default = Some(vec![("app.tenant".to_owned(), None)]);
        assert_eq!(set("SELECT set_config('app.tenant', $1, true)", &[Bound::Null]), to_default);
    }

    #[test]
    fn what_outlives_the_transaction_or_is_not_understood_is_no_such_setting() {
        for (sql, binds) in [
            ("SELECT set_config('a', '1', false)", &[][..]),
            ("SELECT set_config('a', '1', $1)", &[Bound::Bool(false)]),
            ("SELECT set_config('a', '1', $1)", &[]),
            ("SELECT set_config('a', '1', true), set_config('b', '1', false)", &[]),
            ("SELECT set_config('a', $1, true)", &[Bound::Other]),
            ("SELECT set_config('a', '07'::int::text, true)", &[]),
            ("SELECT set_config('a', lower('A'), true)", &[]),
            ("SELECT set_config('a', '1', true) FROM posts", &[]),
            ("SELECT set_config('a', '1', true), 1", &[]),
            ("SELECT my.set_config('a', '1', true)", &[]),
        ] {
            assert_eq!(set(sql, binds), None, "{sql}");
        }
    }
}
