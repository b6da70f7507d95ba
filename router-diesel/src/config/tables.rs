//! Tables, and the apps that they belong to.

use std::borrow::Cow;
use std::fmt;

use router_core::AppLabel;
use rustc_hash::FxHashMap;

use super::model::App;

/// A table's name or a glob over names: `posts`, `blog_*`, `blog.*`.
///
/// `*` stands for any run of characters, `?` for one, neither for the dot before the table. Case
/// does not count for ASCII letters: SQL folds the names that are not quoted, and a pattern cannot
/// know which were. A name without a schema means the schema that a database takes when a statement
/// names none, so `posts`, `public.posts` (PostgreSQL) and `main.posts` (SQLite) are one table.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TablePattern {
    /// As it was written.
    text: Box<str>,
    /// In lower case, where it was not written so.
    lower: Option<Box<str>>,
    /// Where the schema ends; 0 where there is none, or one that stands for none.
    schema_end: usize,
    table_start: usize,
}

impl TablePattern {
    /// Reads a pattern, or says nothing where the text is none: empty, or with an empty part.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let pattern = Self::divided(text.into());
        let sound = |part: &str| !part.is_empty() && !part.contains(char::is_whitespace);
        if !sound(pattern.table()) || (pattern.table_start > 0 && !sound(pattern.schema())) {
            return None;
        }
        let schema_end = plain_schema(pattern.schema()).len();
        Some(Self { schema_end, ..pattern })
    }

    /// The patterns of an app that declares none: `<app>_*` and `<app>.*`.
    #[must_use]
    pub fn defaults(app: &AppLabel) -> Vec<Self> {
        let app = app.as_str();
        vec![Self::divided([app, "_*"].concat().into()), Self::divided([app, ".*"].concat().into())]
    }

    /// Schema and table as they are written, whatever they are.
    fn divided(text: Box<str>) -> Self {
        let lower = match lower(&text) {
            Cow::Owned(lower) => Some(lower.into()),
            Cow::Borrowed(_) => None,
        };
        let dot = text.rfind('.');
        Self { schema_end: dot.unwrap_or(0), table_start: dot.map_or(0, |dot| dot + 1), text, lower }
    }

    fn schema(&self) -> &str {
        &self.lower()[..self.schema_end]
    }

    fn table(&self) -> &str {
        &self.lower()[self.table_start..]
    }

    fn lower(&self) -> &str {
        self.lower.as_ref().unwrap_or(&self.text)
    }

    /// Whether a table is meant.
    #[must_use]
    pub fn matches(&self, schema: Option<&str>, table: &str) -> bool {
        let schema = lower(schema.unwrap_or_default());
        glob(self.schema(), plain_schema(&schema)) && glob(self.table(), &lower(table))
    }

    /// Whether the pattern means one table only.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !is_glob(self.schema()) && !is_glob(self.table())
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Schema and table of an exact pattern in the form in which tables are compared.
    pub(crate) fn key(&self) -> (&str, &str) {
        (self.schema(), self.table())
    }
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
        let (schema, table) = pattern.key();
        let beginning = table.strip_suffix('*').filter(|beginning| !is_glob(beginning));
        if pattern.is_exact() {
            let tables = self.exact.entry(schema.to_owned()).or_default();
            tables.entry(table.to_owned()).or_insert(ranked.app);
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
    #[must_use]
    pub fn app_of(&self, schema: Option<&str>, table: &str) -> Option<&AppLabel> {
        let schema = lower(schema.unwrap_or_default());
        let schema = plain_schema(&schema);
        let table = lower(table);
        let exact = self.exact.get(schema).and_then(|tables| tables.get(&*table)).copied();
        let app = exact.or_else(|| self.first_glob(schema, &table))?;
        self.apps.get(app as usize)
    }

    /// The app whose earlier glob matches all that a glob matches, if that is plain to see.
    pub(crate) fn covering(&self, glob: &TablePattern) -> Option<&AppLabel> {
        // A glob that is taken for a name is matched by another's star and not by its letters; what
        // the `?` of another matches of it says nothing.
        let (schema, table) = glob.key();
        if is_glob(schema) || table.contains('?') || self.has_question_marks {
            return None;
        }
        let first = self.first_glob(schema, table)?;
        self.apps.get(first as usize)
    }

    fn first_glob(&self, schema: &str, table: &str) -> Option<u32> {
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
            .find(|(_, pattern)| glob(pattern.schema(), schema) && glob(pattern.table(), table))
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
        for text in ["", ".", "a.", ".a", "a b", "a. b"] {
            assert_eq!(TablePattern::new(text), None, "{text:?}");
        }
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
