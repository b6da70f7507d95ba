//! PostgreSQL's place in the log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A log sequence number: a count of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Lsn(pub(crate) u64);

impl Lsn {
    /// Reads `X/Y`, two halves of up to eight hexadecimal digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (high, low) = text.split_once('/')?;
        Some(Self(u64::from(half(high)?) << 32 | u64::from(half(low)?)))
    }
}

fn half(digits: &str) -> Option<u32> {
    // `from_str_radix` would take a sign as well.
    let is_half = (1..=8).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u32::from_str_radix(digits, 16).ok().filter(|_| is_half)
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & u64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_as_data() {
        for (text, lsn) in [
            ("0/0", Some(0)),
            ("0/3000AF0", Some(0x300_0af0)),
            ("16/b374d848", Some(0x16_b374_d848)),
            ("FFFFFFFF/FFFFFFFF", Some(u64::MAX)),
            ("", None),
            ("/", None),
            ("1/", None),
            ("/1", None),
            ("1/2/3", None),
            ("+1/2", None),
            ("1/-2", None),
            (" 1/2", None),
            ("1/000000002", None),
            ("1/G", None),
            ("1/½", None),
        ] {
            assert_eq!(Lsn::parse(text), lsn.map(Lsn), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(lsn: u64) {
            prop_assert_eq!(Lsn::parse(&Lsn(lsn).to_string()), Some(Lsn(lsn)));
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = Lsn::parse(&text);
        }
    }
}
