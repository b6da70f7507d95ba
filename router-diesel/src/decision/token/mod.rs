//! What a session has written and read, as a short text.

mod error;
mod key;

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use router_core::Alias;
use serde::{Deserialize, Serialize};

pub use error::TokenError;
pub use key::{TokenKey, TokenKeys};

use crate::engine::position::Position;

/// The longest text that is read. No cookie is longer.
const LONGEST: usize = 4096;
/// The longest text that is written, which leaves a cookie room for its name and attributes.
const LONGEST_WRITTEN: usize = 3072;
/// The clusters of one token.
const MOST_CLUSTERS: usize = 64;
/// The bytes of one alias.
const LONGEST_ALIAS: usize = 255;
/// The bytes of a signature: half of SHA-256, as RFC 2104 allows.
const SIGNATURE: usize = 16;
const CHECKSUM: usize = 4;

const UNSIGNED: &str = "r1.";
const SIGNED: &str = "r1s.";

/// How far the databases were when a session ended, for whoever reads next: the same user's next request, or the job
/// that the request made, in any process.
///
/// A session that goes on from a token reads from a replica only where that replica has all that the token's
/// session wrote and saw; else it waits for a bounded time, and then takes the primary.
///
/// The text is safe in a cookie, a URL and a header: letters, digits, `.`, `-` and `_`. It begins with the version,
/// `r1.`, or `r1s.` where it is signed. For a PostgreSQL cluster called `default` it has 45 characters, and
/// 62 with a signature; it is never longer than 3,072. It holds aliases and positions and no secret. A
/// signature keeps others from making tokens up, not from reading them; without one, whoever makes a token up can
/// send their own reads to the primary, or let them be stale, and no more than that.
///
/// A token of nothing is valid: any replica will do.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Token {
    needs: BTreeMap<Alias, Position>,
    /// Some clusters found no room in the text: all that are not named need their primaries.
    is_cut: bool,
}

/// What the text holds. The order of the fields is that of the bytes.
#[derive(Serialize, Deserialize)]
struct Payload<A, P> {
    is_cut: bool,
    needs: Vec<(A, P)>,
}

impl Token {
    /// What a cluster, named by its primary, needs.
    pub(crate) fn need(&self, primary: &Alias) -> Option<&Position> {
        self.needs.get(primary).or(self.is_cut.then_some(&Position::Unknown))
    }

    /// Says what a cluster needs, whatever it needed before: for a position that its primary gave.
    pub(crate) fn set(&mut self, primary: &Alias, need: Position) {
        self.needs.insert(primary.clone(), need);
    }

    /// Adds what a cluster needs to what it needs already.
    pub(crate) fn add(&mut self, primary: &Alias, need: Position) {
        let need = match self.need(primary).cloned() {
            Some(before) => before.join(need),
            None => need,
        };
        self.needs.insert(primary.clone(), need);
    }

    /// Joins two tokens, as for a page that shows what two jobs wrote. The result needs what either needs.
    ///
    /// Where the two cannot be compared, as from before and after a failover, the cluster's primary is needed.
    #[must_use]
    pub fn merge(mut self, other: &Self) -> Self {
        let is_cut = self.is_cut || other.is_cut;
        for alias in self.needs.keys().chain(other.needs.keys()).cloned().collect::<Vec<_>>() {
            if let Some(need) = other.need(&alias) {
                self.add(&alias, need.clone());
            }
        }
        self.is_cut = is_cut;
        self
    }

    /// Whether nothing is needed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.needs.is_empty() && !self.is_cut
    }

    /// The clusters, named by their primaries, and what of each is needed: for people, its form may change.
    pub fn clusters(&self) -> impl Iterator<Item = (&Alias, String)> {
        self.needs.iter().map(|(alias, need)| (alias, need.to_string()))
    }

    /// Writes the token as text, signed with the first of `keys` if there are any.
    ///
    /// What has no room in 3,072 characters is left out, the longest first: all clusters that are not named then need
    /// their primaries.
    #[must_use]
    pub fn encode(&self, keys: Option<&TokenKeys>) -> String {
        let mut needs: Vec<(&str, &Position)> =
            self.needs.iter().map(|(alias, need)| (alias.as_str(), need)).collect();
        let mut is_cut = self.is_cut;
        let mut cut = |needs: &mut Vec<(&str, &Position)>, at: usize| {
            needs.remove(at);
            is_cut = true;
        };
        while let Some(at) = needs.iter().position(|(alias, _)| !is_alias(alias)) {
            cut(&mut needs, at);
        }
        while needs.len() > MOST_CLUSTERS {
            cut(&mut needs, MOST_CLUSTERS);
        }
        loop {
            let payload = bytes(&Payload { is_cut, needs: needs.clone() });
            let text = match keys {
                Some(keys) => keys.first.sign(payload),
                None => check(payload),
            };
            if text.len() <= LONGEST_WRITTEN {
                return text;
            }
            let longest = (0..needs.len()).max_by_key(|at| bytes(&needs[*at]).len());
            needs.remove(longest.expect("a token without clusters is short"));
            is_cut = true;
        }
    }

    /// Reads the text of a token. Give the keys with which it may be signed; nothing where tokens are not signed.
    ///
    /// # Errors
    /// [`TokenError`] for all but what [`encode`](Self::encode) wrote. Go on without the token, and with reads on the
    /// primary where they must be fresh.
    pub fn decode(text: &str, keys: Option<&TokenKeys>) -> Result<Self, TokenError> {
        if text.len() > LONGEST {
            return Err(TokenError::TooLong { length: text.len() });
        }
        let (is_signed, body) = split(text)?;
        let body = URL_SAFE_NO_PAD.decode(body).map_err(|_| TokenError::Malformed)?;
        let payload = match (is_signed, keys) {
            (true, Some(keys)) => keys.verified(&body)?,
            (false, None) => checked(&body)?,
            (true, None) => return Err(TokenError::Signed),
            (false, Some(_)) => return Err(TokenError::Unsigned),
        };
        let (payload, rest): (Payload<String, Position>, _) =
            postcard::take_from_bytes(payload).map_err(|_| TokenError::Malformed)?;
        let is_sound = rest.is_empty()
            && payload.needs.len() <= MOST_CLUSTERS
            && payload.needs.iter().all(|(alias, need)| is_alias(alias) && need.is_sound())
            && payload.needs.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if !is_sound {
            return Err(TokenError::Malformed);
        }
        let needs = payload.needs.into_iter().map(|(alias, need)| (Alias::from(alias), need)).collect();
        Ok(Self { needs, is_cut: payload.is_cut })
    }
}

/// The clusters with what they need.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (alias, need) in &self.needs {
            map.entry(alias, &format_args!("{need}"));
        }
        if self.is_cut { map.finish_non_exhaustive() } else { map.finish() }
    }
}

/// Whether a name can be that of a cluster in a token.
fn is_alias(alias: &str) -> bool {
    (1..=LONGEST_ALIAS).contains(&alias.len())
}

fn bytes<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_allocvec(value).expect("numbers, texts and lists can be written")
}

/// Whether the text says that it is signed, and what follows its version.
fn split(text: &str) -> Result<(bool, &str), TokenError> {
    let (version, body) = text.split_once('.').ok_or(TokenError::Malformed)?;
    match version {
        "r1" => return Ok((false, body)),
        "r1s" => return Ok((true, body)),
        _ => {}
    }
    let number = version.strip_prefix('r').map(|number| number.strip_suffix('s').unwrap_or(number));
    match number
        .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))
        .and_then(|n| n.parse().ok())
    {
        Some(version) => Err(TokenError::UnknownVersion { version }),
        None => Err(TokenError::Malformed),
    }
}

/// The text of a payload with its checksum.
fn check(mut payload: Vec<u8>) -> String {
    payload.extend(crc32fast::hash(&payload).to_le_bytes());
    format!("{UNSIGNED}{}", URL_SAFE_NO_PAD.encode(payload))
}

fn checked(body: &[u8]) -> Result<&[u8], TokenError> {
    let (payload, checksum) = body.split_last_chunk::<CHECKSUM>().ok_or(TokenError::Malformed)?;
    if crc32fast::hash(payload) == u32::from_le_bytes(*checksum) {
        Ok(payload)
    } else {
        Err(TokenError::BadChecksum)
    }
}

#[cfg(test)]
mod tests;
