//! What is done to whole databases.

pub(crate) mod utc;

pub use crate::identity::{PhysicalDatabase, of as physical_database};
pub use crate::lock::{Lock, LockError, LockHolder, acquire as lock};
