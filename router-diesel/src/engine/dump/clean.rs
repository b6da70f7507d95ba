//! What is taken out of a dump so that it changes only when the schema does.

use std::borrow::Cow;

use super::lines::Line;

/// What to do with a line that begins where a statement could.
pub(in crate::engine) enum Verdict<'a> {
    Keep(Cow<'a, str>),
    /// Keep it, though it looks like something to leave out: it is part of a body.
    KeepBody(Cow<'a, str>),
    /// Leave out the line.
    Drop,
    /// Leave out the line and what else belongs to its statement.
    DropStatement,
}

/// Goes through the lines, and leaves one blank line of several between statements.
pub(in crate::engine) fn clean<'a>(
    lines: &[Line<'a>],
    mut judge: impl FnMut(&'a str) -> Verdict<'a>,
) -> String {
    let mut cleaned = String::new();
    let mut is_dropping = false;
    let mut is_after_blank = true;
    for (index, line) in lines.iter().enumerate() {
        let ends_statement = line.text.ends_with(';') && lines.get(index + 1).is_none_or(|next| next.is_code);
        let verdict = match line.is_code {
            _ if is_dropping => Verdict::Drop,
            true => judge(line.text),
            false => Verdict::KeepBody(line.text.into()),
        };
        let is_body = matches!(verdict, Verdict::KeepBody(_));
        match verdict {
            Verdict::Keep(text) | Verdict::KeepBody(text) => {
                let is_blank = !is_body && text.trim().is_empty();
                if !(is_blank && is_after_blank) {
                    let text = if is_after_blank { text.trim_start_matches('\n') } else { &text };
                    cleaned.push_str(text);
                    cleaned.push('\n');
                }
                is_after_blank = is_blank;
            }
            Verdict::Drop => is_dropping = is_dropping && !ends_statement,
            Verdict::DropStatement => is_dropping = !ends_statement,
        }
    }
    let end = cleaned.trim_end().len();
    cleaned.truncate(end);
    cleaned.push('\n');
    cleaned
}
