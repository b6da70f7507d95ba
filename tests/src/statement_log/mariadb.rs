//! MariaDB's general log.

use std::collections::HashMap;

use super::LoggedStatement;

/// The user whose statements are the harness's own, and are left out.
pub(crate) const HARNESS_USER: &str = "harness";

/// The statements after a mark. What comes before it says which database each connection uses.
pub(crate) fn parse(before: &str, after: &str) -> Vec<LoggedStatement> {
    let mut databases = HashMap::new();
    read(before, &mut databases);
    read(after, &mut databases)
}

/// `databases` has none for a connection of the harness, and no entry for the threads that replay a primary's
/// statements, which connect to nobody.
fn read(log: &str, databases: &mut HashMap<u64, Option<String>>) -> Vec<LoggedStatement> {
    let mut statements: Vec<LoggedStatement> = Vec::new();
    let mut in_statement = false;
    for line in log.lines() {
        let Some(Entry { connection, command, argument }) = entry(line) else {
            if is_start(line) {
                // It counts connections from the beginning.
                databases.clear();
                in_statement = false;
            }
            if let Some(statement) = statements.last_mut().filter(|_| in_statement) {
                statement.sql.push('\n');
                statement.sql.push_str(line);
            }
            continue;
        };
        in_statement = matches!(command, "Query" | "Execute");
        match command {
            "Connect" => {
                // `router@127.0.0.1 on blog_1 using TCP/IP`
                let database = argument.split(' ').nth(2).unwrap_or_default().to_owned();
                let is_harness = argument.split('@').next() == Some(HARNESS_USER);
                databases.insert(connection, (!is_harness).then_some(database));
            }
            "Init DB" => {
                databases.insert(connection, Some(argument.to_owned()));
            }
            "Query" | "Execute" | "Ping" => {
                let sql = if command == "Ping" { "PING" } else { argument };
                let Some(Some(database)) = databases.get(&connection).cloned() else {
                    in_statement = false;
                    continue;
                };
                statements.push(LoggedStatement { connection, database, sql: sql.to_owned() });
            }
            _ => {}
        }
    }
    statements
}

/// Whether a line is the first that a server writes when it starts.
fn is_start(line: &str) -> bool {
    line.contains(", Version: ") && line.ends_with(". started with:")
}

struct Entry<'log> {
    connection: u64,
    command: &'log str,
    argument: &'log str,
}

/// Reads `261120  9:24:07\t     4 Query\tSELECT 1`; within one second the time is left out.
fn entry(line: &str) -> Option<Entry<'_>> {
    let (time, rest) = line.split_once('\t')?;
    let is_time = time.len() == 15 && time.chars().all(|c| c.is_ascii_digit() || c == ':' || c == ' ');
    let rest = if is_time { rest } else { rest.strip_prefix('\t').filter(|_| time.is_empty())? };
    let (event, argument) = rest.split_once('\t')?;
    let (connection, command) = event.trim_start().split_once(' ')?;
    Some(Entry { connection: connection.parse().ok()?, command, argument })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_clients_sent_with_their_databases() {
        let before = "\
mariadbd, Version: 10.11.19-MariaDB-log (Debian 12). started with:
Tcp port: 55999  Unix socket: /tmp/s
Time\t\t    Id Command\tArgument
261120  9:24:07\t     3 Connect\tharness@127.0.0.1 on  using TCP/IP
\t\t     4 Connect\trouter@127.0.0.1 on blog_1 using TCP/IP
\t\t     4 Query\tSELECT 'before'
";
        let after = "\
261120 19:24:07\t     2 Query\tINSERT 'what the primary had'
261120 19:24:08\t     4 Query\tSELECT 1,
\t  2
\t\t     4 Prepare\tSELECT ?
\t\t     4 Execute\tSELECT 3
\t\t     3 Query\tSELECT 'of',
\t  'the harness'
\t\t     4 Close stmt\t
\t\t     4 Ping\t
\t\t     4 Init DB\tshop_2
\t\t     4 Query\tSELECT 4
\t\t     4 Quit\t
";
        let read: Vec<_> = parse(before, after).into_iter().map(|s| (s.database, s.sql)).collect();
        let blog = |sql: &str| ("blog_1".to_owned(), sql.to_owned());
        assert_eq!(
            read,
            [
                blog("SELECT 1,\n\t  2"),
                blog("SELECT 3"),
                blog("PING"),
                ("shop_2".to_owned(), "SELECT 4".to_owned()),
            ]
        );
    }

    #[test]
    fn a_start_begins_the_count_of_connections_anew() {
        let before = "\
261120  9:24:07\t     4 Connect\trouter@127.0.0.1 on blog_1 using TCP/IP
";
        let after = "\
261120  9:24:08\t     4 Query\tSELECT 1
mariadbd, Version: 10.11.19-MariaDB-log (Debian 12). started with:
Tcp port: 55999  Unix socket: /tmp/s
Time\t\t    Id Command\tArgument
261120  9:24:09\t     4 Query\tINSERT 'what the primary had'
";
        let read: Vec<_> = parse(before, after).into_iter().map(|s| s.sql).collect();
        assert_eq!(read, ["SELECT 1"]);
    }
}
