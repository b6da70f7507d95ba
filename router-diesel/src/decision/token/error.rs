//! Why a text is no token, or a secret no key.

use std::fmt;

use super::{LONGEST, TokenKey};

/// Why a text is no token, or a secret no key. The text and the secret are not repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// The text is no token, or only part of one.
    Malformed,
    /// The text is longer than any token.
    TooLong {
        /// Its bytes.
        length: usize,
    },
    /// The token is of another version of this library.
    UnknownVersion {
        /// That version.
        version: u32,
    },
    /// The text was changed on its way.
    BadChecksum,
    /// None of the keys has signed the token.
    BadSignature,
    /// The token is not signed, and keys are configured.
    Unsigned,
    /// The token is signed, and no keys are configured.
    Signed,
    /// The secret is too short for a key.
    ShortKey {
        /// Its bytes.
        length: usize,
    },
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const GO_ON: &str = "; start the session without a token, or with reads on the primary";
        match self {
            Self::Malformed => write!(f, "the text is no token, or only part of one{GO_ON}"),
            Self::TooLong { length } => {
                write!(f, "the text has {length} bytes, and a token has {LONGEST} at most{GO_ON}")
            }
            Self::UnknownVersion { version } => {
                write!(f, "the token is of version {version}, and this library reads version 1{GO_ON}")
            }
            Self::BadChecksum => write!(f, "the token was changed on its way{GO_ON}"),
            Self::BadSignature => write!(f, "the token is signed with none of the keys{GO_ON}"),
            Self::Unsigned => write!(
                f,
                "the token is not signed, and keys are configured; give the keys to whoever writes it, and until \
                 then start the session without a token"
            ),
            Self::Signed => write!(
                f,
                "the token is signed, and no keys are configured; give the keys to whoever reads it, and until then \
                 start the session without a token"
            ),
            Self::ShortKey { length } => write!(
                f,
                "the secret has {length} bytes, and a key needs {} at least; make one with `openssl rand 32`",
                TokenKey::SHORTEST
            ),
        }
    }
}

impl std::error::Error for TokenError {}
