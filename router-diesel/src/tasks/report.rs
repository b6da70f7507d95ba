//! What became of each database.

use std::fmt;

use router_core::Alias;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::TaskError;

/// What a task did, database by database.
///
/// As text it has a line for each. As JSON it is a list with `database` and either what was done or `error`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "some databases may have failed"]
pub struct Report<T> {
    /// An outcome for each database, in the order in which they were done.
    pub outcomes: Vec<Outcome<T>>,
}

/// What became of one database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome<T> {
    /// The database.
    pub alias: Alias,
    /// What was done, or why not.
    pub result: Result<T, TaskError>,
}

impl<T> Report<T> {
    /// Whether no database failed.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The errors, in order.
    pub fn failures(&self) -> impl Iterator<Item = &TaskError> {
        self.outcomes.iter().filter_map(|outcome| outcome.result.as_ref().err())
    }

    /// What was done on a database; nothing where it failed or was not asked for.
    #[must_use]
    pub fn on(&self, alias: &str) -> Option<&T> {
        self.outcomes.iter().find(|outcome| outcome.alias == alias)?.result.as_ref().ok()
    }
}

impl<T: fmt::Display> fmt::Display for Report<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Outcome { alias, result } in &self.outcomes {
            match result {
                Ok(done) => writeln!(f, "{alias}: {done}")?,
                Err(error) => writeln!(f, "{alias}: failed: {error}")?,
            }
        }
        Ok(())
    }
}

impl<T: Serialize> Serialize for Report<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.outcomes)
    }
}

impl<T: Serialize> Serialize for Outcome<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("database", self.alias.as_str())?;
        match &self.result {
            Ok(done) => map.serialize_entry("done", done)?,
            Err(error) => map.serialize_entry("error", &error.to_string())?,
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::Created;

    #[test]
    fn a_report_is_a_line_or_an_object_for_each_database() {
        let outcome = |alias: &str, result| Outcome { alias: Alias::new(alias), result };
        let report = Report {
            outcomes: vec![
                outcome("default", Ok(Created::Created("shop".to_owned()))),
                outcome("blog_db", Err(TaskError::Nameless { alias: "blog_db".into() })),
                outcome("cache", Ok(Created::InMemory)),
            ],
        };
        assert!(!report.is_success());
        assert_eq!(
            report.to_string(),
            "default: created `shop`
blog_db: failed: the URL of database `blog_db` names no database on its server; add `/name`
cache: in memory, nothing to create
"
        );
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            r#"[{"database":"default","done":{"created":"shop"}},{"database":"blog_db","error":"the URL of database `blog_db` names no database on its server; add `/name`"},{"database":"cache","done":"in_memory"}]"#
        );
    }
}
