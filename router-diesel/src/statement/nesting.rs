//! How much stack a text may need while `sqlparser` reads it.
//!
//! The parser calls itself for what stands inside of something, and so do the walk through its tree and the end of the
//! tree's life. A text decides how deep that goes, so it is measured first, on the tokens and without recursion. The
//! answer is an upper bound: what follows a bracket, a prefix or an operator may be inside of it.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// What any statement needs. A debug build spends the most: one JOIN takes a tenth of a mebibyte there.
const BASE: usize = 512 * KIB;

/// More than this is not parsed at all. Some hundred brackets fit.
const LIMIT: usize = 16 * 1024 * KIB;

const KIB: usize = 1024;

/// One level of an operator, a cast or a subscript: each may hold all that came before.
const LEVEL: usize = 3 * KIB;

/// A bracket, or an angle that may open a type's parameters.
const BRACKET: usize = 128 * KIB;

/// One more arm of a UNION.
const ARM: usize = 24 * KIB;

/// A query, a change of rows, or a JOIN that waits for its condition.
const CLAUSE: usize = 320 * KIB;

/// Runs the parser on these tokens with the stack that they need, or not at all if that is too much.
pub(super) fn with_enough_stack<T>(
    tokens: Vec<TokenWithSpan>,
    parse: impl FnOnce(Vec<TokenWithSpan>) -> (Option<T>, Vec<TokenWithSpan>),
) -> (Option<T>, Vec<TokenWithSpan>) {
    let need = need(&tokens);
    if need > LIMIT {
        return (None, tokens);
    }
    stacker::maybe_grow(BASE + need, BASE + need, || parse(tokens))
}

/// What is open between one bracket and its partner.
#[derive(Default)]
struct Frame {
    /// Since the last comma: a list's next element begins again at the list's own depth.
    levels: usize,
    /// JOINs whose condition has not come.
    joins: usize,
    /// CASEs without an END.
    cases: usize,
    /// Arms of a UNION, which no comma ends.
    arms: usize,
    /// Queries and changes that stand in each other without brackets.
    clauses: usize,
}

impl Frame {
    fn need(&self) -> usize {
        BRACKET
            + self.levels * LEVEL
            + self.joins * CLAUSE
            + self.cases * BRACKET
            + self.arms * ARM
            + self.clauses * CLAUSE
    }

    fn word(&mut self, keyword: Keyword) {
        match keyword {
            Keyword::JOIN | Keyword::STRAIGHT_JOIN | Keyword::APPLY => self.joins += 1,
            Keyword::ON | Keyword::USING => self.joins = self.joins.saturating_sub(1),
            Keyword::CASE => self.cases += 1,
            Keyword::END => self.cases = self.cases.saturating_sub(1),
            Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT | Keyword::MINUS => {
                self.arms += 1;
                self.clauses = 0;
            }
            Keyword::SELECT
            | Keyword::WITH
            | Keyword::INSERT
            | Keyword::REPLACE
            | Keyword::UPDATE
            | Keyword::DELETE
            | Keyword::MERGE => self.clauses += 1,
            _ => {}
        }
    }
}

/// The most that is open at once, in bytes of stack.
fn need(tokens: &[TokenWithSpan]) -> usize {
    let mut outer: Vec<(Frame, usize)> = Vec::new();
    let mut frame = Frame::default();
    // What the frames around this one need.
    let mut around = 0;
    let mut most = 0;
    for token in tokens {
        match &token.token {
            Token::Whitespace(_) => continue,
            Token::LParen | Token::LBracket | Token::LBrace => {
                let inside = around + frame.need();
                outer.push((std::mem::take(&mut frame), around));
                around = inside;
            }
            Token::RParen | Token::RBracket | Token::RBrace => {
                if let Some((before, its)) = outer.pop() {
                    (frame, around) = (before, its);
                }
                frame.levels += 1;
            }
            Token::Comma => frame.levels = 0,
            Token::SemiColon => frame = Frame::default(),
            Token::Lt => frame.levels += BRACKET / LEVEL,
            Token::Word(word) => {
                frame.levels += 1;
                frame.word(word.keyword);
            }
            _ => frame.levels += 1,
        }
        most = most.max(around + frame.need());
        if most > LIMIT {
            return most;
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::Dialect;
    use crate::statement::tokens::tokenize;

    fn need_of(sql: &str) -> usize {
        need(&tokenize(Dialect::Postgres, sql).unwrap())
    }

    #[test]
    fn what_nests_counts_and_what_follows_does_not() {
        let one = need_of("SELECT (a), (b)");
        assert_eq!(need_of("SELECT (a), (b), (c), (d), (e)"), one);
        assert!(need_of("SELECT ((a)), (b)") > one);
        assert_eq!(need_of("SELECT 1; SELECT 1; SELECT 1"), need_of("SELECT 1"));
        let flat = "SELECT * FROM a".to_owned() + &" JOIN b ON true".repeat(100);
        let nested = "SELECT * FROM a".to_owned() + &" JOIN b".repeat(100) + &" ON true".repeat(100);
        assert!(need_of(&flat) < LIMIT / 4, "{}", need_of(&flat));
        assert!(need_of(&nested) > LIMIT);
        let many = format!("INSERT INTO posts VALUES {}", vec!["(1, 2)"; 10_000].join(", "));
        assert!(need_of(&many) < LIMIT / 4);
    }
}
