//! Why a chain's answer leads to no database.

use std::fmt;

use crate::{MissingHint, UnknownAlias};

/// Why [`RouterChain::try_route`](crate::RouterChain::try_route) names no database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChainError {
    /// The answer names a database that no configuration has.
    UnknownAlias(UnknownAlias),
    /// A router needs a hint before it can answer.
    MissingHint(MissingHint),
}

impl fmt::Display for ChainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownAlias(unknown) => unknown.fmt(f),
            Self::MissingHint(missing) => missing.fmt(f),
        }
    }
}

impl std::error::Error for ChainError {}

impl From<UnknownAlias> for ChainError {
    fn from(unknown: UnknownAlias) -> Self {
        Self::UnknownAlias(unknown)
    }
}

impl From<MissingHint> for ChainError {
    fn from(missing: MissingHint) -> Self {
        Self::MissingHint(missing)
    }
}
