//! Tables, and the apps that they belong to.

use std::borrow::Cow;
use std::fmt;

use router_core::AppLabel;
use rustc_hash::FxHashMap;

use super::model::App;
use crate::text::names::{self, NameError, NamePart};

/// A table's name or a glob over names: `posts`, `blog_*`, `blog.*`, `"Order Items"`.
///
/// `*` stands for any run of characters, `?` for one, neither for the dot before the table. Case
/// does not count for ASCII letters: SQL folds the names that are not quoted, and a pattern cannot
/// know which were. A name without a schema means the schema that a database takes when a statement
/// names none, so `posts`, `public.posts` (PostgreSQL) and `main.posts` (SQLite) are one table.
///
/// A part in quotes (`"…"`, `` `…` `` or `[…]`) means just this name: with its spaces, dots and stars, and with its case
/// where the engine counts case. PostgreSQL does, so `"Posts"` is another table than `posts` there. On SQLite and MySQL
/// the two are one table, unless another pattern has the name in the very case of the statement.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TablePattern {
    /// As it was written.
    text: Box<str>,
    /// In lower case, where it was not written so.
    lower: Option<Box<str>>,
    /// Where the schema ends; 0 where there is none, or one that stands for none.
    schema_end: usize,
    table_start: usize,
    /// Schema and table, where one of them stands in quotes.
    quoted: Option<Box<[OwnPart; 2]>>,
}

/// A part of a pattern of which some part stands in quotes: in lower case, unless it is the one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct OwnPart {
    name: Box<str>,
    is_literal: bool,
}

/// A part of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Part<'a> {
    name: &'a str,
    /// Whether it means just this name, and not a glob in any case.
    is_literal: bool,
}

/// Whether letter case tells the names of tables apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameCase {
    /// It does, as the names were folded the way the server folds them.
    Counts,
    /// It does not, or only on some servers.
    Ignored,
}

/// Why a text is no pattern, or one that could never match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PatternError {
    /// It is no name at all.
    Name(NameError),
    /// A character that a name can only have in quotes.
    Character(char),
    /// More parts than schema and table, with the last two.
    TooManyParts(String),
}

impl From<NameError> for PatternError {
    fn from(error: NameError) -> Self {
        Self::Name(error)
    }
}

impl TablePattern {
    /// Reads a pattern. Returns `None` where the text is none: empty, with an empty part, with a quote that is not
    /// closed, or with a character that a name can only have in quotes.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        Self::read(text).ok()
    }

    /// Reads a pattern, or says why the text is none.
    pub(crate) fn read(text: &str) -> Result<Self, PatternError> {
        let parts = names::parts(text)?;
        // What SQL reads as the end of a name, as a text or as a quote. A glob has `*` and `?`.
        let stray = |c: char| c.is_whitespace() || c.is_control() || "\"`'[]{}(),;:/\\@".contains(c);
        for part in parts.iter().filter(|part| !part.is_quoted) {
            if let Some(c) = part.name.chars().find(|c| stray(*c)) {
                return Err(PatternError::Character(c));
            }
        }
        let (schema, table) = match &parts[..] {
            [table] => (None, table),
            [schema, table] => (Some(schema), table),
            // Which parts are the last two is plain to see only where none has a dot of its own.
            _ => {
                let last: Vec<String> = parts[parts.len() - 2..].iter().map(|part| written(part)).collect();
                return Err(PatternError::TooManyParts(last.join(".")));
            }
        };
        let mut pattern = Self::divided(text.into());
        if parts.iter().any(|part| part.is_quoted) {
            let own = |part: Option<&NamePart<'_>>| OwnPart {
                name: match part {
                    None => "".into(),
                    Some(part) if part.is_quoted => part.name.as_ref().into(),
                    Some(part) => lower(&part.name).into(),
                },
                is_literal: part.is_some_and(|part| part.is_quoted),
            };
            let mut schema = own(schema);
            if plain_schema(&schema.name).is_empty() {
                schema = own(None);
            }
            pattern.quoted = Some(Box::new([schema, own(Some(table))]));
        } else {
            pattern.schema_end = plain_schema(&pattern.lower()[..pattern.schema_end]).len();
        }
        Ok(pattern)
    }

    /// The patterns of an app that declares none: `<app>_*` and `<app>.*`.
    #[must_use]
    pub fn defaults(app: &AppLabel) -> Vec<Self> {
        let app = app.as_str();
        vec![Self::divided([app, "_*"].concat().into()), Self::divided([app, ".*"].concat().into())]
    }

    /// The pattern that means one table alone, with quotes only where the name needs them.
    pub(crate) fn text_of(schema: Option<&str>, table: &str, case: NameCase) -> String {
        let part = |name: &str| {
            let plain = |c: char| {
                c.is_alphanumeric() && !(c.is_ascii_uppercase() && case == NameCase::Counts)
                    || "_$-".contains(c)
            };
            let is_quoted = !name.chars().all(plain);
            written(&NamePart { name: Cow::Borrowed(name), is_quoted })
        };
        match schema {
            Some(schema) => format!("{}.{}", part(schema), part(table)),
            None => part(table),
        }
    }

    /// Schema and table as they are written, whatever they are.
    fn divided(text: Box<str>) -> Self {
        let lower = match lower(&text) {
            Cow::Owned(lower) => Some(lower.into()),
            Cow::Borrowed(_) => None,
        };
        let dot = text.rfind('.');
        let (schema_end, table_start) = (dot.unwrap_or(0), dot.map_or(0, |dot| dot + 1));
        Self { schema_end, table_start, text, lower, quoted: None }
    }

    fn schema(&self) -> Part<'_> {
        match &self.quoted {
            Some(parts) => parts[0].part(),
            None => Part { name: &self.lower()[..self.schema_end], is_literal: false },
        }
    }

    fn table(&self) -> Part<'_> {
        match &self.quoted {
            Some(parts) => parts[1].part(),
            None => Part { name: &self.lower()[self.table_start..], is_literal: false },
        }
    }

    fn lower(&self) -> &str {
        self.lower.as_ref().unwrap_or(&self.text)
    }

    /// Whether a table is meant. A part in quotes must have the very case of the name.
    #[must_use]
    pub fn matches(&self, schema: Option<&str>, table: &str) -> bool {
        self.matches_in(schema, table, NameCase::Counts)
    }

    fn matches_in(&self, schema: Option<&str>, table: &str, case: NameCase) -> bool {
        let schema = schema.unwrap_or_default();
        let schema = if plain_schema(&lower(schema)).is_empty() { "" } else { schema };
        self.schema().matches(schema, case) && self.table().matches(table, case)
    }

    /// Whether the pattern means one table only.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.schema().is_glob() && !self.table().is_glob()
    }

    /// Schema and name of the one table that an exact pattern means. A name that is not in quotes is in lower case.
    #[must_use]
    pub fn exact_table(&self) -> Option<(Option<&str>, &str)> {
        let schema = Some(self.schema().name).filter(|schema| !schema.is_empty());
        self.is_exact().then(|| (schema, self.table().name))
    }

    /// Whether two patterns mean the same tables, however they are written: `public.posts`, `Posts` and `"posts"`.
    #[must_use]
    pub fn means_same(&self, other: &Self) -> bool {
        self.key() == other.key()
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Schema and table in the form in which patterns are compared.
    pub(crate) fn key(&self) -> (Part<'_>, Part<'_>) {
        (self.schema().plain(), self.table().plain())
    }

    /// Whether a part stands in quotes.
    fn has_quotes(&self) -> bool {
        self.quoted.is_some()
    }
}

impl OwnPart {
    fn part(&self) -> Part<'_> {
        Part { name: &self.name, is_literal: self.is_literal }
    }
}

impl Part<'_> {
    fn is_glob(self) -> bool {
        !self.is_literal && is_glob(self.name)
    }

    fn matches(self, name: &str, case: NameCase) -> bool {
        match (self.is_literal, case) {
            (true, NameCase::Counts) => self.name == name,
            (true, NameCase::Ignored) => self.name.eq_ignore_ascii_case(name),
            (false, _) => glob(self.name, &lower(name)),
        }
    }

    /// The part without the mark of its quotes where they change nothing.
    fn plain(self) -> Self {
        let needs_quotes = is_glob(self.name) || matches!(lower(self.name), Cow::Owned(_));
        Self { is_literal: self.is_literal && needs_quotes, ..self }
    }
}

/// A part of a name as a pattern has it.
fn written(part: &NamePart<'_>) -> String {
    if part.is_quoted { format!("\"{}\"", part.name.replace('"', "\"\"")) } else { part.name.to_string() }
}

impl fmt::Display for TablePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for TablePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

/// Finds the app of a table.
///
/// Exact names come first; among globs the first in file order decides. A look-up hashes the name
/// and the beginnings of it, whatever the number of apps.
#[derive(Debug, Clone, Default)]
pub struct TableMap {
    apps: Vec<AppLabel>,
    /// By schema, then by table.
    exact: FxHashMap<String, FxHashMap<String, u32>>,
    /// Exact names with a part in quotes, by the table in lower case.
    quoted: FxHashMap<String, Vec<(u32, TablePattern)>>,
    /// Globs of the form `schema.*`: by schema.
    schemas: FxHashMap<String, Ranked>,
    /// Globs without a schema of the form `beginning*`: by the beginning.
    beginnings: FxHashMap<String, Ranked>,
    /// All other globs, in file order.
    others: Vec<(Ranked, TablePattern)>,
    has_question_marks: bool,
}

/// A glob's rank in file order, and its app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ranked {
    rank: u32,
    app: u32,
}

impl TableMap {
    /// Builds the map from apps in file order.
    #[must_use]
    pub fn new(apps: &[App]) -> Self {
        Self::of(apps, |app| &app.tables)
    }

    /// The same of other patterns of the apps.
    pub(crate) fn of(apps: &[App], patterns: impl Fn(&App) -> &[TablePattern]) -> Self {
        let mut map = Self::default();
        let mut rank = 0;
        for (app, declared) in apps.iter().enumerate() {
            let app = u32::try_from(app).unwrap_or(u32::MAX);
            map.apps.push(declared.label.clone());
            for pattern in patterns(declared) {
                map.insert(pattern, Ranked { rank, app });
                rank += 1;
            }
        }
        map
    }

    fn insert(&mut self, pattern: &TablePattern, ranked: Ranked) {
        let (Part { name: schema, .. }, Part { name: table, .. }) = (pattern.schema(), pattern.table());
        let beginning = table.strip_suffix('*').filter(|beginning| !is_glob(beginning));
        if pattern.is_exact() && pattern.has_quotes() {
            let patterns = self.quoted.entry(lower(table).into_owned()).or_default();
            patterns.push((ranked.app, pattern.clone()));
        } else if pattern.is_exact() {
            let tables = self.exact.entry(schema.to_owned()).or_default();
            tables.entry(table.to_owned()).or_insert(ranked.app);
        } else if pattern.has_quotes() {
            self.has_question_marks |= pattern.text.contains('?');
            self.others.push((ranked, pattern.clone()));
        } else if table == "*" && !schema.is_empty() && !is_glob(schema) {
            self.schemas.entry(schema.to_owned()).or_insert(ranked);
        } else if let (Some(beginning), "") = (beginning, schema) {
            self.beginnings.entry(beginning.to_owned()).or_insert(ranked);
        } else {
            self.has_question_marks |= pattern.text.contains('?');
            self.others.push((ranked, pattern.clone()));
        }
    }

    /// The app that a table belongs to; nothing for a table of no app.
    ///
    /// The name is that of the server: in lower case on PostgreSQL where the statement has it without quotes. A pattern in
    /// quotes must have its very case. For a table of a statement, the router also knows whether its engine counts case.
    #[must_use]
    pub fn app_of(&self, schema: Option<&str>, table: &str) -> Option<&AppLabel> {
        self.app_in(schema, table, NameCase::Counts)
    }

    /// The app that a table belongs to, on an engine that does or does not count case.
    pub(crate) fn app_in(&self, schema: Option<&str>, table: &str, case: NameCase) -> Option<&AppLabel> {
        let (named_schema, named_table) = (schema, table);
        let schema = lower(schema.unwrap_or_default());
        let schema = plain_schema(&schema);
        let table = lower(table);
        let quoted = |case| {
            let mut patterns = self.quoted.get(&*table).into_iter().flatten();
            let found = patterns.find(|(_, pattern)| pattern.matches_in(named_schema, named_table, case));
            found.map(|(app, _)| *app)
        };
        // The very case goes first, so that two tables whose names differ in case can both be declared.
        let app = quoted(NameCase::Counts)
            .or_else(|| self.exact.get(schema).and_then(|tables| tables.get(&*table)).copied())
            .or_else(|| quoted(case))
            .or_else(|| self.first_glob((named_schema, named_table), schema, &table, case))?;
        self.apps.get(app as usize)
    }

    /// The app whose earlier glob matches all that a glob matches, if that is plain to see.
    pub(crate) fn covering(&self, glob: &TablePattern) -> Option<&AppLabel> {
        // A glob that is taken for a name is matched by another's star and not by its letters; what
        // the `?` of another matches of it says nothing.
        let (Part { name: schema, .. }, Part { name: table, .. }) = (glob.schema(), glob.table());
        if glob.has_quotes() || is_glob(schema) || table.contains('?') || self.has_question_marks {
            return None;
        }
        let first = self.first_glob((Some(schema), table), schema, table, NameCase::Counts)?;
        self.apps.get(first as usize)
    }

    /// The app of the first glob, given the name as it is and its parts in lower case.
    fn first_glob(
        &self,
        named: (Option<&str>, &str),
        schema: &str,
        table: &str,
        case: NameCase,
    ) -> Option<u32> {
        let mut first = self.schemas.get(schema).copied();
        let mut consider = |ranked: Option<Ranked>| {
            first = match (first, ranked) {
                (Some(first), Some(ranked)) => Some(first.min(ranked)),
                (first, ranked) => first.or(ranked),
            };
        };
        if schema.is_empty() && !self.beginnings.is_empty() {
            for end in (0..=table.len()).filter(|end| table.is_char_boundary(*end)) {
                consider(self.beginnings.get(&table[..end]).copied());
            }
        }
        let other = self
            .others
            .iter()
            .find(|(_, pattern)| pattern.matches_in(named.0, named.1, case))
            .map(|(ranked, _)| *ranked);
        consider(other);
        first.map(|ranked| ranked.app)
    }
}

/// The schemas that a database takes when a statement names none are written as none.
fn plain_schema(schema: &str) -> &str {
    match schema {
        "public" | "main" => "",
        schema => schema,
    }
}

fn lower(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

fn is_glob(part: &str) -> bool {
    part.contains(['*', '?'])
}

/// Matches `*` and `?`, in time proportional to the product of both lengths at worst.
fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut last_star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                last_star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match last_star {
                // Let the last star stand for one character more, and try again.
                Some((star, from)) => {
                    last_star = Some((star, from + 1));
                    p = star + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> TablePattern {
        TablePattern::new(text).expect("a pattern")
    }

    #[test]
    fn patterns_match_as_data() {
        for (text, schema, table, expected) in [
            ("posts", None, "posts", true),
            ("posts", None, "POSTS", true),
            ("Posts", None, "posts", true),
            ("posts", Some("public"), "posts", true),
            ("posts", Some("main"), "posts", true),
            ("public.posts", None, "posts", true),
            ("posts", Some("archive"), "posts", false),
            ("blog_*", None, "blog_posts", true),
            ("blog_*", None, "blog_", true),
            ("blog_*", None, "weblog_posts", false),
            ("blog.*", Some("blog"), "posts", true),
            ("blog.*", None, "blog_posts", false),
            ("*_log", None, "audit_log", true),
            ("a?c", None, "abc", true),
            ("a?c", None, "ac", false),
            ("*a*b*", None, "xxaxxbxx", true),
            ("*", Some("other"), "posts", false),
            ("*.events", Some("tenant"), "events", true),
        ] {
            assert_eq!(pattern(text).matches(schema, table), expected, "{text} against {schema:?} {table}");
        }
    }

    #[test]
    fn refuses_what_is_no_pattern() {
        for text in [
            "",
            ".",
            "a.",
            ".a",
            "a b",
            "a. b",
            "a.b.c",
            "'posts'",
            "\"posts",
            "posts\"",
            "[posts",
            "[po]sts",
            "\"a\"*",
            "posts,comments",
            "u:secret@h",
            "posts()",
            "\"\"",
            "a.``",
        ] {
            assert_eq!(TablePattern::new(text), None, "{text:?}");
        }
    }

    #[test]
    fn names_in_quotes_match_as_data() {
        for (text, schema, table, on_postgres, elsewhere) in [
            (r#""posts""#, None, "posts", true, true),
            ("`posts`", None, "posts", true, true),
            ("[posts]", Some("public"), "posts", true, true),
            (r#""posts""#, None, "Posts", false, true),
            (r#""Posts""#, None, "Posts", true, true),
            (r#""Posts""#, None, "posts", false, true),
            (r#""Order Items""#, None, "Order Items", true, true),
            (r#""Order Items""#, None, "Order  Items", false, false),
            (r#""a.b""#, None, "a.b", true, true),
            (r#""a.b""#, Some("a"), "b", false, false),
            (r#""a*""#, None, "a*", true, true),
            (r#""a*""#, None, "ab", false, false),
            (r#""a?""#, None, "ab", false, false),
            (r#""a""b""#, None, "a\"b", true, true),
            ("`a``b`", None, "a`b", true, true),
            ("[a]]b]", None, "a]b", true, true),
            (r#""My Schema"."My Table""#, Some("My Schema"), "My Table", true, true),
            (r#""My Schema"."My Table""#, Some("my schema"), "my table", false, true),
            (r#""My Schema".*"#, Some("My Schema"), "anything", true, true),
            (r#""My Schema".*"#, Some("my schema"), "anything", false, true),
            (r#"blog."Posts""#, Some("BLOG"), "Posts", true, true),
            (r#"*."Posts""#, Some("any"), "Posts", true, true),
            (r#"*."Posts""#, Some("any"), "posts", false, true),
            (r#""public"."Posts""#, None, "Posts", true, true),
            (r#"main."Posts""#, None, "Posts", true, true),
        ] {
            let pattern = pattern(text);
            for (case, expected) in [(NameCase::Counts, on_postgres), (NameCase::Ignored, elsewhere)] {
                assert_eq!(
                    pattern.matches_in(schema, table, case),
                    expected,
                    "{text}: {schema:?} {table} {case:?}"
                );
                let mut map = TableMap { apps: vec![AppLabel::new("blog")], ..TableMap::default() };
                map.insert(&pattern, Ranked { rank: 0, app: 0 });
                let found = map.app_in(schema, table, case).is_some();
                assert_eq!(found, expected, "{text} in a map: {schema:?} {table} {case:?}");
            }
        }
    }

    #[test]
    fn the_very_case_goes_first() {
        let mut map = TableMap { apps: vec![AppLabel::new("a"), AppLabel::new("b")], ..TableMap::default() };
        map.insert(&pattern("posts"), Ranked { rank: 0, app: 0 });
        map.insert(&pattern("\"Posts\""), Ranked { rank: 1, app: 1 });
        for case in [NameCase::Counts, NameCase::Ignored] {
            assert_eq!(map.app_in(None, "posts", case).unwrap(), "a");
            assert_eq!(map.app_in(None, "Posts", case).unwrap(), "b");
            assert_eq!(map.app_in(None, "POSTS", case).unwrap(), "a");
        }
    }

    #[test]
    fn a_table_is_written_so_that_it_is_read_as_itself() {
        for (schema, table, text) in [
            (None, "posts", "posts"),
            (Some("blog"), "posts", "blog.posts"),
            (None, "Posts", "\"Posts\""),
            (Some("My Schema"), "a.b\"c*", "\"My Schema\".\"a.b\"\"c*\""),
        ] {
            assert_eq!(TablePattern::text_of(schema, table, NameCase::Counts), text);
            assert_eq!(pattern(text).exact_table(), Some((schema, table)));
        }
        assert_eq!(TablePattern::text_of(None, "Posts", NameCase::Ignored), "Posts");
        assert!(pattern("Posts").means_same(&pattern("public.\"posts\"")));
        assert!(!pattern("posts").means_same(&pattern("\"Posts\"")));
        assert!(!pattern("a*").means_same(&pattern("\"a*\"")));
    }

    #[test]
    fn an_app_has_by_default_what_begins_with_its_label() {
        for (app, schema, table, expected) in [
            ("Blog", None, "blog_posts", true),
            ("Blog", Some("BLOG"), "posts", true),
            ("Blog", None, "posts", false),
            // The schema that stands for none is not all of an app that happens to be called so.
            ("main", Some("main"), "posts", false),
        ] {
            let patterns = TablePattern::defaults(&AppLabel::new(app));
            let matches = patterns.iter().any(|pattern| pattern.matches(schema, table));
            assert_eq!(matches, expected, "{app}: {schema:?} {table}");
        }
    }

    #[test]
    fn a_star_in_every_place_costs_no_more_than_the_product() {
        let stars = "*a".repeat(200) + "b";
        assert!(!pattern(&stars).matches(None, &"a".repeat(5_000)));
    }
}
