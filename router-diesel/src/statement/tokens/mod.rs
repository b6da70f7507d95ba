//! The second reading: from `sqlparser`'s tokens, for what its grammar refuses.
//!
//! Tokens are not text: literals, comments and quoted names are told apart already, so a word here is a word of the
//! statement. `verbs` looks at how a statement begins and says what it does; `walk` follows the rest for the tables,
//! the locks and the calls in it. Nothing here recurses: parentheses are frames on a stack of our own.

use std::fmt;

use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace};

use super::dialect::Lexicon;
use super::draft::Draft;
use super::{Classifier, Dialect};

mod clauses;
mod cursor;
mod definitions;
mod explain;
mod reader;
mod verbs;
mod walk;

use cursor::Cursor;
use reader::Reader;

/// Why a text could not be read.
#[derive(Debug)]
pub(super) struct Unplaced(pub(super) String);

impl fmt::Display for Unplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Takes a text apart. Refuses what cannot be taken apart, and comments that some servers run.
pub(super) fn tokenize(dialect: Dialect, sql: &str) -> Result<Vec<TokenWithSpan>, Unplaced> {
    let lexicon = Lexicon(dialect);
    let mut tokens = Tokenizer::new(&lexicon, sql)
        .tokenize_with_location()
        .map_err(|error| Unplaced(error.message.to_lowercase()))?;
    if dialect == Dialect::Mysql {
        if tokens.iter().any(|token| is_doubtful(&token.token)) {
            return Err(Unplaced("a comment is run by some servers".to_owned()));
        }
        // `--` at the very end is a comment, though no blank follows.
        if let [.., first, second] = tokens.as_slice()
            && first.token == Token::Minus
            && second.token == Token::Minus
        {
            tokens.truncate(tokens.len() - 2);
        }
    }
    Ok(tokens)
}

/// Reads all statements from their tokens.
pub(super) fn read(classifier: &Classifier, tokens: &[TokenWithSpan]) -> Result<Draft, Unplaced> {
    let cursor = Cursor::new(classifier.dialect(), tokens)?;
    let mut draft = Draft::default();
    let mut start = 0;
    while start < cursor.len() {
        let (end, next) = cursor.statement_end(start);
        if end > start {
            draft.absorb(Reader::new(classifier, &cursor).read(start, end)?);
        }
        start = next;
    }
    Ok(draft)
}

/// `/*! … */` and MariaDB's `/*M! … */` are run by servers of some versions. `--` begins a comment in MySQL only
/// before a blank, and what counts as blank beyond ASCII is not worth a guess.
fn is_doubtful(token: &Token) -> bool {
    match token {
        Token::Whitespace(Whitespace::MultiLineComment(text)) => {
            text.starts_with('!') || text.starts_with("M!")
        }
        Token::Whitespace(Whitespace::SingleLineComment { prefix, comment }) => {
            prefix == "--" && comment.starts_with(|first: char| !first.is_ascii())
        }
        _ => false,
    }
}
