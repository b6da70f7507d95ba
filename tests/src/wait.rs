use std::{
    thread,
    time::{Duration, Instant},
};

use crate::HarnessError;

/// Longer than any healthy server needs on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Asks until the answer is yes, for [`LIMIT`] at most.
pub(crate) fn until(
    waiting_for: &str,
    mut is_so: impl FnMut() -> Result<bool, HarnessError>,
) -> Result<(), HarnessError> {
    let deadline = Instant::now() + LIMIT;
    while !is_so()? {
        if Instant::now() >= deadline {
            return Err(HarnessError::Late { waiting_for: waiting_for.to_owned(), limit: LIMIT });
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}
