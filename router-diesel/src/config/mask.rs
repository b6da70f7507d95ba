//! Hides secrets in lines of a file, before anybody is shown them.
//!
//! It looks at text and not at YAML, because a file whose YAML is broken must keep its secrets too.
//! Where it cannot tell, it hides too much.

use std::ops::Range;

use crate::text::secrets::{self, MASK, after_last, closing_quote, is_secret_key};

/// A line without its secrets, and where they were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MaskedLine {
    pub(crate) text: String,
    /// The bytes of the original that a mask stands for, in order.
    hidden: Vec<Range<usize>>,
}

impl MaskedLine {
    fn new(line: &str, hidden: Vec<Range<usize>>) -> Self {
        let hidden = secrets::merged(hidden);
        Self { text: secrets::masked(line, &hidden), hidden }
    }

    /// The place in the masked line of a place in the original one; within a mask, its end.
    pub(crate) fn offset(&self, original: usize) -> usize {
        let within = |range: &&Range<usize>| range.start < original && original < range.end;
        let original = self.hidden.iter().find(within).map_or(original, |range| range.end);
        let before = self.hidden.iter().filter(|range| range.end <= original);
        let (removed, added) =
            before.fold((0, 0), |(removed, added), range| (removed + range.len(), added + MASK.len()));
        (original + added - removed).min(self.text.len())
    }
}

/// Masks all lines of a text.
pub(crate) fn lines(text: &str) -> Vec<MaskedLine> {
    let mut masked = Vec::new();
    // The depth of a key whose secret may go on in the lines below, which are then deeper.
    let mut secret_below: Option<usize> = None;
    let mut next_too = false;
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let depth = line.len() - line.trim_start().len();
        if line.trim().is_empty() {
            masked.push(MaskedLine::new(line, Vec::new()));
            continue;
        }
        if next_too || secret_below.is_some_and(|key| depth > key) {
            next_too = false;
            masked.push(MaskedLine::new(line, std::iter::once(depth..line.len()).collect()));
            continue;
        }
        let mut hidden = Vec::new();
        secret_below = secret_values(line, &mut hidden).map(|below| {
            next_too = below == Below::Next;
            depth + list_marks(&line[depth..])
        });
        if secrets::urls(line, &mut hidden) {
            secret_below = secret_below.or(Some(depth));
            next_too = true;
        }
        secrets::find(line, &mut hidden);
        masked.push(MaskedLine::new(line, hidden));
    }
    masked
}

/// Whether a key holds a secret or is a misspelt one that does.
fn is_like_secret_key(key: &str) -> bool {
    is_secret_key(key) || (key.len() > 4 && strsim::damerau_levenshtein(&key.to_lowercase(), "password") <= 2)
}

/// What stands before the key in `- - key: value`.
fn list_marks(line: &str) -> usize {
    let mut length = 0;
    while let Some(rest) = line[length..].strip_prefix('-') {
        if !rest.starts_with(' ') {
            break;
        }
        length += 1 + rest.len() - rest.trim_start().len();
    }
    length
}

/// Whether a secret can go on below its line.
#[derive(PartialEq, Eq)]
enum Below {
    /// On deeper lines.
    Deeper,
    /// On the next line, whatever its depth.
    Next,
}

/// Hides the values of keys such as `password`.
fn secret_values(line: &str, hidden: &mut Vec<Range<usize>>) -> Option<Below> {
    let mut below = None;
    let mut from = 0;
    while let Some(colon) = line[from..].find(':').map(|at| from + at) {
        from = colon + 1;
        let before = line[..colon].trim_end();
        let bare = before.trim_end_matches(['"', '\'']);
        let key = &bare[after_last(bare, |c| !(c.is_alphanumeric() || "_-.".contains(c)))..];
        let is_key =
            before.len() > bare.len() || line[from..].is_empty() || line[from..].starts_with([' ', '\t']);
        let whole =
            bare.rsplit(['{', ',']).next().unwrap_or(bare).trim_start_matches(['-', ' ', '\t', '"', '\'']);
        if !is_key || !(is_like_secret_key(key) || is_like_secret_key(whole)) {
            continue;
        }
        below = below.or(Some(Below::Deeper));
        let value = from + line[from..].len() - line[from..].trim_start().len();
        let end = value + value_length(&line[value..], line[..colon].contains(['{', '[']));
        if line[value..end].trim().is_empty() && line[..colon].contains('{') {
            below = Some(Below::Next);
        }
        hide_value(line, value..end, hidden);
        from = end.max(from);
    }
    below
}

/// Hides a value, but of a variable only the default.
fn hide_value(line: &str, value: Range<usize>, hidden: &mut Vec<Range<usize>>) {
    let text = &line[value.clone()];
    let bare = text.trim_matches(['"', '\'']).trim();
    if bare.is_empty() || matches!(bare, "|" | ">" | "|-" | ">-" | "|+" | ">+") {
        return;
    }
    if let Some(variable) = bare.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        let start = value.start + text.find("${").unwrap_or_default() + 2;
        if variable.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return;
        }
        if let Some((name, default)) = variable.split_once(":-")
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !default.contains('}')
        {
            let default_start = start + name.len() + 2;
            hidden.push(default_start..default_start + default.len());
            return;
        }
    }
    hidden.push(value);
}

/// How long a value is that begins here.
fn value_length(text: &str, in_flow: bool) -> usize {
    let end = match text.chars().next() {
        Some(quote @ ('"' | '\'')) => return closing_quote(text, quote).map_or(text.len(), |at| at + 1),
        _ if in_flow => text.find([',', '}', ']']).map(|end| {
            // `${NAME}` ends with a brace of its own.
            if text.starts_with("${") { text.find('}').map_or(end, |brace| brace + 1) } else { end }
        }),
        _ => text.find(" #"),
    };
    text[..end.unwrap_or(text.len())].trim_end().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_as_data() {
        for (line, expected) in [
            ("  password: hunter2", "  password: ***"),
            ("  password: hunter2 # ours", "  password: *** # ours"),
            ("  password: 'it''s' # ours", "  password: *** # ours"),
            ("  \"password\": hunter2", "  \"password\": ***"),
            ("  { password: hunter2, port: 1 }", "  { password: ***, port: 1 }"),
            ("  { password: \"a,b\", port: 1 }", "  { password: ***, port: 1 }"),
            ("  password: ${PASSWORD}", "  password: ${PASSWORD}"),
            ("  { password: ${PASSWORD}, port: 1 }", "  { password: ${PASSWORD}, port: 1 }"),
            ("  password: ${PASSWORD:-hunter2}", "  password: ${PASSWORD:-***}"),
            ("  password: a${PASSWORD}", "  password: ***"),
            ("  url: postgres://u:hunter2@h/db", "  url: postgres://u:***@h/db"),
            ("  url: postgres://u:hu@nt/er2@h/db", "  url: postgres://u:***@h/db"),
            ("  url: postgres://u:my secret@h/db", "  url: postgres://u:***@h/db"),
            ("  url: \"postgres://u:hunter2@h/db\" # x@y", "  url: \"postgres://u:***@h/db\" # x@y"),
            ("  url: \"postgres://u:hunter2", "  url: \"postgres://u:***"),
            ("  url: postgres://h:5432/db", "  url: postgres://h:5432/db"),
            ("  url: postgres://h/db?password=x&a=b", "  url: postgres://h/db?password=***&a=b"),
            ("  url: host=h password=x dbname=y", "  url: host=h password=*** dbname=y"),
            ("  url: ${URL:-postgres://u:p@h/d}", "  url: ${URL:-postgres://u:***@h/d}"),
            ("  url: postgres//u:hunter2@h/d", "  url: postgres//u:***@h/d"),
            ("  url: postgres:/u:hunter2@h/d", "  url: postgres:/u:***@h/d"),
            ("  pasword: hunter2", "  pasword: ***"),
            ("  { pas'word: hunter2 }", "  { pas'word: *** }"),
            ("  { url: sqlite://db/x, user: a@b }", "  { url: sqlite://db/x, user: a@b }"),
            ("  { url: sqlite://db/x, apps: [a] }", "  { url: sqlite://db/x, apps: [a] }"),
            ("  { url: postgres://u:p@h/d, apps: [a] }", "  { url: postgres://u:***@h/d, apps: [a] }"),
            ("  { url: postgres://u:hunter2, apps: [a] }", "  { url: postgres://u:***, apps: [a] }"),
            ("  migrate_to: defualt", "  migrate_to: defualt"),
        ] {
            assert_eq!(lines(line)[0].text, expected, "{line}");
        }
    }

    #[test]
    fn a_secret_of_several_lines_is_hidden_whole() {
        let text = "a:\n  password: |\n    one\n\n    two\n  port: 1\n  token:\n    three\n  url: \"x://u:a\n    b@c\"\n  d: {password:\n  four}";
        let masked: Vec<_> = lines(text).into_iter().map(|line| line.text).collect();
        assert_eq!(
            masked,
            [
                "a:",
                "  password: |",
                "    ***",
                "",
                "    ***",
                "  port: 1",
                "  token:",
                "    ***",
                "  url: \"x://u:***",
                "    ***",
                "  d: {password:",
                "  ***"
            ]
        );
    }

    #[test]
    fn places_move_with_the_masks() {
        let line = &lines("{ password: hunter2, port: x }")[0];
        assert_eq!(line.text, "{ password: ***, port: x }");
        assert_eq!(line.offset(2), 2);
        assert_eq!(&line.text[line.offset(27)..], "x }");
        assert_eq!(&line.text[line.offset(14)..], ", port: x }");
    }
}
