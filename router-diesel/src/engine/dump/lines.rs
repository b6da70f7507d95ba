//! The lines of a dump, with those told apart that begin inside of a text, a quoted name or the body of a function.

/// A line, and whether it begins where a statement could.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Line<'a> {
    pub(in crate::engine) text: &'a str,
    pub(in crate::engine) is_code: bool,
}

/// How texts are quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Quoting {
    /// `'it''s'`, `E'it\'s'`, `"name"`, `$body$ … $body$`.
    Postgres,
    /// `'it\'s'`, `"text"`, `` `name` ``.
    Mysql,
}

enum State<'a> {
    Code,
    /// Up to this quote; a backslash takes away the meaning of what follows it.
    Quoted {
        end: u8,
        has_escapes: bool,
    },
    /// Up to this tag.
    Dollar(&'a [u8]),
    Comment,
}

/// Splits a dump into its lines.
pub(in crate::engine) fn lines(sql: &str, quoting: Quoting) -> Vec<Line<'_>> {
    let bytes = sql.as_bytes();
    let mut lines = Vec::new();
    let mut state = State::Code;
    let (mut at, mut start, mut is_code) = (0, 0, true);
    while at < bytes.len() {
        let byte = bytes[at];
        let rest = &bytes[at..];
        let mut width = 1;
        match &state {
            State::Code => (state, width) = begun(bytes, at, quoting),
            State::Quoted { has_escapes: true, .. } if byte == b'\\' => width = 2,
            // A doubled quote ends the text and begins it again, which comes to the same.
            State::Quoted { end, .. } if byte == *end => state = State::Code,
            State::Dollar(tag) if rest.starts_with(tag) => {
                width = tag.len();
                state = State::Code;
            }
            State::Comment if rest.starts_with(b"*/") => {
                width = 2;
                state = State::Code;
            }
            State::Quoted { .. } | State::Dollar(_) | State::Comment => {}
        }
        let next = (at + width).min(bytes.len());
        // What was passed has a line's end only as its last byte, or after a backslash.
        if let Some(end) = bytes[at..next].iter().position(|byte| *byte == b'\n') {
            let end = at + end;
            lines.push(Line { text: &sql[start..end], is_code });
            start = end + 1;
            is_code = matches!(state, State::Code);
        }
        at = next;
    }
    if start < sql.len() {
        lines.push(Line { text: &sql[start..], is_code });
    }
    lines
}

/// What begins at a place where a statement could, and how far it goes on at least.
fn begun(bytes: &[u8], at: usize, quoting: Quoting) -> (State<'_>, usize) {
    let (byte, rest) = (bytes[at], &bytes[at..]);
    let quoted = |has_escapes| (State::Quoted { end: byte, has_escapes }, 1);
    match byte {
        b'-' if is_comment(rest, quoting) => (State::Code, line_end(rest)),
        b'#' if quoting == Quoting::Mysql => (State::Code, line_end(rest)),
        // `/*!50003 … */` is read by the server.
        b'/' if rest.starts_with(b"/*") && !rest.starts_with(b"/*!") && !rest.starts_with(b"/*M!") => {
            (State::Comment, 2)
        }
        b'\'' => quoted(quoting == Quoting::Mysql || follows_e(&bytes[..at])),
        b'"' => quoted(quoting == Quoting::Mysql),
        b'`' if quoting == Quoting::Mysql => quoted(false),
        b'$' if quoting == Quoting::Postgres && !ends_in_word(&bytes[..at]) => {
            dollar_tag(rest).map_or((State::Code, 1), |tag| (State::Dollar(tag), tag.len()))
        }
        _ => (State::Code, 1),
    }
}

/// Whether `--` begins a comment, for which MySQL wants a space behind it.
fn is_comment(rest: &[u8], quoting: Quoting) -> bool {
    rest.starts_with(b"--")
        && (quoting == Quoting::Postgres || rest.get(2).is_none_or(u8::is_ascii_whitespace))
}

/// How far it is to the end of the line, without that.
fn line_end(rest: &[u8]) -> usize {
    rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn ends_in_word(before: &[u8]) -> bool {
    before.last().is_some_and(|byte| is_word(*byte) || *byte == b'$')
}

/// Whether a quote after this is that of `E'…'`.
fn follows_e(before: &[u8]) -> bool {
    before.split_last().is_some_and(|(last, before)| matches!(last, b'e' | b'E') && !ends_in_word(before))
}

/// `$body$` at the beginning of a text.
fn dollar_tag(rest: &[u8]) -> Option<&[u8]> {
    let end = rest.iter().skip(1).position(|byte| *byte == b'$')? + 1;
    let tag = &rest[1..end];
    let is_tag = tag.iter().all(|byte| is_word(*byte)) && !tag.first().is_some_and(u8::is_ascii_digit);
    is_tag.then_some(&rest[..=end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(quoting: Quoting, sql: &str, code: &[bool]) {
        let lines = lines(sql, quoting);
        assert_eq!(lines.iter().map(|line| line.is_code).collect::<Vec<_>>(), code, "{sql}");
        assert_eq!(
            lines.iter().map(|line| line.text).collect::<Vec<_>>().join("\n"),
            sql.trim_end_matches('\n')
        );
    }

    #[test]
    fn lines_as_data() {
        use Quoting::{Mysql, Postgres};
        check(Postgres, "a\nb\n", &[true, true]);
        check(Postgres, "'a\n--b'\nc", &[true, false, true]);
        check(Postgres, "'it''s\nx'\nc", &[true, false, true]);
        check(Postgres, "-- it's\nc", &[true, true]);
        check(Postgres, "'a\\'\nc", &[true, true]);
        check(Postgres, "E'a\\'\nc'\nd", &[true, false, true]);
        check(Postgres, "$$ '\n-- x\n$$;\nd", &[true, false, false, true]);
        check(Postgres, "$_x$ $$\n$_x$;\nd", &[true, false, true]);
        check(Postgres, "SELECT $1, a$b$\nd", &[true, true]);
        check(Postgres, "\"a\n\"\nd", &[true, false, true]);
        check(Postgres, "/* it's\n*/\nd", &[true, false, true]);
        check(Mysql, "'a\\'\nb'\nc", &[true, false, true]);
        check(Mysql, "'a\\\nb'\nc", &[true, false, true]);
        check(Mysql, "`a'`\n/*!50003 SET x = 'b\n' */;\nd", &[true, true, false, true]);
        check(Mysql, "# it's\nd", &[true, true]);
        check(Mysql, "5--'a\n'\nd", &[true, false, true]);
    }
}
