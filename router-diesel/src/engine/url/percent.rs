//! Percent-encoding, as URLs of databases need it.

use super::UrlError;

/// Whether every `%` begins an escape and every other character may stand as it is.
pub(crate) fn is_encoded(text: &str, is_path: bool) -> bool {
    let bytes = text.as_bytes();
    let mut index = 0;
    while index < bytes.len() {
        match bytes[index] {
            b'%' => {
                let escape = bytes.get(index + 1..index + 3);
                if !escape.is_some_and(|escape| escape.iter().all(u8::is_ascii_hexdigit)) {
                    return false;
                }
                index += 3;
                continue;
            }
            b'/' | b'?' if is_path => {}
            b'#' | b'/' | b'?' | b'@' | b'[' | b']' | b' ' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`'
            | b'{' | b'|' | b'}' => return false,
            byte if !byte.is_ascii_graphic() => return false,
            _ => {}
        }
        index += 1;
    }
    true
}

/// A user or password as it must stand in a URL, whether or not it was encoded already.
pub(crate) fn encoded(text: &str) -> Result<String, UrlError> {
    if is_encoded(text, false) {
        return Ok(text.to_owned());
    }
    // Half encoded: `%41` may be an `A` or three characters of the password.
    let has_escape = text
        .match_indices('%')
        .any(|(at, _)| text.get(at..at + 3).is_some_and(|text| is_encoded(text, false)));
    if has_escape { Err(UrlError::Ambiguous) } else { Ok(encode(text, b"")) }
}

/// Percent-encodes everything but letters, digits, `-._~` and what else is `allowed`.
pub(crate) fn encode(text: &str, allowed: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || allowed.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Parameters as they stand in a URL.
pub(crate) fn query(options: &[(String, String)]) -> String {
    let pairs: Vec<String> =
        options.iter().map(|(key, value)| format!("{}={}", encode(key, b""), encode(value, b""))).collect();
    pairs.join("&")
}

/// Undoes percent-encoding.
pub(crate) fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let escape = text.get(index..index + 3).and_then(|escape| escape.strip_prefix('%'));
        let escape = escape.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                index += 3;
            }
            None => {
                decoded.push(bytes[index]);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
