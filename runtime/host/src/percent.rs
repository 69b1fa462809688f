//! Percent encoding of words in a query string.

use std::fmt::Write as _;

/// Everything but letters, digits, `-`, `_` and `.` is escaped.
pub fn encode(word: &str) -> String {
    let mut out = String::new();
    for byte in word.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            out.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The word again. What is no escape stays as it is; what is not UTF-8 is replaced.
pub fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_travels() {
        assert_eq!(encode("web[\"0\"]"), "web%5B%220%22%5D");
        assert_eq!(decode("100%&%zz%4"), "100%&%zz%4");
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(word in ".*") {
            prop_assert_eq!(decode(&encode(&word)), word);
        }
    }
}
