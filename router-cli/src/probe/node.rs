//! What a database is in its cluster.

use serde::Serialize;

/// What a database is in its cluster, and how it stands there; empty outside of any cluster and where nobody asked.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Node {
    /// What the file says it is: `primary` or `replica`.
    pub(super) role: Option<&'static str>,
    /// Whether it serves: `up`, or what keeps it from that.
    pub(super) standing: Option<&'static str>,
    /// How far a replica is behind at most, in milliseconds; nothing where nobody knows.
    pub(super) lag_ms: Option<f64>,
    /// How far it is in the engine's own words; nothing where the engine has none.
    pub(super) position: Option<String>,
    /// The standing in words, where it is not `up`.
    pub(super) why: Option<String>,
    /// All of that as people read it.
    #[serde(skip)]
    pub(super) words: String,
}

impl Node {
    /// Whether it is a replica by the file and a primary by its own account.
    pub(crate) fn is_no_replica(&self) -> bool {
        self.standing == Some("not_a_replica")
    }

    /// Whether it is a replica by the file, and of another cluster than its primary.
    pub(crate) fn is_of_other_cluster(&self) -> bool {
        self.standing == Some("other_cluster")
    }

    /// Whether it is a primary by the file and a replica by its own account.
    pub(crate) fn is_no_primary(&self) -> bool {
        self.standing == Some("not_a_primary")
    }

    /// Whether it answers, and does not serve as the file has it although no operator said so.
    pub(crate) fn is_unfit(&self) -> bool {
        !matches!(self.standing, None | Some("up" | "unreachable" | "drained" | "offline"))
    }
}
