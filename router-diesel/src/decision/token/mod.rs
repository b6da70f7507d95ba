//! What a session has written and read, as a short text.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use router_core::Alias;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

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

/// A secret with which tokens are signed, by HMAC-SHA256. It is never shown.
#[derive(Clone)]
pub struct TokenKey(Hmac<Sha256>);

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

    fn sign(&self, mut payload: Vec<u8>) -> String {
        let signature = self.over(&payload).finalize().into_bytes();
        payload.extend(&signature[..SIGNATURE]);
        format!("{SIGNED}{}", URL_SAFE_NO_PAD.encode(payload))
    }

    /// In constant time.
    fn has_signed(&self, payload: &[u8], signature: &[u8; SIGNATURE]) -> bool {
        self.over(payload).verify_truncated_left(signature).is_ok()
    }

    /// The version is signed as well, so that a signature is of no use for any other.
    fn over(&self, payload: &[u8]) -> Hmac<Sha256> {
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
    first: TokenKey,
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

    fn verified<'a>(&self, body: &'a [u8]) -> Result<&'a [u8], TokenError> {
        let (payload, signature) = body.split_last_chunk::<SIGNATURE>().ok_or(TokenError::Malformed)?;
        let mut keys = std::iter::once(&self.first).chain(&self.older);
        if keys.any(|key| key.has_signed(payload, signature)) {
            Ok(payload)
        } else {
            Err(TokenError::BadSignature)
        }
    }
}

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

#[cfg(test)]
mod tests {
    use proptest::collection::btree_map;
    use proptest::prelude::*;

    use super::*;
    use crate::engine::position::tests::any_position;
    use crate::engine::position::{Lsn, MariaDbGtids, MysqlGtids};

    fn any_token() -> impl Strategy<Value = Token> {
        let needs = btree_map("[a-z0-9_.-]{1,12}|\\PC{1,3}", any_position(), 0..5);
        (needs, any::<bool>()).prop_map(|(needs, is_cut)| {
            let needs = needs.into_iter().map(|(alias, need)| (Alias::from(alias), need)).collect();
            Token { needs, is_cut }
        })
    }

    fn key(byte: u8) -> TokenKey {
        TokenKey::new([byte; 32]).unwrap()
    }

    fn keys(byte: u8) -> TokenKeys {
        TokenKeys::new(key(byte))
    }

    fn token<const N: usize>(needs: [(&str, Position); N]) -> Token {
        let mut token = Token::default();
        for (alias, need) in needs {
            token.add(&alias.into(), need);
        }
        token
    }

    fn postgres(lsn: u64) -> Position {
        Position::Postgres { system: 7_710_228_079_586_129_909, timeline: 1, lsn: Lsn(lsn) }
    }

    fn typical() -> Token {
        token([("default", postgres(0x16_b374_d848))])
    }

    /// Tokens are in cookies and queues when a service is deployed anew: these texts must be read for ever.
    #[test]
    fn texts_never_change() {
        let uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
        let gtids = MysqlGtids::parse(&format!("{uuid}:1-5:7,{uuid}:tag:1")).unwrap();
        let all = token([
            ("a", Position::MariaDb { server: Some(7), gtids: MariaDbGtids::parse("0-1-42,1-1-7").unwrap() }),
            ("b", Position::MariaDb { server: None, gtids: MariaDbGtids::default() }),
            ("c", Position::Mysql { gtids }),
            ("d", Position::Time { at: 1_795_176_000_123 }),
            ("e", Position::Unknown),
        ]);
        let cut = Token { is_cut: true, ..Token::default() };
        for (token, unsigned, signed) in [
            (Token::default(), "r1.AAD_EtlB", "r1s.AAAnrViML2Ey_5BpfmcXwuwg"),
            (cut, "r1.AQC-I8JY", "r1s.AQDc8uO_irvQtE9zowicgG8T"),
            (
                typical(),
                "r1.AAEHZGVmYXVsdAD17-Tn5_KOgGsByLDTm-sCw0msOA",
                "r1s.AAEHZGVmYXVsdAD17-Tn5_KOgGsByLDTm-sCvqqwHbtXV7KVRjT7_o1EvQ",
            ),
            (
                all,
                "r1.AAUBYQEBBwIAASoBAQcBYgEAAAFjAgI-EfpHccoR4Z4zyAqpQpViAAIBBQcHPhH6R3HKEeGeM8gKqUKVYgN0YWcBAQEBZAP71M_GnzQBZQS4ITHJ",
                "r1s.AAUBYQEBBwIAASoBAQcBYgEAAAFjAgI-EfpHccoR4Z4zyAqpQpViAAIBBQcHPhH6R3HKEeGeM8gKqUKVYgN0YWcBAQEBZAP71M_GnzQBZQTCmSAdKbbX7gYnE_UcdntS",
            ),
        ] {
            assert_eq!(token.encode(None), unsigned);
            assert_eq!(token.encode(Some(&keys(7))), signed);
            assert_eq!(Token::decode(unsigned, None), Ok(token.clone()));
            assert_eq!(Token::decode(signed, Some(&keys(7))), Ok(token));
        }
    }

    #[test]
    fn a_typical_token_is_short() {
        assert_eq!(typical().encode(None).len(), 45);
        assert_eq!(typical().encode(Some(&keys(7))).len(), 62);
    }

    #[test]
    fn every_truncation_and_every_flipped_bit_is_refused() {
        let keys = keys(7);
        for keys in [None, Some(&keys)] {
            for token in [Token::default(), typical()] {
                let text = token.encode(keys);
                for length in 0..text.len() {
                    assert!(Token::decode(&text[..length], keys).is_err(), "{length} of {text}");
                }
                assert!(Token::decode(&format!("{text}A"), keys).is_err());
                for bit in 0..text.len() * 8 {
                    let mut flipped = text.clone().into_bytes();
                    flipped[bit / 8] ^= 1 << (bit % 8);
                    // A text with the eighth bit set is none.
                    if let Ok(flipped) = String::from_utf8(flipped) {
                        assert!(Token::decode(&flipped, keys).is_err(), "{flipped} for {text}");
                    }
                }
            }
        }
    }

    #[test]
    fn signatures_are_asked_for_where_there_are_keys() {
        let token = typical();
        let signed = token.encode(Some(&keys(1)));
        assert_eq!(Token::decode(&signed, None), Err(TokenError::Signed));
        assert_eq!(Token::decode(&token.encode(None), Some(&keys(1))), Err(TokenError::Unsigned));
        assert_eq!(Token::decode(&signed, Some(&keys(2))), Err(TokenError::BadSignature));
        // The new key signs, and both verify.
        let rotated = keys(2).or(key(1));
        assert_eq!(Token::decode(&signed, Some(&rotated)), Ok(token.clone()));
        assert_eq!(Token::decode(&token.encode(Some(&rotated)), Some(&keys(2))), Ok(token));
    }

    #[test]
    fn forged_signatures_are_refused() {
        let payload = bytes(&Payload { is_cut: false, needs: vec![("default", postgres(1))] });
        let signed = |signature: &[u8]| {
            let body = URL_SAFE_NO_PAD.encode([&payload, signature].concat());
            Token::decode(&format!("{SIGNED}{body}"), Some(&keys(1)))
        };
        let whole = keys(1).first.over(&payload).finalize().into_bytes();
        assert!(signed(&whole[..SIGNATURE]).is_ok());
        for forged in [&[0; SIGNATURE][..], &[], &whole, &whole[..SIGNATURE - 1], &whole[SIGNATURE..]] {
            assert!(matches!(signed(forged), Err(TokenError::BadSignature)), "{} bytes", forged.len());
        }
        // That of the payload without the version, and that of another token.
        let without = key(1).0.chain_update(&payload).finalize().into_bytes();
        assert_eq!(signed(&without[..SIGNATURE]), Err(TokenError::BadSignature));
        let other = key(1).over(b"other").finalize().into_bytes();
        assert_eq!(signed(&other[..SIGNATURE]), Err(TokenError::BadSignature));
    }

    #[test]
    fn what_no_token_is() {
        let body = typical().encode(None)[UNSIGNED.len()..].to_owned();
        let long = "a".repeat(LONGEST + 1);
        for (text, error) in [
            ("", TokenError::Malformed),
            ("r1", TokenError::Malformed),
            ("r1.", TokenError::Malformed),
            ("r1.AAA", TokenError::Malformed),
            ("r1.AAAA=", TokenError::Malformed),
            ("r1.AAAA+/AA", TokenError::Malformed),
            (&body, TokenError::Malformed),
            (&format!(" r1.{body}"), TokenError::Malformed),
            (&format!("R1.{body}"), TokenError::Malformed),
            (&format!("r+1.{body}"), TokenError::Malformed),
            (&format!("r99999999999.{body}"), TokenError::Malformed),
            (&format!("r2.{body}"), TokenError::UnknownVersion { version: 2 }),
            (&format!("r2s.{body}"), TokenError::UnknownVersion { version: 2 }),
            ("r2.what a later version has", TokenError::UnknownVersion { version: 2 }),
            (&format!("r1.B{}", &body[1..]), TokenError::BadChecksum),
            (&long, TokenError::TooLong { length: LONGEST + 1 }),
        ] {
            assert_eq!(Token::decode(text, None), Err(error), "{text}");
        }
        assert!(matches!(TokenKey::new([1; 31]), Err(TokenError::ShortKey { length: 31 })));
    }

    /// What has a good checksum and was made up.
    #[test]
    fn payloads_are_checked_too() {
        let decode = |needs: Vec<(&str, Position)>| {
            Token::decode(&check(bytes(&Payload { is_cut: false, needs })), None)
        };
        assert!(decode(vec![("a", postgres(1)), ("b", postgres(1))]).is_ok());
        let nowhere = Position::Postgres { system: 1, timeline: 0, lsn: Lsn(1) };
        let names: Vec<String> = (0..=MOST_CLUSTERS).map(|number| format!("{number:03}")).collect();
        for needs in [
            vec![("", postgres(1))],
            vec![(&*"a".repeat(LONGEST_ALIAS + 1), postgres(1))],
            vec![("b", postgres(1)), ("a", postgres(1))],
            vec![("a", postgres(1)), ("a", postgres(2))],
            vec![("a", nowhere)],
            names.iter().map(|name| (name.as_str(), Position::Unknown)).collect(),
        ] {
            assert_eq!(decode(needs), Err(TokenError::Malformed));
        }
        let mut payload = bytes(&Payload { is_cut: false, needs: vec![("a", postgres(1))] });
        payload.push(0);
        assert_eq!(Token::decode(&check(payload), None), Err(TokenError::Malformed));
    }

    #[test]
    fn what_has_no_room_needs_the_primary() {
        let mut token = typical();
        let lengthy: Vec<String> = (0..2000).map(|number| (number * 2 + 1).to_string()).collect();
        let gtids = format!("3e11fa47-71ca-11e1-9e33-c80aa9429562:{}", lengthy.join(":"));
        token.add(&"old".into(), Position::Mysql { gtids: MysqlGtids::parse(&gtids).unwrap() });
        token.add(&"".into(), postgres(1));
        token.add(&"a".repeat(LONGEST_ALIAS + 1).into(), postgres(1));
        for keys in [None, Some(&keys(1))] {
            let text = token.encode(keys);
            assert!(text.len() <= LONGEST_WRITTEN);
            let read = Token::decode(&text, keys).unwrap();
            assert_eq!(read.need(&"default".into()), token.need(&"default".into()));
            for alias in ["old", "other"] {
                assert_eq!(read.need(&alias.into()), Some(&Position::Unknown));
            }
            assert!(!read.is_empty());
        }
        let mut many = Token::default();
        for number in 0..500 {
            many.add(&format!("cluster_{number}").into(), postgres(number));
        }
        let read = Token::decode(&many.encode(None), None).unwrap();
        assert!(read.needs.len() <= MOST_CLUSTERS && read.is_cut);
        // A name that was cut stays so when more is added to it.
        let mut read = read;
        read.add(&"cluster_499".into(), postgres(1));
        assert_eq!(read.need(&"cluster_499".into()), Some(&Position::Unknown));
        // The primary itself knows better.
        read.set(&"cluster_499".into(), postgres(1));
        assert_eq!(read.need(&"cluster_499".into()), Some(&postgres(1)));
    }

    #[test]
    fn tokens_merge() {
        let one = token([("a", postgres(1)), ("b", postgres(5))]);
        let other = token([("b", postgres(3)), ("c", postgres(2)), ("a", Position::Time { at: 1 })]);
        let both = token([("a", Position::Unknown), ("b", postgres(5)), ("c", postgres(2))]);
        assert_eq!(one.clone().merge(&other), both);
        assert_eq!(other.clone().merge(&one), both);
        let cut = Token { is_cut: true, ..Token::default() };
        let merged = one.clone().merge(&cut);
        assert_eq!(merged, cut.merge(&one));
        for alias in ["a", "z"] {
            assert_eq!(merged.need(&alias.into()), Some(&Position::Unknown));
        }
    }

    #[test]
    fn what_is_shown() {
        let token = token([("default", postgres(0x300_0af0)), ("shop", Position::Unknown)]);
        assert_eq!(format!("{token:?}"), r#"{"default": timeline 1 at 0/3000AF0, "shop": unknown}"#);
        let clusters: Vec<_> = token.clusters().map(|(alias, need)| format!("{alias}: {need}")).collect();
        assert_eq!(clusters, ["default: timeline 1 at 0/3000AF0", "shop: unknown"]);
        let keys = TokenKeys::new(TokenKey::new("a secret that nobody may ever see").unwrap());
        assert_eq!(format!("{keys:?}"), "TokenKeys { first: TokenKey(…), older: [] }");
    }

    #[test]
    fn errors_say_what_to_do() {
        for error in [
            TokenError::Malformed,
            TokenError::TooLong { length: 5000 },
            TokenError::UnknownVersion { version: 2 },
            TokenError::BadChecksum,
            TokenError::BadSignature,
            TokenError::Unsigned,
            TokenError::Signed,
        ] {
            assert!(error.to_string().contains("start the session without a token"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(token in any_token(), is_signed: bool) {
            let keys = is_signed.then(|| keys(1));
            let text = token.encode(keys.as_ref());
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)));
            prop_assert_eq!(Token::decode(&text, keys.as_ref()), Ok(token));
        }

        #[test]
        fn no_text_panics(text: String, payload: Vec<u8>) {
            let keys = keys(1);
            let checked = check(payload.clone());
            let signed = keys.first.sign(payload);
            for text in [&text, &format!("r1.{text}"), &format!("r1s.{text}"), &checked, &signed] {
                for keys in [None, Some(&keys)] {
                    if let Ok(token) = Token::decode(text, keys) {
                        let _ = format!("{token:?}");
                        prop_assert_eq!(Token::decode(&token.encode(keys), keys), Ok(token.clone()));
                        let _ = token.clone().merge(&token);
                    }
                }
            }
        }

        /// Random bytes are seldom a payload, so a good one is spoilt.
        #[test]
        fn no_spoilt_payload_panics(token in any_token(), at: prop::sample::Index, byte: u8) {
            let text = token.encode(None);
            let mut payload = URL_SAFE_NO_PAD.decode(&text[UNSIGNED.len()..]).unwrap();
            payload.truncate(payload.len() - CHECKSUM);
            let at = at.index(payload.len());
            payload[at] = byte;
            if let Ok(token) = Token::decode(&check(payload), None) {
                prop_assert_eq!(Token::decode(&token.encode(None), None), Ok(token.clone()));
                let _ = token.clone().merge(&Token::decode(&text, None).unwrap());
            }
        }

        #[test]
        fn merging_takes_either_order(one in any_token(), other in any_token()) {
            prop_assert_eq!(one.clone().merge(&other), other.merge(&one));
        }
    }
}
