//! Words that stand before a parenthesis and call no function: `IN (…)`, `varchar(3)`, `OVER (…)`.

use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use crate::statement::Dialect;

/// Words that no engine takes for the name of a function, unless they are quoted.
const RESERVED: &[&str] = &[
    "and",
    "as",
    "between",
    "case",
    "cast",
    "check",
    "create",
    "default",
    "distinct",
    "else",
    "except",
    "exists",
    "foreign",
    "from",
    "group",
    "having",
    "in",
    "intersect",
    "into",
    "not",
    "null",
    "on",
    "or",
    "primary",
    "references",
    "select",
    "table",
    "then",
    "union",
    "unique",
    "using",
    "values",
    "when",
    "where",
];

/// Those of one engine: what it reserves, its types, and the functions that its grammar knows by a keyword.
const fn reserved(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Sqlite => &["all", "collate", "escape", "is", "limit", "raise", "returning", "set"],
        Dialect::Postgres => &[
            "all",
            "any",
            "array",
            "bigint",
            "bit",
            "boolean",
            "char",
            "character",
            "coalesce",
            "collate",
            "dec",
            "decimal",
            "extract",
            "fetch",
            "float",
            "for",
            "greatest",
            "grouping",
            "int",
            "integer",
            "interval",
            "lateral",
            "least",
            "limit",
            "national",
            "nchar",
            "none",
            "normalize",
            "nullif",
            "numeric",
            "offset",
            "only",
            "overlay",
            "placing",
            "position",
            "precision",
            "real",
            "returning",
            "row",
            "setof",
            "smallint",
            "some",
            "substring",
            "symmetric",
            "time",
            "timestamp",
            "to",
            "treat",
            "trim",
            "user",
            "varchar",
            "variadic",
            "with",
            "xmlattributes",
            "xmlconcat",
            "xmlelement",
            "xmlexists",
            "xmlforest",
            "xmlnamespaces",
            "xmlparse",
            "xmlpi",
            "xmlroot",
            "xmlserialize",
            "xmltable",
        ],
        Dialect::Mysql => &[
            "all",
            "any",
            "bigint",
            "binary",
            "bit",
            "blob",
            "by",
            "char",
            "character",
            "collate",
            "convert",
            "dec",
            "decimal",
            "div",
            "double",
            "float",
            "float4",
            "float8",
            "for",
            "force",
            "fulltext",
            "ignore",
            "index",
            "int",
            "int2",
            "int4",
            "int8",
            "integer",
            "interval",
            "is",
            "join",
            "key",
            "keys",
            "like",
            "limit",
            "longblob",
            "longtext",
            "match",
            "mediumblob",
            "mediumint",
            "mediumtext",
            "mod",
            "national",
            "nchar",
            "numeric",
            "nvarchar",
            "offset",
            "over",
            "partition",
            "real",
            "regexp",
            "return",
            "returning",
            "rlike",
            "row",
            "set",
            "smallint",
            "some",
            "spatial",
            "straight_join",
            "text",
            "time",
            "timestamp",
            "tinyblob",
            "tinyint",
            "tinytext",
            "to",
            "unsigned",
            "update",
            "use",
            "varbinary",
            "varchar",
            "varying",
            "window",
            "with",
            "xor",
        ],
    }
}

/// Words that stand between an operand and a parenthesis. Where no operand comes before, they call a function.
const BEHIND_OPERAND: &[&str] = &[
    "against",
    "collate",
    "columns",
    "escape",
    "filter",
    "glob",
    "ilike",
    "is",
    "isnull",
    "join",
    "like",
    "match",
    "notnull",
    "offset",
    "over",
    "overlaps",
    "partition",
    "regexp",
    "repeatable",
    "rlike",
    "similar",
];

/// Words that are syntax behind one of some others.
const BEHIND_WORD: &[(&str, &[&str])] = &[
    ("by", &["group", "order", "partition"]),
    ("cube", &["by"]),
    ("day", &["to"]),
    ("hour", &["to"]),
    ("insert", &["then"]),
    ("materialized", &["as", "not"]),
    ("minute", &["to"]),
    ("precision", &["double"]),
    ("rollup", &["by"]),
    ("second", &["interval", "minute", "to"]),
    ("sets", &["grouping"]),
    ("varying", &["bit", "char", "character", "nchar"]),
];

/// Words behind which an operand is still to come.
const BEFORE_OPERAND: &[&str] = &[
    "all",
    "and",
    "any",
    "between",
    "by",
    "case",
    "distinct",
    "div",
    "else",
    "escape",
    "from",
    "having",
    "in",
    "is",
    "join",
    "like",
    "limit",
    "not",
    "offset",
    "on",
    "or",
    "return",
    "returning",
    "select",
    "set",
    "some",
    "then",
    "to",
    "using",
    "values",
    "when",
    "where",
    "xor",
];

impl Cursor<'_> {
    /// Whether the word here is followed by a parenthesis as a word of SQL, and not as the name of a function. `in_list`
    /// says whether tables are being listed, where an alias may have names of columns.
    pub(super) fn is_syntax(&self, at: usize, in_list: bool) -> bool {
        let Token::Word(word) = self.token(at) else { return false };
        if word.quote_style.is_some() || self.follows_period(at) {
            return false;
        }
        let before = at.wrapping_sub(1);
        self.is_any(at, RESERVED)
            || self.is_any(at, reserved(self.dialect()))
            || *self.token(before) == Token::DoubleColon
            || in_list && *self.token(before) == Token::RParen
            || self.is_any(at, BEHIND_OPERAND) && self.ends_operand(before)
            || BEHIND_WORD.iter().any(|(word, words)| self.is(at, word) && self.is_any(before, words))
    }

    /// Whether an operand ends here. `NOT` may stand between an operand and its operator.
    fn ends_operand(&self, at: usize) -> bool {
        match self.token(at) {
            Token::EOF | Token::LParen | Token::LBracket | Token::Comma | Token::SemiColon => false,
            Token::RParen | Token::RBracket | Token::Number(..) | Token::Placeholder(_) => true,
            Token::Word(word) if word.quote_style.is_some() || self.follows_period(at) => true,
            Token::Word(_) if self.is(at, "not") => self.ends_operand(at.wrapping_sub(1)),
            Token::Word(_) => !self.is_any(at, BEFORE_OPERAND),
            token => is_string(token),
        }
    }
}

fn is_string(token: &Token) -> bool {
    matches!(
        token,
        Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::DollarQuotedString(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::NationalStringLiteral(_)
            | Token::HexStringLiteral(_)
            | Token::SingleQuotedByteStringLiteral(_)
    )
}
