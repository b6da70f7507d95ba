//! Durations as a person writes them: `500ms`, `30s`, `5m`, `1h`.

use std::time::Duration;

/// What a duration looks like, for messages and for the schema.
pub(crate) const EXPECTED: &str = "a duration such as `500ms`, `30s`, `5m` or `1h`";

/// Reads a duration, or says nothing where the text is none.
///
/// A number without a unit is refused: whether `5` means seconds or milliseconds is a guess, and
/// guesses about time-outs are found at night.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3600).map(Duration::from_secs),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, milliseconds) in
            [("500ms", 500), ("0s", 0), ("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000)]
        {
            assert_eq!(parse(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in
            ["", "5", "s", "5 s", "-5s", "1.5s", "5d", "5S", "99999999999999999999s", "18446744073709551615h"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
