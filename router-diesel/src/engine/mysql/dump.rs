//! The schema of a database of MySQL or MariaDB, which their own programs write and read.

use std::borrow::Cow;

use diesel::QueryResult;

use super::Mysql;
use super::client::{Maker, PACKAGE, tool};
use crate::engine::client::{ClientError, run};
use crate::engine::dump::clean::{Verdict, clean};
use crate::engine::dump::lines::{Quoting, lines};
use crate::engine::dump::{DumpError, Dumps, Loading, Scope};
use crate::engine::url::server::Sections;
use crate::engine::{Ask, Connect as _, DatabaseUrl, mariadb};

/// Settings that `mariadb-dump` and `mysqldump` save, set and put back. Those of triggers and routines, which
/// count for what they do, have other numbers.
const SETTINGS: [&str; 12] = [
    "/*!40101 SET ",
    "/*!40103 SET ",
    "/*!40014 SET ",
    "/*!40111 SET ",
    "/*!50503 SET ",
    "/*!50606 SET ",
    "/*!100616 SET ",
    "/*M!100616 SET ",
    "/*!999999",
    "/*M!999999",
    "SET @saved_cs_client ",
    "SET character_set_client ",
];

/// How `mariadb-dump` and `mysqldump` are always called.
const ALWAYS: [&str; 7] = [
    "--skip-comments",
    "--skip-dump-date",
    "--skip-add-drop-table",
    "--skip-add-locks",
    "--skip-lock-tables",
    "--single-transaction",
    "--no-tablespaces",
];

/// And for rows: a statement for each, in the order of keys.
const ROWS: [&str; 7] = [
    "--no-create-info",
    "--skip-triggers",
    "--complete-insert",
    "--skip-extended-insert",
    "--order-by-primary",
    "--hex-blob",
    "--skip-disable-keys",
];

impl Dumps for Mysql {
    fn dump(&self, conn: &mut dyn Ask, url: &DatabaseUrl, scope: &Scope) -> Result<String, DumpError> {
        let name = name(url)?;
        let own = conn.texts(
            "SELECT CAST(table_name AS CHAR) AS value FROM information_schema.tables
             WHERE table_schema = DATABASE() AND LEFT(table_name, 11) = '__dbrouter_'",
        )?;
        let own: Vec<String> =
            own.into_iter().flatten().map(|table| format!("--ignore-table={name}.{table}")).collect();
        let programs = by_maker(conn, ["mariadb-dump", "mysqldump"])?;
        let dump = |arguments: &[&str], tables: &[&str]| -> Result<String, DumpError> {
            let (mut command, maker) = tool(programs, url)?;
            command.args(ALWAYS).args(arguments).args(&own);
            if maker == Maker::Mysql {
                command.args(["--set-gtid-purged=OFF", "--column-statistics=0"]);
            }
            command.arg("--").arg(name).args(tables);
            Ok(cleaned(&run(command, PACKAGE)?))
        };
        if scope.rows_of.is_empty() {
            return dump(&["--no-data", "--routines", "--events"], &[]);
        }
        // Rows come before triggers, which would change them once more.
        let tables: Vec<&str> = scope.rows_of.iter().map(|(_, table)| table.as_str()).collect();
        let rows = dump(&ROWS, &tables)?;
        let rest = dump(&["--no-data", "--no-create-info", "--triggers", "--routines", "--events"], &[])?;
        Ok(format!("{}\n{rows}\n{rest}", dump(&["--no-data", "--skip-triggers"], &[])?))
    }

    fn left_out(&self, scope: &Scope) -> Vec<String> {
        let others = ["grants", "users", "definers", "the numbers of `AUTO_INCREMENT`"];
        std::iter::once(scope.rows()).chain(others.map(str::to_owned)).collect()
    }

    /// The server knows no `DELIMITER`, which triggers and routines need.
    fn loading(&self, conn: &mut dyn Ask, url: &DatabaseUrl) -> Result<Loading, DumpError> {
        let programs = by_maker(conn, ["mariadb", "mysql"])?;
        let (mut command, _) = tool(programs, url)?;
        command
            .args([
                "--init-command=SET SESSION FOREIGN_KEY_CHECKS = 0, UNIQUE_CHECKS = 0",
                // Else the client takes the comments out of triggers and routines.
                "--comments",
                "--batch",
                "--",
            ])
            .arg(name(url)?);
        Ok(Loading::Program { command, package: PACKAGE })
    }

    fn own_tables(&self, conn: &mut dyn Ask, _: &Scope) -> QueryResult<Vec<String>> {
        let tables = conn.texts(
            "SELECT CAST(table_name AS CHAR) AS value FROM information_schema.tables
             WHERE table_schema = DATABASE() AND LEFT(table_name, 11) <> '__dbrouter_' ORDER BY table_name",
        )?;
        Ok(tables.into_iter().flatten().collect())
    }
}

fn name(url: &DatabaseUrl) -> Result<&str, ClientError> {
    Some(Sections::of(url.expose()).name).filter(|name| !name.is_empty()).ok_or(ClientError::Nameless)
}

/// A program of MariaDB's client and one of MySQL's, that of the server's own maker first.
fn by_maker<'p>(conn: &mut dyn Ask, [maria, my]: [&'p str; 2]) -> QueryResult<[&'p str; 2]> {
    Ok(if mariadb::wrote(&Mysql.version(conn)?) { [maria, my] } else { [my, maria] })
}

/// Cleans what `mariadb-dump` or `mysqldump` wrote.
fn cleaned(dump: &str) -> String {
    let mut is_body = false;
    clean(&lines(dump, Quoting::Mysql), |text| {
        match text {
            "DELIMITER ;;" => is_body = true,
            "DELIMITER ;" => is_body = false,
            _ => {}
        }
        if is_body {
            // The bodies of triggers and routines are no texts in quotes, and every line of them counts.
            return Verdict::KeepBody(without_definer(text));
        }
        if text.starts_with("--") || SETTINGS.iter().any(|prefix| text.starts_with(prefix)) {
            Verdict::Drop
        } else if text.starts_with(") ENGINE=") {
            Verdict::Keep(without_counter(text).into())
        } else if text.starts_with("CREATE TABLE ") {
            // The program leaves no line between tables.
            Verdict::Keep(format!("\n{text}").into())
        } else {
            Verdict::Keep(without_definer(text))
        }
    })
}

/// `) ENGINE=InnoDB AUTO_INCREMENT=42 …` without the number of the next row.
fn without_counter(text: &str) -> String {
    const COUNTER: &str = " AUTO_INCREMENT=";
    let Some((before, after)) = text.split_once(COUNTER) else { return text.to_owned() };
    format!("{before}{}", after.trim_start_matches(|digit: char| digit.is_ascii_digit()))
}

/// ``DEFINER=`user`@`host` `` taken away, so that whoever loads the dump is the definer.
fn without_definer(text: &str) -> Cow<'_, str> {
    const DEFINER: &str = "DEFINER=`";
    if !text.starts_with("/*!50") && !text.starts_with("CREATE ") {
        return text.into();
    }
    let without = || {
        let (before, after) = text.split_once(DEFINER)?;
        let (_, after) = after.split_once("`@`")?;
        let (_, after) = after.split_once('`')?;
        Some(format!("{before}{}", after.strip_prefix(' ').unwrap_or(after)))
    };
    without().map_or(Cow::Borrowed(text), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_of_mariadb_is_left_with_its_statements() {
        let dump = "/*M!999999\\- enable the sandbox mode */ 
/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `posts` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `note` varchar(99) DEFAULT 'DEFINER=`a`@`b`',
) ENGINE=InnoDB AUTO_INCREMENT=42 DEFAULT CHARSET=utf8mb4;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!50003 SET sql_mode              = 'STRICT' */ ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`router`@`127.0.0.1`*/ /*!50003 TRIGGER t BEFORE INSERT ON posts FOR EACH ROW
SET NEW.id = 1 */;;
DELIMITER ;
DELIMITER ;;
CREATE DEFINER=`router`@`%` PROCEDURE `p`()
BEGIN


-- kept
CREATE TABLE x (id INTEGER);
END
;;
DELIMITER ;
CREATE TABLE `last` (
";
        assert_eq!(
            cleaned(dump),
            "CREATE TABLE `posts` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `note` varchar(99) DEFAULT 'DEFINER=`a`@`b`',
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
/*!50003 SET sql_mode              = 'STRICT' */ ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 */ /*!50003 TRIGGER t BEFORE INSERT ON posts FOR EACH ROW
SET NEW.id = 1 */;;
DELIMITER ;
DELIMITER ;;
CREATE PROCEDURE `p`()
BEGIN


-- kept
CREATE TABLE x (id INTEGER);
END
;;
DELIMITER ;

CREATE TABLE `last` (
"
        );
    }
}
