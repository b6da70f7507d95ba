//! What a file of SQLite is in its cluster.

use diesel::QueryResult;

use super::Sqlite;
use crate::engine::observe::{Observation, Observe, Role};
use crate::engine::position::Position;
use crate::engine::{Access, Ask};

impl Observe for Sqlite {
    /// A file does not say how far a copy of it is.
    fn has_positions(&self) -> bool {
        false
    }

    fn written(&self, _: &mut dyn Ask) -> QueryResult<Option<Position>> {
        Ok(None)
    }

    fn replayed(&self, _: &mut dyn Ask) -> QueryResult<Observation> {
        Ok(Observation::without_position(Role::Unknown))
    }

    /// SQLite makes a missing file, unless it is to be read only.
    fn probe_access(&self) -> Access {
        Access::ReadOnly
    }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::engine::observe::{replayed, written};
    use crate::engine::position::Coverage;

    #[test]
    fn sqlite_has_the_time() {
        use diesel::{Connection as _, SqliteConnection};

        let mut conn = SqliteConnection::establish(":memory:").unwrap();
        let before = SystemTime::now();
        let position = written(&mut conn).unwrap();
        let window = Duration::from_secs(60);
        assert!(matches!(position.after_window(window, before), Coverage::Behind(_)));
        let later = SystemTime::now() + window + Duration::from_millis(1);
        assert_eq!(position.after_window(window, later), Coverage::Covered);
        assert_eq!(replayed(&mut conn).unwrap(), Observation::without_position(Role::Unknown));
    }
}
