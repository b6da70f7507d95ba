//! The files of a migration that nobody has written yet.

/// What the first line of a new file begins with.
pub(crate) const HEAD: &str = "-- App `";
/// The last line of a new `up.sql`.
pub(crate) const UP: &str = "-- What this migration does:";
/// The last line of a new `down.sql`.
pub(crate) const DOWN: &str = "-- What undoes `up.sql`:";

/// Whether a file is as `dbrouter new` wrote it, and nobody has written what the migration does.
///
/// A comment of your own is enough to say that it does nothing.
pub(crate) fn is_skeleton(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let is_head = |line: &str| {
        line.starts_with(HEAD)
            && line.ends_with('.')
            && line.contains("`, with the tables ")
            && line.contains("; runs ")
    };
    let mut has_mark = false;
    lines.all(|line| {
        let is_mark = line == UP || line == DOWN;
        has_mark |= is_mark;
        is_mark || is_head(line)
    }) && has_mark
}
