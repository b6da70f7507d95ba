//! MySQL's comments that are none: `/*! … */` is run, `/*!80000 … */` by servers from that version on.
//!
//! Which product and version a server is, a text does not say. MariaDB passes over what is meant for MySQL 5.7 and later,
//! and runs `/*M! … */`, which MySQL takes for a comment. So a text may have two meanings, and both are read.

use std::borrow::Cow;

use super::Dialect;

/// What both products run, if they are not older than MariaDB 10 and MySQL 5.7: `/*!00000` to `/*!50699`.
const BY_ALL: u32 = 50_700;

/// A text as some server runs it, with the places of the comments that it runs. All places are those of the text before.
#[derive(Debug)]
pub(crate) struct Meaning<'s> {
    pub(crate) text: Cow<'s, str>,
    /// From the opening `/*!` to behind the `*/`.
    pub(crate) run: Vec<(usize, usize)>,
}

/// The meanings of a text: one, or a second where servers differ. The first runs every comment that any server runs.
pub(crate) fn meanings(dialect: Dialect, sql: &str) -> (Meaning<'_>, Option<Meaning<'_>>) {
    let plain = || Meaning { text: Cow::Borrowed(sql), run: Vec::new() };
    if dialect != Dialect::Mysql || !(sql.contains("/*!") || sql.contains("/*M!")) {
        return (plain(), None);
    }
    let found = find(sql);
    if found.is_empty() {
        return (plain(), None);
    }
    let doubtful = found.iter().any(|comment| comment.is_doubtful);
    let second = doubtful.then(|| meaning(sql, found.iter().filter(|comment| !comment.is_doubtful)));
    (meaning(sql, found.iter()), second)
}

/// A comment that some servers run.
struct Runs {
    opens: usize,
    /// Behind `/*!` and the version.
    begins: usize,
    /// Where its `*/` stands.
    ends: usize,
    is_doubtful: bool,
}

/// Takes the marks of these comments out, and leaves blanks, so that every place stays what it was.
fn meaning<'s, 'c>(sql: &'s str, comments: impl Iterator<Item = &'c Runs>) -> Meaning<'s> {
    let mut text = String::with_capacity(sql.len());
    let mut run = Vec::new();
    let mut done = 0;
    for comment in comments {
        text.push_str(&sql[done..comment.opens]);
        text.extend(std::iter::repeat_n(' ', comment.begins - comment.opens));
        text.push_str(&sql[comment.begins..comment.ends]);
        text.push_str("  ");
        done = comment.ends + 2;
        run.push((comment.opens, done));
    }
    text.push_str(&sql[done..]);
    Meaning { text: Cow::Owned(text), run }
}

fn find(sql: &str) -> Vec<Runs> {
    let bytes = sql.as_bytes();
    let mut found: Vec<Runs> = Vec::new();
    let mut open: Option<Runs> = None;
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        at = match rest[0] {
            quote @ (b'\'' | b'"' | b'`') => behind_quoted(bytes, at, quote),
            b'#' => behind_line(bytes, at),
            b'-' if rest.starts_with(b"--") && rest.get(2).is_none_or(u8::is_ascii_whitespace) => {
                behind_line(bytes, at)
            }
            b'*' if rest.starts_with(b"*/") => {
                if let Some(runs) = open.take() {
                    found.push(Runs { ends: at, ..runs });
                }
                at + 2
            }
            b'/' if open.is_none() && (rest.starts_with(b"/*!") || rest.starts_with(b"/*M!")) => {
                let mark = at + if rest[2] == b'M' { 4 } else { 3 };
                let digits = bytes[mark..].iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
                // Fewer than five are no version but text.
                let digits = if digits < 5 { 0 } else { digits };
                let version: u32 = sql[mark..mark + digits].parse().unwrap_or(0);
                let is_doubtful = rest[2] == b'M' || version >= BY_ALL;
                open = Some(Runs { opens: at, begins: mark + digits, ends: 0, is_doubtful });
                mark + digits
            }
            b'/' if rest.starts_with(b"/*") => behind_comment(bytes, at),
            _ => at + 1,
        };
    }
    found
}

pub(super) fn behind_quoted(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quote != b'`' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

pub(super) fn behind_line(bytes: &[u8], start: usize) -> usize {
    bytes[start..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| start + length + 1)
}

pub(super) fn behind_comment(bytes: &[u8], start: usize) -> usize {
    let inner = start + 2;
    bytes[inner.min(bytes.len())..]
        .windows(2)
        .position(|pair| pair == b"*/")
        .map_or(bytes.len(), |length| inner + length + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_run_stays_and_the_marks_go() {
        for (sql, all, some) in [
            ("SELECT 1", "SELECT 1", None),
            ("/*!50001 a*/ b", "         a   b", None),
            ("/*! a */ '/*! b */' `/*!` -- /*! c */", "    a    '/*! b */' `/*!` -- /*! c */", None),
            ("a /*!80000 b */", "a          b   ", Some("a /*!80000 b */")),
            ("a /*!100100 b */", "a           b   ", Some("a /*!100100 b */")),
            ("a /*M! b *//*!40000c*/", "a      b           c  ", Some("a /*M! b */        c  ")),
            ("/*!1 a */", "   1 a   ", None),
            ("/*!50000 a /* b */ c */", "         a /* b */ c   ", None),
            ("/*! a", "/*! a", None),
            ("'é' /*! 'é' */", "'é'     'é'   ", None),
        ] {
            let (first, second) = meanings(Dialect::Mysql, sql);
            assert_eq!((&*first.text, second.as_ref().map(|second| &*second.text)), (all, some), "{sql}");
            assert_eq!(first.text.len(), sql.len());
        }
        assert_eq!(meanings(Dialect::Postgres, "/*! a */").0.text, "/*! a */");
    }
}
