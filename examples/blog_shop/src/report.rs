//! The table that the tour fills: each statement, where it went, and why.

use comfy_table::{ColumnConstraint, LineStyle, Table, Width, presets};
use diesel::query_builder::{QueryFragment, QueryId};
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel::{QueryResult, debug_query};
use router_diesel::Session;

/// One statement of the tour.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) statement: String,
    pub(crate) operation: String,
    /// An alias, or `refused`.
    pub(crate) went_to: String,
    pub(crate) why: String,
    pub(crate) result: String,
}

/// A part of the tour.
#[derive(Debug)]
struct Chapter {
    title: &'static str,
    rows: Vec<Row>,
}

/// What the tour has shown so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    chapters: Vec<Chapter>,
}

impl Report {
    pub(crate) fn chapter(&mut self, title: &'static str) {
        self.chapters.push(Chapter { title, rows: Vec::new() });
    }

    /// Notes a statement, and asks the session where it would send it now.
    pub(crate) fn statement<T>(&mut self, conn: &Session<SqliteConnection>, statement: &T) -> QueryResult<()>
    where
        T: QueryFragment<Sqlite> + QueryId,
    {
        let explanation = conn.explain(statement)?;
        let chapter = self.chapters.last_mut().expect("a tour begins with a chapter");
        chapter.rows.push(Row {
            statement: sql(statement),
            operation: explanation.operation().to_string(),
            went_to: explanation.alias().map_or("refused".to_owned(), ToString::to_string),
            why: explanation.reason().to_owned(),
            result: String::new(),
        });
        Ok(())
    }

    /// Adds what the statement gave.
    pub(crate) fn result(&mut self, result: impl Into<String>) {
        let row = self.chapters.last_mut().and_then(|chapter| chapter.rows.last_mut());
        row.expect("a result follows its statement").result = result.into();
    }

    /// Every statement, in the order in which they were made.
    #[cfg(test)]
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.chapters.iter().flat_map(|chapter| &chapter.rows)
    }
}

impl std::fmt::Display for Report {
    /// 110 columns wide: the column names once, then a table for each chapter.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let header = table([["Statement, and what it gave", "Does", "Went to", "Why"].map(str::to_owned)]);
        writeln!(f, "{}", header.trim_fmt())?;
        for (index, Chapter { title, rows }) in self.chapters.iter().enumerate() {
            let rows = rows.iter().map(|Row { statement, operation, went_to, why, result }| {
                [format!("{statement}\n→ {result}"), operation.clone(), went_to.clone(), why.clone()]
            });
            let line = "─".repeat(110);
            writeln!(f, "\n{}. {title}\n{line}\n{}", index + 1, table(rows).trim_fmt())?;
        }
        Ok(())
    }
}

/// Lays cells out in columns of fixed width, with a blank line between two rows.
fn table(rows: impl IntoIterator<Item = [String; 4]>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING.row_separator(LineStyle::none().fill(' ')));
    table.add_rows(rows);
    for (column, width) in [55, 7, 9, 39].into_iter().enumerate() {
        let column = table.column_mut(column).expect("there are four columns");
        column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
    }
    table
}

/// The SQL of a statement, without its quotes and values, and no longer than three lines.
fn sql<T: QueryFragment<Sqlite>>(statement: &T) -> String {
    const LONGEST: usize = 150;
    let text = debug_query::<Sqlite, _>(statement).to_string();
    let text = text.split(" -- binds").next().unwrap_or_default().replace('`', "");
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text,
    }
}
