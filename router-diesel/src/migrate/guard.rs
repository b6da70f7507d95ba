//! Somebody else's statements in a transaction of ours: whether they leave it as it was.

use std::fmt;

use crate::engine::RoutedConnection;

/// What statements did to the transaction that they ran in, or beside which they are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strayed {
    /// They ended the transaction that they ran in.
    Ended,
    /// They began one and did not end it.
    LeftOpen,
}

impl fmt::Display for Strayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ended => {
                "it ends the transaction in which it runs and is recorded; take its `COMMIT` or `ROLLBACK` out"
            }
            Self::LeftOpen => "it leaves a transaction open, which was rolled back; write `COMMIT` at its end",
        })
    }
}

impl std::error::Error for Strayed {}

/// Runs statements in the transaction that is open, and says whether it is still open afterwards. The rights of the
/// connection's user are back then, so that what was done can be recorded.
///
/// Where definitions end a transaction by themselves, nothing is said.
pub(crate) fn guarded<C, E>(
    conn: &mut C,
    run: impl FnOnce(&mut C) -> Result<(), E>,
) -> Result<Option<Strayed>, E>
where
    C: RoutedConnection,
    E: From<diesel::result::Error>,
{
    let spec = conn.engine().spec();
    if !spec.are_transactional() {
        return run(conn).map(|()| None);
    }
    let mark = spec.mark(conn)?;
    run(conn)?;
    if let Some(rights) = spec.own_rights() {
        conn.batch_execute(rights)?;
    }
    Ok(if spec.is_marked(conn, &mark) { None } else { Some(Strayed::Ended) })
}
