//! Records of a database that is not there, or is empty.

use router_core::Alias;

/// Whether a database is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Presence {
    /// It is, though perhaps empty.
    There,
    /// It is not.
    Absent,
}

/// What is wrong where a database is new and another has records of its migrations, and what to do about it.
pub(crate) fn left_records(
    alias: &Alias,
    presence: Presence,
    history: &Alias,
    number: usize,
) -> (String, String) {
    let (records, they) = if number == 1 { ("record", "it") } else { ("records", "they") };
    let how = match presence {
        Presence::There => "is there and empty",
        Presence::Absent => "is not there",
    };
    (
        format!(
            "database `{alias}` {how}, but `{history}` has {number} {records} of its migrations, as if {they} had run"
        ),
        format!(
            "correct its URL if it is the wrong database, else `dbrouter reset --database {alias}` takes the records \
             away and sets it up"
        ),
    )
}
