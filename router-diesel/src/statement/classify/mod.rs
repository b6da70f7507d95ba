//! The first reading: from the tree that `sqlparser` makes of a statement.
//!
//! Only kinds of statement that the tree holds in full are read here. For all others, as for what the grammar
//! refuses, the answer is "no", and the tokens are handed back for the second reading.

use std::ptr;

use router_core::Operation;
use sqlparser::ast::{
    ContextModifier, CopySource, CopyTarget, Expr, ObjectName, Query, Set, SetExpr, Spanned, Statement,
    TableFactor, Truncate, UtilityOption, Value, Visit,
};
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use super::draft::Draft;
use super::effects::{Effects, Facts};
use super::functions::Called;
use super::nesting::with_enough_stack;
use super::table::TableName;
use super::{Classifier, Dialect, TransactionControl};

mod definitions;
mod visit;

/// How deeply expressions may nest. Diesel's boxed queries nest one level for each filter.
const DEPTH: usize = 200;

/// How many tokens are parsed. The tokens alone tell as much of a longer text, and cost less.
const TOKENS: usize = 4_000;

/// Reads all statements from their tree, where it holds them in full. Gives the tokens back in any case.
pub(super) fn read(
    classifier: &Classifier,
    tokens: Vec<TokenWithSpan>,
) -> (Option<Draft>, Vec<TokenWithSpan>) {
    if tokens.len() > TOKENS {
        return (None, tokens);
    }
    with_enough_stack(tokens, |tokens| {
        let grammar = classifier.dialect().grammar();
        let mut parser = Parser::new(grammar).with_recursion_limit(DEPTH).with_tokens_with_locations(tokens);
        let mut draft = Draft::default();
        let read = read_each(classifier, &mut parser, &mut draft);
        (read.is_ok().then_some(draft), parser.into_tokens())
    })
}

/// The tree does not hold what must be known; the tokens may.
struct NotHere;

/// Reads statement after statement. `Parser::parse_statements` would stop at a stray `END` and keep silent about
/// what follows.
fn read_each(classifier: &Classifier, parser: &mut Parser<'_>, draft: &mut Draft) -> Result<(), NotHere> {
    loop {
        while parser.consume_token(&Token::SemiColon) {}
        if parser.peek_token_ref().token == Token::EOF {
            return Ok(());
        }
        if !is_known(parser) {
            return Err(NotHere);
        }
        let statement = parser.parse_statement().map_err(|_| NotHere)?;
        if !matches!(parser.peek_token_ref().token, Token::SemiColon | Token::EOF) {
            return Err(NotHere);
        }
        draft.absorb(read_one(classifier, &statement)?);
    }
}

/// Whether a statement begins here of which the tree holds everything. The parser knows others, which hold statements
/// in turn, without any bracket by which their depth could be measured.
fn is_known(parser: &Parser<'_>) -> bool {
    let keyword = |place: usize| match &parser.peek_nth_token_ref(place).token {
        Token::Word(word) if word.quote_style.is_none() => word.keyword,
        _ => Keyword::NoKeyword,
    };
    match keyword(0) {
        Keyword::NoKeyword => parser.peek_token_ref().token == Token::LParen,
        Keyword::TRUNCATE
        | Keyword::COPY
        | Keyword::CALL
        | Keyword::SET
        | Keyword::ALTER
        | Keyword::DROP
        | Keyword::START
        | Keyword::BEGIN
        | Keyword::COMMIT
        | Keyword::END
        | Keyword::ROLLBACK
        | Keyword::SAVEPOINT
        | Keyword::RELEASE => true,
        Keyword::CREATE => {
            (1..6).any(|place| matches!(keyword(place), Keyword::TABLE | Keyword::VIEW | Keyword::INDEX))
                && !(1..6).any(|place| {
                    matches!(
                        keyword(place),
                        Keyword::TRIGGER | Keyword::PROCEDURE | Keyword::FUNCTION | Keyword::EVENT
                    )
                })
        }
        Keyword::EXPLAIN | Keyword::DESCRIBE | Keyword::DESC => explained(parser).is_some_and(|place| {
            is_query(keyword(place)) || parser.peek_nth_token_ref(place).token == Token::LParen
        }),
        keyword => is_query(keyword),
    }
}

fn is_query(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::SELECT
            | Keyword::WITH
            | Keyword::VALUES
            | Keyword::INSERT
            | Keyword::REPLACE
            | Keyword::UPDATE
            | Keyword::DELETE
            | Keyword::MERGE
    )
}

/// Where what is explained begins, behind EXPLAIN and its options.
fn explained(parser: &Parser<'_>) -> Option<usize> {
    /// More options than there are.
    const PLACES: usize = 64;
    let mut depth = 0_usize;
    (1..PLACES).find(|place| {
        match &parser.peek_nth_token_ref(*place).token {
            Token::LParen if *place == 1 => depth += 1,
            Token::LParen if depth > 0 => depth += 1,
            Token::RParen => {
                depth = depth.saturating_sub(1);
                return false;
            }
            _ => {}
        }
        let is_option = match &parser.peek_nth_token_ref(*place).token {
            Token::Word(word) => ["query", "plan", "analyze", "verbose"]
                .iter()
                .any(|option| word.value.eq_ignore_ascii_case(option)),
            _ => false,
        };
        depth == 0 && !is_option
    })
}

fn read_one(classifier: &Classifier, statement: &Statement) -> Result<Draft, NotHere> {
    if let Statement::Explain { analyze, statement, options, .. } = statement {
        let runs = *analyze || options.as_deref().is_some_and(analyzes);
        return Ok(read_one(classifier, statement)?.explained(classifier.dialect(), runs));
    }
    let mut reader = Reader {
        classifier,
        draft: Draft::default(),
        tables: Vec::new(),
        scopes: Vec::new(),
        cte_depth: 0,
        set_apart: Vec::new(),
    };
    reader.statement(statement)?;
    if statement.visit(&mut reader).is_break() {
        return Err(NotHere);
    }
    if matches!(reader.draft.finding, Some((Operation::Migrate, _))) {
        // What a definition calls runs later, and elsewhere.
        reader.draft.effects = Effects::default();
    }
    reader.tables.sort_by_key(|(location, _)| *location);
    for (_, table) in reader.tables {
        reader.draft.table(table);
    }
    Ok(reader.draft)
}

/// Walks a tree and fills a draft.
struct Reader<'c> {
    classifier: &'c Classifier,
    draft: Draft,
    /// With their places: the tree is not in the order of the text.
    tables: Vec<(Location, TableName)>,
    scopes: Vec<Scope>,
    cte_depth: usize,
    /// Tables of the tree that were dealt with before the walk comes to them.
    set_apart: Vec<*const TableFactor>,
}

/// The common table expressions of one query.
struct Scope {
    visible: Vec<Box<str>>,
    /// Those that are not visible before their own end.
    coming: Vec<(*const Query, Box<str>)>,
    is_cte: bool,
}

impl Reader<'_> {
    fn dialect(&self) -> Dialect {
        self.classifier.dialect()
    }

    /// What the outermost statement does, and the tables that the walk does not come to.
    fn statement(&mut self, statement: &Statement) -> Result<(), NotHere> {
        match statement {
            Statement::Query(query) => {
                self.draft.found(Operation::Read, verb_of(&query.body));
                self.draft.makes(Facts::FOUND);
            }
            // The walk sees these, here and inside of common table expressions.
            Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_) | Statement::Merge(_) => {}
            Statement::Truncate(truncate) => self.truncate(truncate),
            // What follows `COPY … FROM STDIN;` is taken for rows, be it rows or statements.
            Statement::Copy { target: CopyTarget::Stdin, .. } => return Err(NotHere),
            Statement::Copy { source, to, target, .. } => self.copy(source, *to, target),
            Statement::Call(function) => {
                // What a procedure leaves behind, nobody can see.
                self.draft.state("CALL");
                self.draft.makes(Facts::INSERTED.with(Facts::CHANGED));
                self.function(&function.name, false);
            }
            // The tree does not say whether it is SET SESSION TRANSACTION.
            Statement::Set(Set::SetTransaction { .. }) => return Err(NotHere),
            Statement::Set(set) => self.set(set),
            Statement::CreateTable(create) => return self.create_table(create),
            Statement::CreateView(create) => return self.create_view(create),
            Statement::CreateIndex(create) => {
                self.draft.found(Operation::Migrate, "CREATE INDEX");
                self.object(&create.table_name);
            }
            Statement::AlterTable(alter) => {
                self.draft.found(Operation::Migrate, "ALTER TABLE");
                self.object(&alter.name);
                return alter.operations.iter().try_for_each(|operation| self.alter(operation));
            }
            Statement::Drop { object_type, names, table, .. } => {
                self.drop(*object_type, names, table.as_ref())?
            }
            Statement::StartTransaction { statements, exception, has_end_keyword, .. } => {
                if !statements.is_empty() || exception.is_some() || *has_end_keyword {
                    return Err(NotHere);
                }
                self.draft.control(TransactionControl::Begin);
            }
            Statement::Commit { .. } => self.draft.control(TransactionControl::Commit),
            Statement::Rollback { savepoint: None, .. } => self.draft.control(TransactionControl::Rollback),
            Statement::Rollback { savepoint: Some(_), .. } => {
                self.draft.control(TransactionControl::RollbackTo)
            }
            Statement::Savepoint { .. } => self.draft.control(TransactionControl::Savepoint),
            Statement::ReleaseSavepoint { .. } => self.draft.control(TransactionControl::Release),
            _ => return Err(NotHere),
        }
        Ok(())
    }

    fn truncate(&mut self, truncate: &Truncate) {
        self.draft.found(Operation::Write, "TRUNCATE");
        for target in &truncate.table_names {
            self.object(&target.name);
        }
    }

    fn copy(&mut self, source: &CopySource, to: bool, target: &CopyTarget) {
        match (to, target) {
            (false, _) => {
                self.draft.found(Operation::Write, "COPY FROM");
                self.draft.makes(Facts::INSERTED);
            }
            (true, CopyTarget::Program { .. }) => self.draft.found(Operation::Write, "COPY TO PROGRAM"),
            (true, CopyTarget::File { .. }) => {
                self.draft.found(Operation::Write, "COPY TO writes a file of the server");
            }
            (true, _) => self.draft.found(Operation::Read, "COPY TO"),
        }
        self.draft.effects.copies |= matches!(target, CopyTarget::Stdin | CopyTarget::Stdout);
        if let CopySource::Table { table_name, .. } = source {
            self.object(table_name);
        }
    }

    fn set(&mut self, set: &Set) {
        // Beside other statements: alone, it is no write.
        let is_local = match set {
            Set::SingleAssignment { scope: Some(ContextModifier::Local), .. } => {
                self.dialect() == Dialect::Postgres
            }
            _ => false,
        };
        match is_local {
            true => self.draft.found(Operation::Write, "SET LOCAL"),
            false => self.draft.state("SET"),
        }
    }

    /// A table that is written to or defined, and so cannot be a common table expression.
    fn object(&mut self, name: &ObjectName) {
        if let Some(table) = TableName::from_object(self.dialect(), name) {
            self.tables.push((name.span().start, table));
        }
    }

    /// A table that is read, unless it is a common table expression in sight.
    fn source(&mut self, name: &ObjectName) {
        let dialect = self.dialect();
        let Some(table) = TableName::from_object(dialect, name) else { return };
        let is_dual = dialect == Dialect::Mysql && is_word(name, "dual");
        let mut in_sight = self.scopes.iter().flat_map(|scope| &scope.visible);
        if !is_dual && !in_sight.any(|cte| table.is_cte(dialect, cte)) {
            self.tables.push((name.span().start, table));
        }
    }

    /// A table of the tree that is written to.
    fn target(&mut self, factor: &TableFactor) {
        if let TableFactor::Table { name, .. } = factor {
            self.object(name);
            self.set_apart.push(ptr::from_ref(factor));
        }
    }

    fn function(&mut self, name: &ObjectName, is_bare: bool) {
        let mut parts = name.0.iter().rev().filter_map(|part| part.as_ident());
        let Some(function) = parts.next() else { return };
        let called = Called {
            schema: parts.next().map(|schema| schema.value.as_str()),
            name: &function.value,
            is_quoted: function.quote_style.is_some(),
            is_bare,
        };
        self.draft.calls(called, self.classifier.functions.call(called));
    }
}

fn verb_of(body: &SetExpr) -> &'static str {
    match body {
        SetExpr::Values(_) => "VALUES",
        _ => "SELECT",
    }
}

/// Whether a name is this one word without quotes.
fn is_word(name: &ObjectName, word: &str) -> bool {
    match name.0.as_slice() {
        [part] => part
            .as_ident()
            .is_some_and(|part| part.quote_style.is_none() && part.value.eq_ignore_ascii_case(word)),
        _ => false,
    }
}

/// Whether `EXPLAIN (…)` runs the statement. A value that is not plainly "no" is a yes.
fn analyzes(options: &[UtilityOption]) -> bool {
    options.iter().filter(|option| option.name.value.eq_ignore_ascii_case("analyze")).any(|option| {
        let no = match &option.arg {
            None => false,
            Some(Expr::Identifier(word)) => is_no(&word.value),
            Some(Expr::Value(value)) => match &value.value {
                Value::Boolean(yes) => !yes,
                Value::Number(number, _) => number == "0",
                Value::SingleQuotedString(word) => is_no(word),
                _ => false,
            },
            Some(_) => false,
        };
        !no
    })
}

fn is_no(word: &str) -> bool {
    ["false", "off", "0"].iter().any(|no| word.eq_ignore_ascii_case(no))
}
