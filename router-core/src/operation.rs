//! What a statement does to a database, and sets of that.

use std::fmt;
use std::str::FromStr;

/// What is asked of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Reads rows and leaves everything as it was.
    Read,
    /// Changes rows, takes locks, or has any other effect.
    Write,
    /// Changes the schema.
    Migrate,
}

impl Operation {
    /// Every operation, in the order in which they are written.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Migrate];

    /// The name that a configuration file uses: `read`, `write` or `migrate`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Migrate => "migrate",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Operation {
    type Err = UnknownOperation;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|operation| operation.as_str() == name)
            .ok_or_else(|| UnknownOperation { name: name.to_owned() })
    }
}

/// A name that is no operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownOperation {
    name: String,
}

impl fmt::Display for UnknownOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown operation `{}`; use `read`, `write` or `migrate`", self.name)
    }
}

impl std::error::Error for UnknownOperation {}

/// A set of operations. The default is all three.
///
/// ```
/// use router_core::{Operation, Operations};
///
/// let operations = Operations::none().with(Operation::Read);
/// assert!(operations.contains(Operation::Read));
/// assert!(!operations.contains(Operation::Write));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operations(u8);

impl Operations {
    /// Read, write and migrate.
    #[must_use]
    pub const fn all() -> Self {
        Self(0b111)
    }

    /// Nothing at all.
    #[must_use]
    pub const fn none() -> Self {
        Self(0)
    }

    /// This set and one operation more.
    #[must_use]
    pub const fn with(self, operation: Operation) -> Self {
        Self(self.0 | operation.bit())
    }

    /// Whether the set has the operation.
    #[must_use]
    pub const fn contains(self, operation: Operation) -> bool {
        self.0 & operation.bit() != 0
    }

    /// The operations of the set, in the order read, write, migrate.
    pub fn iter(self) -> impl Iterator<Item = Operation> {
        Operation::ALL.into_iter().filter(move |operation| self.contains(*operation))
    }
}

impl Default for Operations {
    fn default() -> Self {
        Self::all()
    }
}

impl FromIterator<Operation> for Operations {
    fn from_iter<T: IntoIterator<Item = Operation>>(operations: T) -> Self {
        operations.into_iter().fold(Self::none(), Self::with)
    }
}

impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Display for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, operation) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(operation.as_str())?;
        }
        Ok(())
    }
}
