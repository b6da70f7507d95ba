//! EXPLAIN in its many spellings: does it run what it explains?

use sqlparser::tokenizer::Token;

use super::Unplaced;
use super::reader::Reader;
use crate::statement::Dialect;

impl Reader<'_> {
    /// Where the explained statement begins and whether it is run, if this is an EXPLAIN of any spelling.
    pub(super) fn explain(&self, start: usize, end: usize) -> Result<Option<(usize, bool)>, Unplaced> {
        let cursor = self.cursor;
        let mut at = start + 1;
        // MariaDB's `ANALYZE SELECT …`; `ANALYZE name` is upkeep.
        let mut runs = cursor.is(start, "analyze");
        if runs {
            let behind = if cursor.is(at, "format") { at + 3 } else { at };
            let verbs = ["select", "insert", "update", "delete", "replace", "with", "values", "table"];
            let is_query =
                cursor.is_any(behind, &verbs) || cursor.is_open(behind) && cursor.is(behind + 1, "select");
            return Ok((is_query && self.dialect() == Dialect::Mysql && !cursor.is(at, "table"))
                .then_some((behind, true)));
        }
        if !cursor.is_any(start, &["explain", "describe", "desc"]) {
            return Ok(None);
        }
        if cursor.is_open(at)
            && self.dialect() == Dialect::Postgres
            && !cursor.is_any(at + 1, &["select", "with"])
        {
            let close = cursor.partner(at);
            runs = self.options_run(at + 1, close);
            at = close + 1;
        } else {
            at = cursor.skip_all(at, &["query", "plan"]);
            loop {
                if cursor.is_any(at, &["analyze", "analyse"]) {
                    runs = true;
                    at += 1;
                } else if cursor.is_any(at, &["verbose", "extended", "partitions"]) && at + 1 < end {
                    at += 1;
                } else if cursor.is(at, "format") && *cursor.token(at + 1) == Token::Eq {
                    at += 3;
                } else if cursor.is(at, "into")
                    || cursor.is_any(at + 1, &["schema", "database"]) && cursor.is(at, "for")
                {
                    at += if cursor.is(at, "into") { 2 } else { 3 };
                } else {
                    break;
                }
            }
        }
        if at >= end || cursor.is_any(at, &["explain", "describe", "desc"]) {
            return Err(Unplaced("nothing is explained".to_owned()));
        }
        Ok(Some((at, runs)))
    }

    /// Whether `EXPLAIN (…)` runs the statement. A value that is not plainly "no" is a yes.
    fn options_run(&self, start: usize, close: usize) -> bool {
        (start..close).any(|at| {
            self.cursor.is_any(at, &["analyze", "analyse"])
                && matches!(self.cursor.token(at - 1), Token::LParen | Token::Comma)
                && match self.cursor.token(at + 1) {
                    Token::Number(number, _) => number != "0",
                    Token::SingleQuotedString(word) => {
                        !["false", "off", "0"].iter().any(|no| word.eq_ignore_ascii_case(no))
                    }
                    _ => !self.cursor.is_any(at + 1, &["false", "off"]),
                }
        })
    }

    /// MySQL's `DESCRIBE name` and `EXPLAIN FOR CONNECTION n`.
    pub(super) fn described(&mut self, at: usize, end: usize) -> Result<bool, Unplaced> {
        if self.dialect() != Dialect::Mysql {
            return Ok(false);
        }
        if self.cursor.are(at, &["for", "connection"]) {
            return Ok(true);
        }
        let Some((_, next)) = self.cursor.name(at) else { return Ok(false) };
        // A name, and at most a column's name or pattern.
        let is_table = next >= end || next + 1 == end && !self.cursor.is_open(next);
        let is_verb = ["select", "table", "values", "call", "do"];
        if is_table && !self.cursor.is_any(at, &is_verb) {
            self.target(at)?;
            return Ok(true);
        }
        Ok(false)
    }
}
