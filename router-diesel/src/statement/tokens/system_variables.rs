//! MySQL's system variables in quotes, ``@@`name` ``, of which `sqlparser` makes no token.

use std::borrow::Cow;

use crate::statement::comments::{behind_comment, behind_line, behind_quoted};

/// Takes the quotes off, and leaves blanks, so that every place stays what it was.
pub(super) fn without_quotes(sql: &str) -> Cow<'_, str> {
    if !sql.contains(OPENING) {
        return Cow::Borrowed(sql);
    }
    let bytes = sql.as_bytes();
    let mut text = String::with_capacity(sql.len());
    let (mut at, mut done) = (0, 0);
    while at < bytes.len() {
        let rest = &bytes[at..];
        at = match rest[0] {
            b'@' if rest.starts_with(OPENING.as_bytes()) => {
                let (begins, behind) = (at + OPENING.len(), behind_quoted(bytes, at + 2, b'`'));
                let is_closed = bytes[behind - 1] == b'`';
                let name = sql.get(begins..behind - 1).filter(|name| is_closed && is_plain(name));
                if let Some(name) = name {
                    text.push_str(&sql[done..at]);
                    text.push_str("@@");
                    text.push_str(name);
                    text.push_str("  ");
                    done = behind;
                }
                behind
            }
            quote @ (b'\'' | b'"' | b'`') => behind_quoted(bytes, at, quote),
            b'#' => behind_line(bytes, at),
            b'-' if rest.starts_with(b"--") && rest.get(2).is_none_or(u8::is_ascii_whitespace) => {
                behind_line(bytes, at)
            }
            b'/' if rest.starts_with(b"/*") => behind_comment(bytes, at),
            _ => at + 1,
        };
    }
    text.push_str(&sql[done..]);
    Cow::Owned(text)
}

const OPENING: &str = "@@`";

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_become_blanks_behind_the_name() {
        for (sql, plain) in [
            ("SELECT @@x", "SELECT @@x"),
            ("SELECT @@`x`, `a`", "SELECT @@x  , `a`"),
            ("SELECT @@`session`.`x`", "SELECT @@session  .`x`"),
            ("SELECT '@@`x`' -- @@`x`", "SELECT '@@`x`' -- @@`x`"),
            ("/* @@`x` */ SELECT @@`é`", "/* @@`x` */ SELECT @@`é`"),
            ("SELECT @@`xy", "SELECT @@`xy"),
            ("SELECT @@`", "SELECT @@`"),
        ] {
            assert_eq!(without_quotes(sql), plain);
        }
    }
}
