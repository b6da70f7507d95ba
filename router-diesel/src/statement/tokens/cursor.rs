//! The tokens of a text without its blanks, and questions about them.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::Unplaced;
use crate::statement::{Dialect, TableName};

/// The tokens that mean something, each bracket with its partner.
pub(super) struct Cursor<'t> {
    dialect: Dialect,
    tokens: Vec<&'t Token>,
    /// For an opening bracket the place of the closing one; zero for all others.
    partners: Vec<usize>,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(dialect: Dialect, tokens: &'t [TokenWithSpan]) -> Result<Self, Unplaced> {
        let tokens: Vec<_> = tokens
            .iter()
            .map(|token| &token.token)
            .filter(|token| !matches!(token, Token::Whitespace(_)))
            .collect();
        let mut partners = vec![0; tokens.len()];
        let mut open = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            match token {
                Token::LParen | Token::LBracket => open.push(at),
                Token::RParen | Token::RBracket => {
                    let partner = open.pop().filter(|partner| {
                        matches!(tokens[*partner], Token::LParen) == matches!(token, Token::RParen)
                    });
                    partners[partner.ok_or_else(unbalanced)?] = at;
                }
                _ => {}
            }
        }
        if open.is_empty() { Ok(Self { dialect, tokens, partners }) } else { Err(unbalanced()) }
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    pub(super) fn token(&self, at: usize) -> &'t Token {
        self.tokens.get(at).copied().unwrap_or(&Token::EOF)
    }

    /// Where the bracket that opens here closes.
    pub(super) fn partner(&self, at: usize) -> usize {
        self.partners[at]
    }

    pub(super) fn is_open(&self, at: usize) -> bool {
        *self.token(at) == Token::LParen
    }

    /// The keyword that stands here, unless it is quoted or a part of a longer name.
    pub(super) fn keyword(&self, at: usize) -> Keyword {
        match self.token(at) {
            Token::Word(word) if word.quote_style.is_none() && !self.follows_period(at) => word.keyword,
            _ => Keyword::NoKeyword,
        }
    }

    /// Whether this unquoted word stands here, in any case.
    pub(super) fn is(&self, at: usize, expected: &str) -> bool {
        match self.token(at) {
            Token::Word(word) => {
                word.quote_style.is_none()
                    && word.value.eq_ignore_ascii_case(expected)
                    && !self.follows_period(at)
            }
            _ => false,
        }
    }

    pub(super) fn is_any(&self, at: usize, expected: &[&str]) -> bool {
        expected.iter().any(|expected| self.is(at, expected))
    }

    /// Whether these words stand here, one after the other.
    pub(super) fn are(&self, at: usize, expected: &[&str]) -> bool {
        expected.iter().enumerate().all(|(offset, expected)| self.is(at + offset, expected))
    }

    /// The first place from here on where none of these words stands.
    pub(super) fn skip(&self, mut at: usize, words: &[&str]) -> usize {
        while self.is_any(at, words) {
            at += 1;
        }
        at
    }

    /// Behind these words if they stand here, else here.
    pub(super) fn skip_all(&self, at: usize, words: &[&str]) -> usize {
        if self.are(at, words) { at + words.len() } else { at }
    }

    pub(super) fn follows_period(&self, at: usize) -> bool {
        at > 0 && *self.token(at - 1) == Token::Period
    }

    /// One part of a name, and whether it is quoted.
    pub(super) fn part(&self, at: usize) -> Option<(&'t str, bool)> {
        match self.token(at) {
            Token::Word(word) if word.quote_style.is_none() && word.value.starts_with('@') => None,
            Token::Word(word) => Some((&word.value, word.quote_style.is_some())),
            // SQLite takes a string for a name where a name must be; MySQL's `"x"` is one under ANSI_QUOTES.
            Token::SingleQuotedString(name) if self.dialect == Dialect::Sqlite => Some((name, true)),
            Token::DoubleQuotedString(name) if self.dialect == Dialect::Mysql => Some((name, true)),
            _ => None,
        }
    }

    /// A name with all its parts, and the place behind it. `name.*` counts as the name.
    pub(super) fn parts(&self, at: usize) -> Option<(Vec<(&'t str, bool)>, usize)> {
        let mut parts = vec![self.part(at)?];
        let mut next = at + 1;
        while *self.token(next) == Token::Period {
            match self.part(next + 1) {
                Some(part) => parts.push(part),
                None if *self.token(next + 1) == Token::Mul => return Some((parts, next + 2)),
                None => return None,
            }
            next += 2;
        }
        Some((parts, next))
    }

    pub(super) fn name(&self, at: usize) -> Option<(TableName, usize)> {
        let (parts, next) = self.parts(at)?;
        Some((TableName::from_parts(self.dialect, parts.into_iter())?, next))
    }

    /// Where the statement that begins here ends, and where the next one begins.
    ///
    /// A semicolon ends it, but not one inside of brackets or of a routine's body.
    pub(super) fn statement_end(&self, start: usize) -> (usize, usize) {
        let routine = self.is_routine(start) || self.is_block(start);
        // A block that begins with another word than BEGIN or CASE closes with that word.
        const LOOPS: &[&str] = &["if", "loop", "while", "repeat", "for"];
        let mut blocks = 0_usize;
        let mut loops = usize::from(self.is_block(start) && self.is_any(start, LOOPS));
        let mut at = start;
        while at < self.len() {
            match self.token(at) {
                Token::SemiColon if loops > 0 => {}
                Token::Word(_) if loops > 0 && at > start && self.opens_loop(at) => loops += 1,
                Token::Word(_) if loops > 0 && self.is(at, "end") && self.is_any(at + 1, LOOPS) => {
                    loops -= 1;
                    at += 1;
                }
                Token::LParen | Token::LBracket => at = self.partner(at),
                Token::SemiColon if blocks == 0 => return (at, at + 1),
                _ if routine && self.is_any(at, &["begin", "case"]) => blocks += 1,
                // `END IF` and its like close what was not counted; `END CASE` is one closing of two words.
                _ if routine
                    && self.is(at, "end")
                    && !self.is_any(at + 1, &["if", "loop", "while", "repeat"]) =>
                {
                    blocks = blocks.saturating_sub(1);
                    at += usize::from(self.is(at + 1, "case"));
                }
                _ => {}
            }
            at += 1;
        }
        (self.len(), self.len())
    }

    /// Whether IF, LOOP and the like begin a statement here: behind a semicolon or an opening word.
    fn opens_loop(&self, at: usize) -> bool {
        self.is_any(at, &["if", "loop", "while", "repeat", "for"])
            && (*self.token(at - 1) == Token::SemiColon
                || self.is_any(at - 1, &["begin", "do", "else", "loop", "repeat", "then"]))
    }

    /// Whether a block of statements begins here that runs at once, as MariaDB has them.
    pub(super) fn is_block(&self, start: usize) -> bool {
        self.dialect == Dialect::Mysql
            && (self.are(start, &["begin", "not", "atomic"])
                || self.is_any(start, &["if", "case", "loop", "while", "for"])
                || self.is(start, "repeat") && !self.is_open(start + 1))
    }

    /// Whether a statement creates or alters what has a body of statements.
    fn is_routine(&self, start: usize) -> bool {
        const KINDS: &[&str] = &["trigger", "procedure", "function", "event", "package"];
        self.is_any(start, &["create", "alter"])
            && (start..start + 16).find(|at| self.is_any(*at, KINDS)).is_some_and(|kind| {
                // `CREATE TABLE … trigger …` names a column so.
                (start + 1..kind).all(|at| !self.is_open(at) && !self.is_any(at, &["table", "view", "index"]))
            })
    }
}

fn unbalanced() -> Unplaced {
    Unplaced("brackets do not match".to_owned())
}
