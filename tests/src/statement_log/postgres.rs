//! PostgreSQL's messages, as its `log_statement = all` writes them.

use super::LoggedStatement;

/// What each message begins with: the process that serves the connection, and its database.
pub(crate) const LINE_PREFIX: &str = "[%p %d] ";

/// The statements of a log that was written with [`LINE_PREFIX`].
pub(crate) fn parse(log: &str) -> Vec<LoggedStatement> {
    let mut statements: Vec<LoggedStatement> = Vec::new();
    let mut in_statement = false;
    for line in log.lines() {
        if let Some(more) = line.strip_prefix('\t') {
            if let Some(statement) = statements.last_mut().filter(|_| in_statement) {
                statement.sql.push('\n');
                statement.sql.push_str(more);
            }
            continue;
        }
        let statement = statement(line);
        in_statement = statement.is_some();
        statements.extend(statement);
    }
    statements
}

/// Reads `[4711 blog_1] LOG:  execute <unnamed>: SELECT 1`.
fn statement(line: &str) -> Option<LoggedStatement> {
    let (origin, message) = line.strip_prefix('[')?.split_once("] LOG:  ")?;
    let (connection, database) = origin.split_once(' ')?;
    let sql = match message.strip_prefix("statement: ") {
        Some(sql) => sql,
        None => message.strip_prefix("execute ")?.split_once(": ")?.1,
    };
    Some(LoggedStatement {
        connection: connection.parse().ok()?,
        database: database.to_owned(),
        sql: sql.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_simple_prepared_and_long_statements_and_nothing_else() {
        let log = "\
[9 ] LOG:  database system is ready to accept connections
[10 blog_1] LOG:  statement: SELECT 1,
\t  '] LOG:  statement: x'
[10 blog_1] LOG:  execute __diesel_stmt_0: SELECT $1
[10 blog_1] DETAIL:  parameters: $1 = 'two
\tlines'
[11 shop_2] ERROR:  relation \"x\" does not exist
[11 shop_2] STATEMENT:  SELECT FROM x
";
        let read: Vec<_> = parse(log).into_iter().map(|s| (s.connection, s.database, s.sql)).collect();
        assert_eq!(
            read,
            [
                (10, "blog_1".to_owned(), "SELECT 1,\n  '] LOG:  statement: x'".to_owned()),
                (10, "blog_1".to_owned(), "SELECT $1".to_owned()),
            ]
        );
    }
}
