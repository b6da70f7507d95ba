//! What a server of MySQL or MariaDB is in its cluster, and how far it is.

use diesel::QueryResult;

use super::{Mysql, MysqlGtids};
use crate::engine::observe::{Observation, Observe, Role};
use crate::engine::position::Position;
use crate::engine::{Ask, mariadb};

impl Observe for Mysql {
    fn written(&self, conn: &mut dyn Ask) -> QueryResult<Option<Position>> {
        let answer = conn.text(WRITTEN)?;
        let answer = MysqlAnswer::parse(&answer);
        Ok(answer.has_positions().then(|| answer.own().unwrap_or(Position::Unknown)))
    }

    fn replayed(&self, conn: &mut dyn Ask) -> QueryResult<Observation> {
        Ok(MysqlAnswer::parse(&conn.text(REPLAYED)?).observation())
    }
}

/// One text for both products: MySQL takes what `/*M!` holds for a comment, and MariaDB what `/*!50700` does. A switch
/// is `ON` or 1, whichever the server likes, hence the IF.
const WRITTEN: &str = concat!(
    "SELECT CAST(CONCAT_WS('|', '' /*M! ",
    mariadb::written!(),
    " */ /*!50700 , 'mysql', @@GLOBAL.gtid_mode, 0, @@server_uuid, @@GLOBAL.gtid_executed */) AS CHAR) AS value"
);

/// The same with what tells a replica. `SHOW REPLICA STATUS` needs a privilege, so: on MariaDB the number of running
/// replications, and else on both what they leave behind, and `read_only`, which a replica should have.
const REPLAYED: &str = concat!(
    "SELECT CAST(CONCAT_WS('|', '' /*M! ",
    mariadb::replayed!(),
    " */ /*!50700 , 'mysql', @@GLOBAL.gtid_mode, IF(@@GLOBAL.read_only, 1, 0),
            @@server_uuid, @@GLOBAL.gtid_executed */)
        AS CHAR) AS value"
);

/// What a server said, in texts.
#[derive(Debug, Default, PartialEq, Eq)]
enum MysqlAnswer<'a> {
    MariaDb(mariadb::MariaDbAnswer<'a>),
    Mysql {
        has_gtids: bool,
        is_read_only: bool,
        server: &'a str,
        executed: &'a str,
    },
    /// A server that is neither, or an old one.
    #[default]
    Nothing,
}

impl<'a> MysqlAnswer<'a> {
    fn parse(answer: &'a str) -> Self {
        if let Some(answer) = mariadb::MariaDbAnswer::parse(answer) {
            return Self::MariaDb(answer);
        }
        let fields: Vec<&str> = answer.splitn(6, '|').collect();
        match fields[..] {
            ["", "mysql", mode, is_read_only, server, executed] => {
                Self::Mysql { has_gtids: mode == "ON", is_read_only: is_read_only != "0", server, executed }
            }
            _ => Self::Nothing,
        }
    }

    fn has_positions(&self) -> bool {
        match self {
            Self::MariaDb(answer) => answer.has_log,
            // In the modes between OFF and ON some transactions have no identifier.
            Self::Mysql { has_gtids, .. } => *has_gtids,
            Self::Nothing => false,
        }
    }

    /// The position of a server that writes.
    fn own(&self) -> Option<Position> {
        match self {
            Self::MariaDb(answer) => answer.own(),
            Self::Mysql { has_gtids: false, .. } | Self::Nothing => None,
            Self::Mysql { executed, .. } => Some(Position::Mysql { gtids: MysqlGtids::parse(executed)? }),
        }
    }

    /// A server that is read-only is a replica. One that can be written to and has run others' transactions was
    /// promoted, or is a replica that somebody stopped: nobody can tell.
    fn observation(&self) -> Observation {
        match self {
            Self::MariaDb(answer) => answer.observation(),
            Self::Mysql { is_read_only, server, executed, .. } => {
                let is_alone = MysqlGtids::parse(executed).is_some_and(|gtids| gtids.are_only_of(server));
                let role = match (is_read_only, is_alone) {
                    (true, _) => Role::Replica,
                    (false, true) => Role::Primary,
                    (false, false) => Role::Unknown,
                };
                Observation { role, position: self.own() }
            }
            Self::Nothing => Observation::without_position(Role::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mysql(answer: &str) -> String {
        let Observation { role, position } = MysqlAnswer::parse(answer).observation();
        match position {
            Some(Position::MariaDb { server, gtids }) => {
                let server = if server.is_some() { "its own" } else { "replayed" };
                format!("{role:?} {server} {gtids}")
            }
            Some(position) => format!("{role:?} {position}"),
            None => format!("{role:?} nowhere"),
        }
    }

    #[test]
    fn answers_of_mariadb_as_data() {
        const SERVER: &str = "vm:3306 /var/lib/a|b/ with id 1";
        for (answer, said) in [
            ("|mariadb|1|0|0||0-1-7", "Primary its own 0-1-7"),
            ("|mariadb|1|0|0||", "Primary its own the beginning"),
            ("|mariadb|0|0|0||", "Primary nowhere"),
            ("|mariadb|1|1|1|0-1-7|0-1-7", "Replica replayed 0-1-7"),
            ("|mariadb|0|0|1|0-1-7|0-1-7", "Replica replayed 0-1-7"),
            // What it wrote itself does not count.
            ("|mariadb|1|0|1|0-1-7|0-2-9", "Replica replayed 0-1-7"),
            ("|mariadb|1|1|0|0-1-7|0-1-7", "Replica replayed 0-1-7"),
            ("|mariadb|1|1|1||", "Replica replayed the beginning"),
            // Promoted, or stopped.
            ("|mariadb|1|0|0|0-1-7|0-2-9", "Unknown its own 0-2-9"),
            ("|mariadb|1|1|0||0-1-7", "Unknown its own 0-1-7"),
            ("|mariadb|1|0|0||0-x-7", "Primary nowhere"),
        ] {
            assert_eq!(mysql(&format!("{answer}|{SERVER}")), said, "{answer}");
        }
        let own = |server| MysqlAnswer::parse(&format!("|mariadb|1|0|0||0-1-7|{server}")).own().unwrap();
        assert_eq!(own(SERVER).same_history(&own(SERVER)), Ok(()));
        assert!(own(SERVER).same_history(&own("vm:3306 /var/lib/a|c/ with id 1")).is_err());
    }

    #[test]
    fn answers_of_mysql_as_data() {
        const OWN: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
        const OTHER: &str = "4e11fa47-71ca-11e1-9e33-c80aa9429562";
        for (answer, said) in [
            (format!("|mysql|ON|0|{OWN}|{OWN}:1-5"), format!("Primary {OWN}:1-5")),
            (format!("|mysql|ON|0|{OWN}|"), "Primary the beginning".to_owned()),
            (format!("|mysql|ON|1|{OWN}|{OTHER}:1-5"), format!("Replica {OTHER}:1-5")),
            (format!("|mysql|ON|0|{OWN}|{OTHER}:1-5,\n{OWN}:1"), format!("Unknown {OWN}:1,{OTHER}:1-5")),
            (format!("|mysql|ON_PERMISSIVE|0|{OWN}|{OWN}:1-5"), "Primary nowhere".to_owned()),
            (format!("|mysql|OFF|0|{OWN}|"), "Primary nowhere".to_owned()),
            (format!("|mysql|ON|0|{OWN}|nonsense"), "Unknown nowhere".to_owned()),
            (String::new(), "Unknown nowhere".to_owned()),
        ] {
            assert_eq!(mysql(&answer), said, "{answer}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_panics(answer in any::<String>(), fields in "([|]([0-9a-fA-F:,-]{0,25}|.{0,9})){0,8}") {
            for answer in [answer, fields] {
                let _ = MysqlAnswer::parse(&answer).observation();
                for product in ["mariadb", "mysql"] {
                    let _ = MysqlAnswer::parse(&format!("|{product}|{answer}")).observation();
                }
            }
        }
    }
}
