//! Names as people write them in a file or on a command line: `table`, `schema.table`, each part perhaps in quotes.

use std::borrow::Cow;

/// A part of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamePart<'a> {
    /// Without its quotes.
    pub(crate) name: Cow<'a, str>,
    /// Whether it stood in quotes, so that it means just this name.
    pub(crate) is_quoted: bool,
}

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameError {
    /// A part is empty.
    Empty,
    /// A quote is never closed.
    Unclosed,
    /// Something other than a dot follows a part in quotes.
    AfterQuote,
}

/// Takes a name apart at its dots, and its parts out of their quotes: `"…"`, `` `…` `` or `[…]`. A quote that is doubled
/// is one of the name's own.
///
/// # Errors
/// Why the text is no name.
pub(crate) fn parts(text: &str) -> Result<Vec<NamePart<'_>>, NameError> {
    let mut parts = Vec::with_capacity(2);
    let mut rest = text;
    loop {
        let length = match rest.chars().next() {
            Some(quote @ ('"' | '`')) => quoted_part(rest, quote, &mut parts)?,
            Some('[') => quoted_part(rest, ']', &mut parts)?,
            _ => {
                let length = rest.find('.').unwrap_or(rest.len());
                parts.push(NamePart { name: Cow::Borrowed(&rest[..length]), is_quoted: false });
                length
            }
        };
        if parts.last().is_none_or(|part| part.name.is_empty()) {
            return Err(NameError::Empty);
        }
        rest = match rest[length..].strip_prefix('.') {
            Some(rest) => rest,
            None if length == rest.len() => return Ok(parts),
            None => return Err(NameError::AfterQuote),
        };
    }
}

/// The parts of a name such as `blog.posts` or `blog."Order Items"`, each out of its quotes. Returns `None` where a part is
/// empty or a quote is not closed.
///
/// ```
/// use router_diesel::config::split_name;
///
/// assert_eq!(split_name(r#"blog."Order Items""#).unwrap(), ["blog", "Order Items"]);
/// assert_eq!(split_name("blog."), None);
/// ```
#[must_use]
pub fn split_name(text: &str) -> Option<Vec<Cow<'_, str>>> {
    Some(parts(text).ok()?.into_iter().map(|part| part.name).collect())
}

/// Takes a part out of its quotes, and says how long it was with them.
fn quoted_part<'a>(text: &'a str, closing: char, parts: &mut Vec<NamePart<'a>>) -> Result<usize, NameError> {
    let inner = &text[1..];
    let mut name = Cow::Borrowed("");
    let mut from = 0;
    loop {
        let end = inner[from..].find(closing).map(|at| from + at).ok_or(NameError::Unclosed)?;
        name += &inner[from..end];
        if !inner[end + 1..].starts_with(closing) {
            parts.push(NamePart { name, is_quoted: true });
            return Ok(end + 2);
        }
        name += &inner[end..=end];
        from = end + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_data() {
        let bare = |name: &str| (name.to_owned(), false);
        let quoted = |name: &str| (name.to_owned(), true);
        for (text, expected) in [
            ("posts", Ok(vec![bare("posts")])),
            ("blog.posts", Ok(vec![bare("blog"), bare("posts")])),
            (r#""Posts""#, Ok(vec![quoted("Posts")])),
            ("`a.b`.[c d]", Ok(vec![quoted("a.b"), quoted("c d")])),
            (r#""a""b".c*"#, Ok(vec![quoted("a\"b"), bare("c*")])),
            ("[a]]b].`c``d`", Ok(vec![quoted("a]b"), quoted("c`d")])),
            ("a.b.c", Ok(vec![bare("a"), bare("b"), bare("c")])),
            ("", Err(NameError::Empty)),
            (".", Err(NameError::Empty)),
            ("a.", Err(NameError::Empty)),
            (r#"a."""#, Err(NameError::Empty)),
            (r#""a"#, Err(NameError::Unclosed)),
            (r#""a""#, Ok(vec![quoted("a")])),
            (r#""a"""#, Err(NameError::Unclosed)),
            ("[a", Err(NameError::Unclosed)),
            ("[ab]*", Err(NameError::AfterQuote)),
            (r#""a"b.c"#, Err(NameError::AfterQuote)),
        ] {
            let parts = parts(text).map(|parts| {
                parts.into_iter().map(|part| (part.name.into_owned(), part.is_quoted)).collect::<Vec<_>>()
            });
            assert_eq!(parts, expected, "{text}");
        }
    }
}
