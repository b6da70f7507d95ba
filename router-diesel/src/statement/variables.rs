//! What the words of a statement tell of MySQL's variables, and of questions about earlier statements.

use std::collections::BTreeSet;

use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use super::Dialect;
use super::effects::{Effects, Facts, is, is_any, words};
use super::settings::{of_settings, system_variable};

/// The variables of the user's own that a statement uses: their names in lower case and without quotes. A setting of the
/// connection is one whose name begins with `@@`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Variables {
    /// Those whose value it asks.
    pub(crate) asked: BTreeSet<Box<str>>,
    /// Those that it sets, or may set.
    pub(crate) set: BTreeSet<Box<str>>,
}

impl Variables {
    /// Adds those of a part of the statement, or of another reading.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.asked.extend(other.asked.iter().cloned());
        self.set.extend(other.set.iter().cloned());
    }

    fn is_empty(&self) -> bool {
        self.asked.is_empty() && self.set.is_empty()
    }
}

/// What the words alone tell: MySQL's variables, and statements that ask how the last one ended.
pub(super) fn of_words(dialect: Dialect, tokens: &[TokenWithSpan]) -> Effects {
    let tokens = words(tokens);
    if defines_routine(&tokens) {
        // What stands in a body runs later.
        return Effects::default();
    }
    let (mut variables, mut effects) = (Variables::default(), Effects::default());
    if dialect == Dialect::Mysql {
        let mut reader = Reader::new(&tokens);
        reader.read();
        (variables, effects.asks) = (reader.variables, reader.facts);
        if asks_how_it_ended(&tokens) {
            effects.asks = effects.asks.with(Facts::ENDED);
        }
        if !variables.set.is_empty() {
            effects.makes = Facts::VARIABLES;
        }
    }
    of_settings(dialect, &tokens, &mut variables);
    if !variables.asked.is_empty() {
        effects.asks = effects.asks.with(Facts::VARIABLES);
    }
    effects.variables = (!variables.is_empty()).then(|| Box::new(variables));
    effects
}

/// Follows the tokens of a text, for what each use of a variable does.
struct Reader<'t> {
    tokens: &'t [&'t Token],
    variables: Variables,
    /// What its system variables ask about.
    facts: Facts,
    depth: u32,
    /// What an `=` behind a variable does here.
    assigns: Assigns,
    /// What a variable in a list of arguments or columns is.
    list: List,
    /// Whether the variables that follow are those of `INTO @a, @b`.
    after_into: bool,
    /// Those that an earlier part sets, so that they have their value for sure where the reader is.
    sure: BTreeSet<Box<str>>,
}

/// What an `=` behind a variable does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Assigns {
    Nothing,
    /// `SET @a = 1, @b = 2`
    InSet,
    /// `GET DIAGNOSTICS @a = NUMBER`
    InDiagnostics,
}

/// What a variable is that stands alone in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Other,
    /// `CALL p(@a)`: the procedure may read it and may set it.
    OfCall,
    /// `EXECUTE s USING @a` likewise, as the statement may be a CALL.
    OfExecute,
    /// `LOAD DATA … (@a, name)`: each row sets it.
    OfLoad,
}

impl<'t> Reader<'t> {
    fn new(tokens: &'t [&'t Token]) -> Self {
        Self {
            tokens,
            variables: Variables::default(),
            facts: Facts::NONE,
            depth: 0,
            assigns: Assigns::Nothing,
            list: List::Other,
            after_into: false,
            sure: BTreeSet::new(),
        }
    }

    fn read(&mut self) {
        let mut at = 0;
        while at < self.tokens.len() {
            if let Some((name, next)) = variable(self.tokens, at) {
                self.variable(&name, at, next);
                at = next;
                continue;
            }
            self.token(at);
            at += 1;
        }
        self.variables.set.append(&mut self.sure);
    }

    /// A token that is no variable of the user's own.
    fn token(&mut self, at: usize) {
        let token = self.tokens[at];
        match token {
            Token::LParen => self.depth += 1,
            Token::RParen => self.depth = self.depth.saturating_sub(1),
            Token::SemiColon => {
                (self.assigns, self.list) = (Assigns::Nothing, List::Other);
                self.sure.append(&mut self.variables.set);
            }
            Token::Word(word) if word.quote_style.is_none() => self.word(word, at),
            _ => {}
        }
        self.after_into = is(Some(&token), "into") || self.after_into && *token == Token::Comma;
    }

    fn word(&mut self, word: &Word, at: usize) {
        if word.value.starts_with("@@") {
            self.facts = self.facts.with(of_system_variable(self.tokens, at));
            return;
        }
        if self.depth > 0 {
            return;
        }
        match word.value.to_ascii_lowercase().as_str() {
            "set" => (self.assigns, self.list) = (Assigns::InSet, List::Other),
            "diagnostics" => self.assigns = Assigns::InDiagnostics,
            "select" | "insert" | "update" | "delete" | "replace" | "with" | "values" => {
                self.assigns = Assigns::Nothing
            }
            "call" if self.begins_statement(at) => self.list = List::OfCall,
            "execute" if self.begins_statement(at) => self.list = List::OfExecute,
            "load" if self.begins_statement(at) => self.list = List::OfLoad,
            _ => {}
        }
    }

    fn begins_statement(&self, at: usize) -> bool {
        const BEFORE: &[&str] = &["atomic", "begin", "do", "else", "for", "loop", "repeat", "then"];
        let before = at.checked_sub(1).map(|before| self.tokens[before]);
        before.is_none_or(|before| *before == Token::SemiColon || is_any(Some(&before), BEFORE))
    }

    /// A variable, from its place to behind its name.
    fn variable(&mut self, name: &str, at: usize, next: usize) {
        let before = at.checked_sub(1).map(|before| self.tokens[before]);
        let stands_alone = matches!(before, Some(Token::LParen | Token::Comma))
            && matches!(self.tokens.get(next), Some(Token::RParen | Token::Comma));
        let begins = is(before.as_ref(), "set") || before == Some(&Token::Comma);
        let equals = match self.assigns {
            Assigns::Nothing => false,
            Assigns::InSet => self.depth == 0 && begins,
            Assigns::InDiagnostics => true,
        };
        let (asks, sets) = match (self.tokens.get(next), self.list) {
            (Some(Token::Assignment), _) => (false, true),
            (Some(Token::Eq), _) if equals => (false, true),
            _ if self.after_into => (false, true),
            (_, List::OfLoad) if stands_alone && self.depth == 1 => (false, true),
            (_, List::OfCall) => (true, stands_alone && self.depth == 1),
            (_, List::OfExecute) => {
                (true, !is(before.as_ref(), "immediate") && !is(before.as_ref(), "execute"))
            }
            _ => (true, false),
        };
        if asks && !self.sure.contains(name) {
            self.variables.asked.insert(name.into());
        }
        match self.list {
            // Each row sets it before anything is computed of the row.
            List::OfLoad if sets => self.sure.insert(name.into()),
            _ if sets => self.variables.set.insert(name.into()),
            _ => false,
        };
    }
}

/// The name of the user's variable that stands here, and the place behind it: `@a`, `@a.b`, `` @`a` ``, `@'a'`.
fn variable(tokens: &[&Token], at: usize) -> Option<(String, usize)> {
    // `'user'@'host'`
    if at.checked_sub(1).is_some_and(|before| is_quoted(tokens[before])) {
        return None;
    }
    let name = match tokens[at] {
        Token::AtSign => return Some((text_of(tokens.get(at + 1)?)?.to_lowercase(), at + 2)),
        Token::Word(Word { value, quote_style: None, .. }) => value.strip_prefix('@')?,
        _ => return None,
    };
    if name.starts_with('@') {
        return None;
    }
    let (mut name, mut next) = (name.to_lowercase(), at + 1);
    while let [Token::Period, Token::Word(Word { value, quote_style: None, .. }), ..] = &tokens[next..] {
        name = name + "." + &value.to_lowercase();
        next += 2;
    }
    Some((name, next))
}

fn is_quoted(token: &Token) -> bool {
    match token {
        Token::Word(word) => word.quote_style.is_some(),
        Token::SingleQuotedString(_) | Token::DoubleQuotedString(_) => true,
        _ => false,
    }
}

/// The text of a name, quoted in any way or not at all.
pub(super) fn text_of<'t>(token: &&'t Token) -> Option<&'t str> {
    match token {
        Token::Word(word) => Some(&word.value),
        Token::SingleQuotedString(text) | Token::DoubleQuotedString(text) => Some(text),
        _ => None,
    }
}

/// Whether a text begins the definition of what has a body of statements.
fn defines_routine(tokens: &[&Token]) -> bool {
    const KINDS: &[&str] = &["trigger", "procedure", "function", "event", "package"];
    /// More words than stand between CREATE and what is created.
    const FAR: usize = 16;
    is_any(tokens.first(), &["create", "alter"])
        && tokens
            .iter()
            .take(FAR)
            .take_while(|token| ***token != Token::LParen)
            .any(|token| is_any(Some(token), KINDS))
}

/// `SHOW WARNINGS`, `SHOW COUNT(*) ERRORS`, `GET DIAGNOSTICS`.
fn asks_how_it_ended(tokens: &[&Token]) -> bool {
    match tokens {
        [first, rest @ ..] if is(Some(first), "show") => {
            let is_count = is(rest.first(), "count");
            rest.iter()
                .take(if is_count { 5 } else { 1 })
                .any(|word| is_any(Some(word), &["warnings", "errors"]))
        }
        [first, rest @ ..] if is(Some(first), "get") => {
            rest.iter().take(2).any(|word| is(Some(word), "diagnostics"))
        }
        _ => false,
    }
}

/// What a system variable tells of earlier statements: `@@identity`, `@@session.warning_count`.
fn of_system_variable(tokens: &[&Token], at: usize) -> Facts {
    let Some((name, _)) = system_variable(tokens, at) else { return Facts::NONE };
    match name.to_ascii_lowercase().as_str() {
        "identity" | "last_insert_id" | "insert_id" => Facts::INSERTED,
        "last_gtid" => Facts::CHANGED,
        "warning_count" | "error_count" | "in_transaction" => Facts::ENDED,
        _ => Facts::NONE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::tokens::tokenize;

    fn used(sql: &str) -> (String, String) {
        let tokens = tokenize(Dialect::Mysql, sql).expect("it can be taken apart");
        let variables = of_words(Dialect::Mysql, &tokens).variables.unwrap_or_default();
        let text = |names: BTreeSet<Box<str>>| names.into_iter().collect::<Vec<_>>().join(" ");
        (text(variables.asked), text(variables.set))
    }

    #[test]
    fn each_use_of_a_variable_is_told() {
        for (sql, asked, set) in [
            ("SELECT 1", "", ""),
            ("SELECT @x, @X, @`x`, @'x', @\"x\", @ x", "x", ""),
            ("SELECT @a.b, @`Back Tick`", "a.b back tick", ""),
            ("SELECT @@x, @@session.y", "@@* @@x @@y", ""),
            ("SET @x = 1", "", "x"),
            ("SET @`x` = 1, @'y' := 2, time_zone = @z", "z", "@@time_zone x y"),
            ("SET @x = @y = 1", "y", "x"),
            ("SET sql_mode = '', @x = (SELECT 1, @y = 2)", "y", "@@sql_mode x"),
            ("SET @x = @x + 1", "x", "x"),
            ("SET @x = 1; SELECT @x", "", "x"),
            ("SET STATEMENT max_statement_time = 1 FOR SET @x = 1", "", "x"),
            ("SET STATEMENT max_statement_time = 1 FOR SELECT 1, @x = 1", "x", ""),
            ("SELECT @x = 1", "x", ""),
            ("SELECT 1, @x = 1", "x", ""),
            ("SELECT @x := 1, @y", "y", "x"),
            ("UPDATE t SET a = @x := 'x', b = @y", "y", "x"),
            ("DO @x := 1", "", "x"),
            ("ANALYZE FORMAT=JSON SELECT @x := 1", "", "x"),
            ("SELECT a, b INTO @x, @`y` FROM t WHERE c = @z", "z", "x y"),
            ("INSERT INTO t VALUES (1) RETURNING id INTO @x", "", "x"),
            ("INSERT INTO t (a) VALUES (@x)", "x", ""),
            ("LOAD DATA INFILE 'f' INTO TABLE t (@e, name) SET a = @e, b = @f", "f", "e"),
            ("LOAD XML INFILE 'f' INTO TABLE t (@`E`)", "", "e"),
            ("CALL p(@x, @y + 1)", "x y", "x"),
            ("EXECUTE s USING @x, @y", "x y", "x y"),
            ("EXECUTE IMMEDIATE @sql USING @x", "sql x", "x"),
            ("PREPARE s FROM @sql", "sql", ""),
            ("GET DIAGNOSTICS @n = NUMBER", "", "n"),
            ("GET CURRENT DIAGNOSTICS CONDITION @i @a = MYSQL_ERRNO, @b = MESSAGE_TEXT", "i", "a b"),
            (
                "BEGIN NOT ATOMIC SET @x = 1; CALL p(@y); IF @z = 1 THEN SET @w = 2; END IF; END",
                "y z",
                "w x y",
            ),
            ("CREATE PROCEDURE p() SET @x = 1", "", ""),
            ("CREATE DEFINER = 'a'@'b' TRIGGER r BEFORE INSERT ON t FOR EACH ROW SET @x = NEW.a", "", ""),
            ("CREATE TABLE t AS SELECT @x := 1", "", "x"),
            ("GRANT ALL ON *.* TO 'a'@'b', a@b, `a`@`b`", "", ""),
            ("SHOW GRANTS FOR 'a'@'b'", "", ""),
        ] {
            assert_eq!(used(sql), (asked.to_owned(), set.to_owned()), "{sql}");
        }
    }

    #[test]
    fn system_variables_are_known_in_quotes() {
        for sql in [
            "@@identity",
            "@@`Identity`",
            "@@session.identity",
            "@@LOCAL . `identity`",
            "@@`session`.identity",
        ] {
            let tokens = tokenize(Dialect::Mysql, &format!("SELECT {sql}")).expect("it can be taken apart");
            assert_eq!(
                of_words(Dialect::Mysql, &tokens).asks.without(Facts::VARIABLES),
                Facts::INSERTED,
                "{sql}"
            );
        }
    }
}
