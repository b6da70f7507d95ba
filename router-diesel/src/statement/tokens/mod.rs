//! The second reading: from `sqlparser`'s tokens, for what its grammar refuses.
//!
//! Tokens are not text: literals, comments and quoted names are told apart already, so a word here is a word of the
//! statement. `verbs` looks at how a statement begins and says what it does; `walk` follows the rest for the tables,
//! the locks and the calls in it. Nothing here recurses: parentheses are frames on a stack of our own.

use std::borrow::Cow;
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
mod show;
mod syntax;
mod system_variables;
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

/// Takes a text apart. Refuses what cannot be taken apart.
pub(super) fn tokenize(dialect: Dialect, sql: &str) -> Result<Vec<TokenWithSpan>, Unplaced> {
    let sql = match dialect {
        Dialect::Mysql => system_variables::without_quotes(sql),
        _ => Cow::Borrowed(sql),
    };
    let take_apart = |geometric| {
        let lexicon = Lexicon { dialect, geometric };
        Tokenizer::new(&lexicon, &sql).tokenize_with_location()
    };
    // Among the geometric operators the tokenizer misses those that others define, such as `|>`.
    let tokens = match take_apart(true) {
        Err(_) if dialect == Dialect::Postgres => take_apart(false),
        tokens => tokens,
    };
    let mut tokens = tokens.map_err(|error| Unplaced(error.message.to_lowercase()))?;
    if dialect == Dialect::Postgres {
        return Ok(join_unicode_names(tokens));
    }
    if dialect == Dialect::Mysql {
        if tokens.iter().any(|token| is_doubtful(&token.token)) {
            return Err(Unplaced("`--` begins a comment for some servers only".to_owned()));
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

/// Makes one quoted name of each `U&"d\0061t"`, with its `UESCAPE '!'` if it has one.
fn join_unicode_names(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let starts_name = |at: usize| match &tokens[at..] {
        [u, and, name, ..] => {
            matches!(&u.token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("u"))
                && and.token == Token::Ampersand
                && matches!(&name.token, Token::Word(word) if word.quote_style == Some('"'))
        }
        _ => false,
    };
    if !(0..tokens.len()).any(starts_name) {
        return tokens;
    }
    let mut joined = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        if !starts_name(at) {
            joined.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let mut name = tokens[at + 2].clone();
        name.span.start = tokens[at].span.start;
        at += 3;
        let mut escape = '\\';
        if let Some((character, behind)) = escape_character(&tokens, at) {
            (escape, at) = (character, behind);
        }
        if let Token::Word(word) = &mut name.token {
            word.value = unescape(&word.value, escape);
        }
        joined.push(name);
    }
    joined
}

/// The character of `UESCAPE '!'` if that comes next, and the place behind it.
fn escape_character(tokens: &[TokenWithSpan], start: usize) -> Option<(char, usize)> {
    let mut words = (start..tokens.len()).filter(|at| !matches!(tokens[*at].token, Token::Whitespace(_)));
    let (word, string) = (words.next()?, words.next()?);
    match (&tokens[word].token, &tokens[string].token) {
        (Token::Word(word), Token::SingleQuotedString(text))
            if word.value.eq_ignore_ascii_case("uescape") =>
        {
            Some((text.chars().next()?, string + 1))
        }
        _ => None,
    }
}

/// Reads `\0061` and `\+000061`; what is no such escape stays.
fn unescape(text: &str, escape: char) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(escape) {
        plain.push_str(&rest[..at]);
        let behind = &rest[at + escape.len_utf8()..];
        let (digits, count) = behind.strip_prefix('+').map_or((behind, 4), |digits| (digits, 6));
        let code = digits.get(..count).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        if let Some(character) = code.and_then(char::from_u32) {
            plain.push(character);
            rest = &digits[count..];
        } else {
            plain.push(escape);
            rest = behind.strip_prefix(escape).unwrap_or(behind);
        }
    }
    plain + rest
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

/// `--` begins a comment in MySQL only before a blank, and what counts as blank beyond ASCII is not worth a guess.
fn is_doubtful(token: &Token) -> bool {
    match token {
        Token::Whitespace(Whitespace::SingleLineComment { prefix, comment }) => {
            prefix == "--" && comment.starts_with(|first: char| !first.is_ascii())
        }
        _ => false,
    }
}
