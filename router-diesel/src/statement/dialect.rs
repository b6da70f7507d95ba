//! The dialects of SQL, and how their text falls into tokens.

use std::any::TypeId;
use std::fmt;
use std::str::FromStr;

use sqlparser::dialect::{Dialect as Grammar, MySqlDialect, PostgreSqlDialect, SQLiteDialect};

use crate::engine::Engine;

/// Whose SQL a statement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
}

/// The dialect that an engine reads.
impl From<Engine> for Dialect {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => Self::Sqlite,
            Engine::Postgres => Self::Postgres,
            Engine::Mysql => Self::Mysql,
        }
    }
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::Mysql];

    /// The dialect's name: `sqlite`, `postgres` or `mysql`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
        }
    }

    /// Whether a name without quotes is folded to lower case.
    pub(crate) const fn folds_names(self) -> bool {
        match self {
            Self::Postgres => true,
            Self::Sqlite | Self::Mysql => false,
        }
    }

    /// Whether a string in single quotes may stand for a name.
    pub(crate) const fn quotes_names_as_strings(self) -> bool {
        match self {
            Self::Sqlite => true,
            Self::Postgres | Self::Mysql => false,
        }
    }

    /// The grammar by which `sqlparser` reads the dialect.
    pub(crate) fn grammar(self) -> &'static dyn Grammar {
        match self {
            Self::Sqlite => &SQLiteDialect {},
            Self::Postgres => &PostgreSqlDialect {},
            Self::Mysql => &MySqlDialect {},
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Dialect {
    type Err = UnknownDialect;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "sqlite" => Ok(Self::Sqlite),
            "postgres" | "postgresql" => Ok(Self::Postgres),
            "mysql" | "mariadb" => Ok(Self::Mysql),
            _ => Err(UnknownDialect { name: name.to_owned() }),
        }
    }
}

/// A name that is no dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownDialect {
    name: String,
}

impl fmt::Display for UnknownDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown dialect `{}`; use `sqlite`, `postgres` or `mysql`", self.name)
    }
}

impl std::error::Error for UnknownDialect {}

/// How a dialect's text falls into tokens: as `sqlparser` has it, but for two things that would mislead us.
///
/// - MySQL runs what stands in `/*! … */` on some servers and not on others. `sqlparser` takes it for text; here it
///   is a comment; `comments` has made text of it where a server runs it.
/// - SQLite allows `$` inside a name, so `a$b` is one table and not `a`.
///
/// Only the methods that the tokenizer asks are here; the parser works with the grammar itself.
#[derive(Debug)]
pub(super) struct Lexicon {
    pub(super) dialect: Dialect,
    /// Whether operators of PostgreSQL's geometric types are tokens of their own.
    pub(super) geometric: bool,
}

macro_rules! as_the_grammar_has_it {
    ($($method:ident),+ $(,)?) => {
        $(fn $method(&self) -> bool {
            self.dialect.grammar().$method()
        })+
    };
}

impl Grammar for Lexicon {
    fn dialect(&self) -> TypeId {
        self.dialect.grammar().dialect()
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        self.dialect.grammar().is_identifier_start(ch) || !ch.is_ascii() && !ch.is_whitespace()
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        self.dialect.grammar().is_identifier_part(ch)
            || !ch.is_ascii() && !ch.is_whitespace()
            || ch == '$' && self.dialect == Dialect::Sqlite
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        self.dialect.grammar().is_delimited_identifier_start(ch)
    }

    fn is_custom_operator_part(&self, ch: char) -> bool {
        self.dialect.grammar().is_custom_operator_part(ch)
    }

    fn supports_geometric_types(&self) -> bool {
        self.geometric && self.dialect.grammar().supports_geometric_types()
    }

    fn supports_multiline_comment_hints(&self) -> bool {
        false
    }

    as_the_grammar_has_it!(
        ignores_wildcard_escapes,
        requires_single_line_comment_whitespace,
        supports_dollar_as_money_prefix,
        supports_dollar_placeholder,
        supports_nested_comments,
        supports_numeric_literal_underscores,
        supports_numeric_prefix,
        supports_pipe_operator,
        supports_quote_delimited_string,
        supports_string_escape_constant,
        supports_string_literal_backslash_escape,
        supports_triple_quoted_string,
        supports_unicode_string_literal,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for dialect in Dialect::ALL {
            assert_eq!(dialect.to_string().parse(), Ok(dialect));
        }
        assert_eq!("postgresql".parse(), Ok(Dialect::Postgres));
        assert_eq!("mariadb".parse(), Ok(Dialect::Mysql));
        assert_eq!(
            "oracle".parse::<Dialect>().unwrap_err().to_string(),
            "unknown dialect `oracle`; use `sqlite`, `postgres` or `mysql`"
        );
    }
}
