//! What is taken out of a dump so that it changes only when the schema does.

use std::borrow::Cow;

use super::lines::{Line, Quoting, lines};

/// Settings with which `pg_dump` begins, and which differ between its versions.
const POSTGRES_SETTINGS: [&str; 12] = [
    "SET statement_timeout ",
    "SET lock_timeout ",
    "SET idle_in_transaction_session_timeout ",
    "SET transaction_timeout ",
    "SET client_encoding ",
    "SET standard_conforming_strings = on",
    "SET check_function_bodies ",
    "SET xmloption ",
    "SET client_min_messages ",
    "SET row_security ",
    "SET default_tablespace = ''",
    "SELECT pg_catalog.set_config('search_path'",
];

/// Settings that `mariadb-dump` and `mysqldump` save, set and put back. Those of triggers and routines, which
/// count for what they do, have other numbers.
const MYSQL_SETTINGS: [&str; 12] = [
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

/// What to do with a line that begins where a statement could.
enum Verdict<'a> {
    Keep(Cow<'a, str>),
    /// Keep it, though it looks like something to leave out: it is part of a body.
    KeepBody(Cow<'a, str>),
    /// Leave out the line.
    Drop,
    /// Leave out the line and what else belongs to its statement.
    DropStatement,
}

/// Cleans what `pg_dump` wrote.
pub(super) fn postgres(dump: &str) -> String {
    let heap = "SET default_table_access_method = heap;";
    let lines = lines(dump, Quoting::Postgres);
    let is_method =
        |line: &Line<'_>| line.is_code && line.text.starts_with("SET default_table_access_method");
    let all_heap = lines.iter().filter(|line| is_method(line)).all(|line| line.text == heap);
    clean(&lines, |text| {
        if text.starts_with("--")
            || text.starts_with("\\restrict ")
            || text.starts_with("\\unrestrict ")
            || POSTGRES_SETTINGS.iter().any(|prefix| text.starts_with(prefix))
            || (all_heap && text == heap)
        {
            Verdict::Drop
        } else if text.starts_with("COMMENT ON EXTENSION ") || text.starts_with("CREATE USER MAPPING ") {
            // The one is the extension's own and needs its owner, the other holds passwords.
            Verdict::DropStatement
        } else if text == "CREATE SCHEMA public;" {
            // Every database has it but those where it was dropped and made anew.
            Verdict::Keep("CREATE SCHEMA IF NOT EXISTS public;".into())
        } else {
            Verdict::Keep(text.into())
        }
    })
}

/// Cleans what `mariadb-dump` or `mysqldump` wrote.
pub(super) fn mysql(dump: &str) -> String {
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
        if text.starts_with("--") || MYSQL_SETTINGS.iter().any(|prefix| text.starts_with(prefix)) {
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

/// Goes through the lines, and leaves one blank line of several between statements.
fn clean<'a>(lines: &[Line<'a>], mut judge: impl FnMut(&'a str) -> Verdict<'a>) -> String {
    let mut cleaned = String::new();
    let mut is_dropping = false;
    let mut is_after_blank = true;
    for (index, line) in lines.iter().enumerate() {
        let ends_statement = line.text.ends_with(';') && lines.get(index + 1).is_none_or(|next| next.is_code);
        let verdict = match line.is_code {
            _ if is_dropping => Verdict::Drop,
            true => judge(line.text),
            false => Verdict::KeepBody(line.text.into()),
        };
        let is_body = matches!(verdict, Verdict::KeepBody(_));
        match verdict {
            Verdict::Keep(text) | Verdict::KeepBody(text) => {
                let is_blank = !is_body && text.trim().is_empty();
                if !(is_blank && is_after_blank) {
                    let text = if is_after_blank { text.trim_start_matches('\n') } else { &text };
                    cleaned.push_str(text);
                    cleaned.push('\n');
                }
                is_after_blank = is_blank;
            }
            Verdict::Drop => is_dropping = is_dropping && !ends_statement,
            Verdict::DropStatement => is_dropping = !ends_statement,
        }
    }
    let end = cleaned.trim_end().len();
    cleaned.truncate(end);
    cleaned.push('\n');
    cleaned
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
    if !text.starts_with("/*!500") && !text.starts_with("CREATE ") {
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
    fn a_dump_of_postgres_is_left_with_its_statements() {
        let dump = "--
-- PostgreSQL database dump
--

\\restrict abc

-- Dumped from database version 15.18
-- Dumped by pg_dump version 17.1

SET statement_timeout = 0;
SET transaction_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);

--
-- Name: EXTENSION x; Type: COMMENT
--

COMMENT ON EXTENSION x IS 'two
lines; of it';


CREATE USER MAPPING FOR a SERVER b OPTIONS (
    password 'secret'
);


CREATE SCHEMA public;


--
-- Name: f(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.f() RETURNS text
    LANGUAGE sql
    AS $$


-- kept
SELECT 'x';
SET statement_timeout = 0;
$$;


SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE public.posts (
    id integer
);


--
-- PostgreSQL database dump complete
--

\\unrestrict abc

";
        assert_eq!(
            postgres(dump),
            "CREATE SCHEMA IF NOT EXISTS public;

CREATE FUNCTION public.f() RETURNS text
    LANGUAGE sql
    AS $$


-- kept
SELECT 'x';
SET statement_timeout = 0;
$$;

CREATE TABLE public.posts (
    id integer
);
"
        );
    }

    #[test]
    fn another_access_method_is_kept() {
        let dump = "SET default_table_access_method = heap;\n\nSET default_table_access_method = columnar;\n";
        assert_eq!(postgres(dump), dump);
    }

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
            mysql(dump),
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
