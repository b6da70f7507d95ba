//! The secrets with which tokens are signed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::{SIGNATURE, SIGNED, TokenError};

/// A secret with which tokens are signed, by HMAC-SHA256. It is never shown.
#[derive(Clone)]
pub struct TokenKey(pub(super) Hmac<Sha256>);

impl TokenKey {
    /// The bytes that a key must have at least: as many as SHA-256 gives, as RFC 2104 advises.
    pub const SHORTEST: usize = 32;

    /// Makes a key of secret bytes, of which there must be 32 at least. They must be random: a password will not do.
    ///
    /// # Errors
    /// [`TokenError::ShortKey`].
    pub fn new(secret: impl AsRef<[u8]>) -> Result<Self, TokenError> {
        let secret = secret.as_ref();
        if secret.len() < Self::SHORTEST {
            return Err(TokenError::ShortKey { length: secret.len() });
        }
        Ok(Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of any length")))
    }

    pub(super) fn sign(&self, mut payload: Vec<u8>) -> String {
        let signature = self.over(&payload).finalize().into_bytes();
        payload.extend(&signature[..SIGNATURE]);
        format!("{SIGNED}{}", URL_SAFE_NO_PAD.encode(payload))
    }

    /// In constant time.
    fn has_signed(&self, payload: &[u8], signature: &[u8; SIGNATURE]) -> bool {
        self.over(payload).verify_truncated_left(signature).is_ok()
    }

    /// The version is signed as well, so that a signature is of no use for any other.
    pub(super) fn over(&self, payload: &[u8]) -> Hmac<Sha256> {
        self.0.clone().chain_update(SIGNED).chain_update(payload)
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(…)")
    }
}

/// The keys of a service: one signs, all verify, so that a key can be replaced while tokens of the old one are about.
///
/// ```
/// use router_diesel::cluster::{Token, TokenKey, TokenKeys};
///
/// # fn main() -> Result<(), router_diesel::cluster::TokenError> {
/// let old = TokenKeys::new(TokenKey::new([1; 32])?);
/// let text = Token::default().encode(Some(&old));
///
/// let both = TokenKeys::new(TokenKey::new([2; 32])?).or(TokenKey::new([1; 32])?);
/// assert!(Token::decode(&text, Some(&both))?.is_empty());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct TokenKeys {
    pub(super) first: TokenKey,
    older: Vec<TokenKey>,
}

impl TokenKeys {
    /// Signs and verifies with one key.
    #[must_use]
    pub fn new(key: TokenKey) -> Self {
        Self { first: key, older: Vec::new() }
    }

    /// Verifies with one key more. Drop it when the last token that it signed is no longer of use.
    #[must_use]
    pub fn or(mut self, older: TokenKey) -> Self {
        self.older.push(older);
        self
    }

    pub(super) fn verified<'a>(&self, body: &'a [u8]) -> Result<&'a [u8], TokenError> {
        let (payload, signature) = body.split_last_chunk::<SIGNATURE>().ok_or(TokenError::Malformed)?;
        let mut keys = std::iter::once(&self.first).chain(&self.older);
        if keys.any(|key| key.has_signed(payload, signature)) {
            Ok(payload)
        } else {
            Err(TokenError::BadSignature)
        }
    }
}
