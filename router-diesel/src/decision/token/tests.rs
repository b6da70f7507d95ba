//! What is written is read, and nothing else is.

use hmac::Mac as _;
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
    let decode =
        |needs: Vec<(&str, Position)>| Token::decode(&check(bytes(&Payload { is_cut: false, needs })), None);
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
