//! Hides secrets in texts, before anybody is shown them.
//!
//! Everything that quotes a file, a variable, a command line or a server goes through here: the problems of a file
//! where they are drawn, the errors of this crate where they are displayed, and the program's output where it is
//! written. So a new message cannot forget it. It looks at the text alone; where it cannot tell, it hides too much.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// What stands in the place of a secret.
pub(crate) const MASK: &str = "***";

/// Hides the secrets in a text for people: passwords in URLs, whole or broken, encoded or not, and the values of
/// parameters such as `password=`.
///
/// ```
/// use router_diesel::config::without_secrets;
///
/// assert_eq!(without_secrets("no database is called `postgres://u:hunter2@h/d`"),
///                            "no database is called `postgres://u:***@h/d`");
/// assert_eq!(without_secrets("all is well: 3 databases"), "all is well: 3 databases");
/// ```
#[must_use]
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    // Every shape of a secret has one of these.
    if !text.contains([':', '=', '%']) {
        return Cow::Borrowed(text);
    }
    let mut hidden = Vec::new();
    find(text, &mut hidden);
    for quoted in quoted(text) {
        let mut within = Vec::new();
        find_in_value(&text[quoted.clone()], &mut within);
        hidden.extend(within.into_iter().map(|range| shifted(&range, quoted.start)));
    }
    hidden.retain(|range| !is_placeholder(text, range));
    let hidden = merged(hidden);
    if hidden.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(masked(text, &hidden)) }
}

/// The same for a text that is all one value, such as a key of a file or an argument.
///
/// A name has no `:` before an `@`, so what stands between the two is hidden also where there is a space in it.
#[must_use]
pub(crate) fn value_without_secrets(value: &str) -> Cow<'_, str> {
    let mut hidden = Vec::new();
    find_in_value(value, &mut hidden);
    let hidden = merged(hidden);
    if hidden.is_empty() { Cow::Borrowed(value) } else { Cow::Owned(masked(value, &hidden)) }
}

/// Writes what `Display` or `Debug` of an error says, without the secrets in it.
pub(crate) fn write(f: &mut fmt::Formatter<'_>, arguments: fmt::Arguments<'_>) -> fmt::Result {
    match arguments.as_str() {
        Some(text) => f.write_str(&without_secrets(text)),
        None => f.write_str(&without_secrets(&arguments.to_string())),
    }
}

/// A text with a mask in the place of each range.
pub(crate) fn masked(text: &str, hidden: &[Range<usize>]) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut from = 0;
    for range in hidden {
        masked.push_str(&text[from..range.start]);
        masked.push_str(MASK);
        from = range.end;
    }
    masked.push_str(&text[from..]);
    masked
}

/// Ranges in order, none of them empty or next to another.
pub(crate) fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<usize>> = Vec::new();
    for range in ranges.into_iter().filter(|range| !range.is_empty()) {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// Whether a key or parameter of this name holds a secret.
pub(crate) fn is_secret_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    // It names a file, which messages must name in turn.
    if key == "password_file" {
        return false;
    }
    ["password", "passwd", "pwd", "secret", "token"].iter().any(|word| key.contains(word))
        || matches!(
            key.as_str(),
            "key" | "hexkey" | "textkey" | "pass" | "scram_client_key" | "scram_server_key"
        )
}

/// Finds the secrets of a text that may be anything.
pub(crate) fn find(text: &str, hidden: &mut Vec<Range<usize>>) {
    urls(text, hidden);
    addresses(text, hidden);
    parameters(text, hidden);
    let mut from = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        find_encoded(word, from, find, hidden);
        from += word.len();
    }
}

/// Finds the secrets of a text that is one value.
fn find_in_value(value: &str, hidden: &mut Vec<Range<usize>>) {
    urls(value, hidden);
    addresses(value, hidden);
    parameters(value, hidden);
    if let Some(at) = value.rfind('@')
        && let Some(start) = password_before(value, 0, at)
    {
        hidden.push(start..at);
    }
    for (colon, _) in value.match_indices(':') {
        let key = value[..colon].trim_end().trim_end_matches(['"', '\'']);
        if is_secret_key(&key[key_start(key)..]) {
            hidden.push(colon + 1..value.len());
        }
    }
    find_encoded(value, 0, find_in_value, hidden);
}

/// Finds the secrets of what percent-encoding hides, which begins at a place of the whole text.
fn find_encoded(
    text: &str,
    place: usize,
    find: impl Fn(&str, &mut Vec<Range<usize>>),
    hidden: &mut Vec<Range<usize>>,
) {
    if !text.contains('%') {
        return;
    }
    let mut decoded = String::with_capacity(text.len());
    // Where each byte of the decoded text was, and where the text ended.
    let mut places = Vec::with_capacity(text.len() + 1);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let at = place + text.len() - rest.len();
        let escape =
            rest.get(1..3).filter(|_| c == '%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        // A character that is none of ASCII begins or ends no secret, so it may stay as it is.
        let (c, length) = match escape.filter(u8::is_ascii) {
            Some(byte) => (char::from(byte), 3),
            None => (c, c.len_utf8()),
        };
        decoded.push(c);
        places.extend(std::iter::repeat_n(at, c.len_utf8()));
        rest = &rest[length..];
    }
    places.push(place + text.len());
    if decoded.len() == text.len() {
        return;
    }
    let mut within = Vec::new();
    find(&decoded, &mut within);
    hidden.extend(within.into_iter().map(|range| places[range.start]..places[range.end]));
}

/// What stands in backticks, as messages quote, and in double quotes, as `Debug` does.
fn quoted(text: &str) -> Vec<Range<usize>> {
    let mut all = Vec::new();
    for quote in ['`', '"'] {
        let mut from = 0;
        while let Some(start) = text[from..].find(quote).map(|at| from + at + 1) {
            let end = closing(&text[start..], quote).map_or(text.len(), |at| start + at);
            all.push(start..end);
            from = (end + 1).min(text.len());
        }
    }
    all
}

/// The first quote after which a sentence goes on. One within a value is followed by more of the value.
fn closing(text: &str, quote: char) -> Option<usize> {
    text.match_indices(quote).map(|(at, _)| at).find(|at| {
        let next = text[at + 1..].chars().next();
        next.is_none_or(|c| c.is_whitespace() || ",;:.?!)]}\"'".contains(c))
    })
}

/// The place of the quote that ends a quoted text.
pub(crate) fn closing_quote(text: &str, quote: char) -> Option<usize> {
    if quote == '`' {
        return closing(&text[1..], quote).map(|at| at + 1);
    }
    let mut escaped = false;
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if escaped {
            escaped = false;
        } else if quote == '"' && c == '\\' {
            escaped = true;
        } else if c == quote {
            if quote == '\'' && characters.peek().is_some_and(|(_, next)| *next == '\'') {
                characters.next();
            } else {
                return Some(at);
            }
        }
    }
    None
}

/// Hides the passwords of URLs. True where a URL may go on in the line below.
pub(crate) fn urls(line: &str, hidden: &mut Vec<Range<usize>>) -> bool {
    let mut open = false;
    let mut from = 0;
    while let Some(start) = line[from..].find("://").map(|at| from + at + 3) {
        from = start;
        let quote = line[..start].rfind(['"', '\'', '`']).filter(|at| !line[*at + 1..start].contains(' '));
        let rest = &line[start..];
        let end = match quote.and_then(|at| line[at..].chars().next().map(|quote| (at, quote))) {
            Some((at, quote)) => match closing_quote(&line[at..], quote) {
                Some(end) if at + end >= start => at + end - start,
                _ => {
                    open = true;
                    rest.len()
                }
            },
            None => rest.find(" #").unwrap_or(rest.len()),
        };
        let url = &rest[..end];
        // User and password have a colon between them, and neither has a space before it.
        let word = &url[..url.find(char::is_whitespace).unwrap_or(url.len())];
        let Some(colon) = word.find(':') else { continue };
        if let Some(at) = url.rfind('@') {
            if colon < at {
                // Several URLs on one line lose what stands between them, too.
                hidden.push(start + colon + 1..start + at);
            }
        } else if !word[..colon].contains('/') && !word[colon + 1..].starts_with(|c: char| c.is_ascii_digit())
        {
            // No host follows: a port that is none, or a password whose end is missing.
            hidden.push(start + colon + 1..start + word.trim_end_matches([',', '}']).len().max(colon + 1));
            open |= word.len() == url.len();
        }
    }
    open
}

/// Hides what stands between a colon and an `@`, as in a URL whose `://` is broken.
pub(crate) fn addresses(line: &str, hidden: &mut Vec<Range<usize>>) {
    for (at, _) in line.match_indices('@') {
        let word = after_last(&line[..at], char::is_whitespace);
        if let Some(start) = password_before(line, word, at) {
            hidden.push(start..at);
        }
    }
}

/// Where the password begins that an `@` ends.
fn password_before(text: &str, from: usize, at: usize) -> Option<usize> {
    // `${URL:-…` has a colon, too, and so has the scheme.
    let mut colons = text[from..at].match_indices(':').map(|(colon, _)| from + colon + 1);
    colons.find(|start| !text[*start..].starts_with(['/', '-']))
}

/// Hides the values of parameters such as `?password=`, also where they stand without a URL.
pub(crate) fn parameters(line: &str, hidden: &mut Vec<Range<usize>>) {
    for (equals, _) in line.match_indices('=') {
        let before = line[..equals].trim_end();
        let key = key_start(before);
        if !is_secret_key(&before[key..]) {
            continue;
        }
        let value = equals + 1 + line[equals + 1..].len() - line[equals + 1..].trim_start().len();
        let text = &line[value..];
        if is_masked(text) {
            continue;
        }
        let length = match text.chars().next() {
            Some(quote @ ('"' | '\'')) => quoted_length(text, quote),
            // In a URL only the next parameter, or what encloses the URL, ends a value.
            _ if line[..key].ends_with(['?', '&']) => text.find(['&', '"', '\'', '`']).unwrap_or(text.len()),
            _ if line[..key].contains(['{', '[']) => {
                text.find(['&', ' ', '"', '\'', '`', '}', ',']).unwrap_or(text.len())
            }
            _ => text.find(['&', ' ', '\n', '"', '\'', '`']).unwrap_or(text.len()),
        };
        let text = &text[..length];
        let end = text.find(" #").unwrap_or(text.len());
        hidden.push(value..value + text[..end].trim_end().len());
    }
}

/// Whether a password is the one of our own help: `scheme://user:password@host:port/name`.
fn is_placeholder(text: &str, range: &Range<usize>) -> bool {
    text[..range.start].ends_with("://user:")
        && &text[range.clone()] == "password"
        && text[range.end..].starts_with("@host:port/name")
}

/// Whether a value is hidden already.
fn is_masked(value: &str) -> bool {
    value.strip_prefix(MASK).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '*'))
}

/// How long a value in quotes is. Within a text that is itself quoted, each of its quotes may be doubled.
fn quoted_length(text: &str, quote: char) -> usize {
    let run = text.len() - text.trim_start_matches(quote).len();
    let mut escaped = false;
    let mut closing = 0;
    for (at, c) in text.char_indices().skip(run) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            closing += 1;
            if closing == run {
                return at + 1;
            }
        } else {
            closing = 0;
        }
    }
    text.len()
}

/// Where the key begins with which a text ends.
fn key_start(text: &str) -> usize {
    after_last(text, |c| !(c.is_ascii_alphanumeric() || "_-".contains(c)))
}

/// The place after the last character of a kind.
pub(crate) fn after_last(text: &str, kind: impl Fn(char) -> bool) -> usize {
    text.char_indices().rfind(|(_, c)| kind(*c)).map_or(0, |(at, c)| at + c.len_utf8())
}

fn shifted(range: &Range<usize>, by: usize) -> Range<usize> {
    range.start + by..range.end + by
}

/// Texts that may quote a secret although nothing in a message betrays where they begin and end, with what is shown
/// in their place.
///
/// ```
/// use router_diesel::config::Secrets;
///
/// let secrets = Secrets::of(["--database", "u:my`secret here@h"]);
/// assert_eq!(secrets.hide("no database is called `u:my`secret here@h`"), "no database is called `u:***@h`");
/// ```
#[derive(Clone, Default)]
pub struct Secrets {
    /// Values that hold a secret, and what is shown instead.
    values: Vec<(String, String)>,
    /// Values that are secret as a whole.
    whole: Vec<String>,
}

/// Shows none of them.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl Secrets {
    /// Shorter secrets would hide half of a text.
    const SHORTEST: usize = 4;

    /// Looks for secrets in values such as arguments, keys and variables. A value without any is left alone.
    pub fn of<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> Self {
        let mut secrets = Self::default();
        secrets.add_values(values);
        secrets
    }

    /// Looks for secrets in more values.
    pub(crate) fn add_values<T: AsRef<str>>(&mut self, values: impl IntoIterator<Item = T>) {
        let with_secrets =
            values.into_iter().filter_map(|value| match value_without_secrets(value.as_ref()) {
                Cow::Owned(shown) => Some((value.as_ref().to_owned(), shown)),
                Cow::Borrowed(_) => None,
            });
        self.values.extend(with_secrets);
        // The longest first, as one may begin like another.
        self.values.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.values.dedup();
    }

    /// Hides values that are secret as a whole.
    pub(crate) fn add_whole(&mut self, secrets: impl IntoIterator<Item = String>) {
        self.whole.extend(secrets.into_iter().filter(|secret| secret.len() >= Self::SHORTEST));
        self.whole.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.whole.dedup();
    }

    /// The text without these and without all other secrets.
    #[must_use]
    pub fn hide(&self, text: &str) -> String {
        // A secret such as `word` would tear the key `password` apart, so those come last.
        self.hide_whole(without_secrets(&self.hide_values(text)).into_owned())
    }

    /// The text without these, where the others are hidden already.
    pub(crate) fn hide_these(&self, text: &str) -> String {
        self.hide_whole(self.hide_values(text))
    }

    fn hide_values(&self, text: &str) -> String {
        self.values.iter().fold(text.to_owned(), |text, (value, shown)| {
            if text.contains(value.as_str()) { text.replace(value.as_str(), shown) } else { text }
        })
    }

    fn hide_whole(&self, text: String) -> String {
        self.whole.iter().fold(text, |text, secret| {
            if text.contains(secret.as_str()) { text.replace(secret.as_str(), MASK) } else { text }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_as_data() {
        for (text, expected) in [
            ("unknown key `postgres://u:hunter2@h/d`", "unknown key `postgres://u:***@h/d`"),
            ("unknown key `postgres://u:h`nter2@h/d`; x", "unknown key `postgres://u:***@h/d`; x"),
            ("no `u:hunter2@h` here", "no `u:***@h` here"),
            ("no `u:hunter 2@h` here", "no `u:***@h` here"),
            ("no `postgres:/u:hunter2@h` here", "no `postgres:/u:***@h` here"),
            ("no `postgres://u:hun\nter2@h/d` here", "no `postgres://u:***@h/d` here"),
            ("no `postgres%3A%2F%2Fu%3Ahunter2%40h%2Fd`", "no `postgres%3A%2F%2Fu%3A***%40h%2Fd`"),
            ("no `u%253Ahunter2%2540h`", "no `u%253A***%2540h`"),
            ("no `x?p%61ssword=hunter2&a=b`", "no `x?p%61ssword=***&a=b`"),
            ("no `host=h password=hunter2 dbname=x`", "no `host=h password=*** dbname=x`"),
            ("no `host=h password = 'hunt er2' dbname=x`", "no `host=h password = *** dbname=x`"),
            ("no `h/d?password=hunt,er2&a=b`", "no `h/d?password=***&a=b`"),
            ("no `h/d?password=hunt er2`", "no `h/d?password=***`"),
            ("no `password: hunter2`", "no `password:***`"),
            ("no `\"password\": \"hunter2\"`", "no `\"password\":***`"),
            (
                "error: invalid value 'x://u:hunter2@h' for '--a'",
                "error: invalid value 'x://u:***@h' for '--a'",
            ),
            // What has no secret stays as it is.
            (
                "`blog` has a URL: `postgres://u@h:5432/d`, a@b",
                "`blog` has a URL: `postgres://u@h:5432/d`, a@b",
            ),
            ("`engine: postgres`, `password` and `url`", "`engine: postgres`, `password` and `url`"),
            (
                "access denied for 'u'@'h' (using password: YES)",
                "access denied for 'u'@'h' (using password: YES)",
            ),
            ("begin it with `sqlite://` or `mysql://`", "begin it with `sqlite://` or `mysql://`"),
            (
                "not of the form `scheme://user:password@host:port/name`",
                "not of the form `scheme://user:password@host:port/name`",
            ),
            ("Table(\"u:my hunter2@h\", \"a\")", "Table(\"u:***@h\", \"a\")"),
            ("x?password=***; and", "x?password=***; and"),
            ("100% of `a%zz` and `%4`", "100% of `a%zz` and `%4`"),
        ] {
            assert_eq!(without_secrets(text), expected, "{text}");
            let again = without_secrets(expected);
            assert_eq!(again, expected, "twice is once");
        }
    }

    #[test]
    fn no_place_of_any_text_panics() {
        let pieces =
            ["`", "'", "\"", ":", "@", "=", "%", "%3A", "%40", "é", "password", "://", " ", "\n", "\\"];
        for a in pieces {
            for b in pieces {
                for c in pieces {
                    for d in pieces {
                        let text = [a, b, c, d, a].concat();
                        let _ = (without_secrets(&text), value_without_secrets(&text));
                    }
                }
            }
        }
    }

    #[test]
    fn values_are_hidden_as_wholes() {
        let mut secrets = Secrets::of(["plain", "u:a`b` c@h"]);
        secrets.add_whole(["hunter2".to_owned(), "abc".to_owned()]);
        assert_eq!(secrets.hide("plain abc `u:a`b` c@h` hunter2"), "plain abc `u:***@h` ***");
    }
}
