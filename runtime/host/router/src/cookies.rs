//! Cookies of requests: found by name, taken out.

use http::HeaderMap;
use http::header::{COOKIE, HeaderValue};

/// The value of the first cookie with this name.
pub(crate) fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(pairs)
        .find_map(|(found, value)| (found == name).then_some(value))
}

/// Takes every cookie with this name out; others stay as they were.
pub(crate) fn remove(headers: &mut HeaderMap, name: &str) {
    if find(headers, name).is_none() {
        return;
    }
    let kept: Vec<HeaderValue> = headers.get_all(COOKIE).iter().filter_map(|value| without(value, name)).collect();
    headers.remove(COOKIE);
    for value in kept {
        headers.append(COOKIE, value);
    }
}

fn without(value: &HeaderValue, name: &str) -> Option<HeaderValue> {
    let Ok(text) = value.to_str() else { return Some(value.clone()) };
    if pairs(text).all(|(found, _)| found != name) {
        return Some(value.clone());
    }
    let kept: Vec<&str> = text
        .split(';')
        .map(str::trim)
        .filter(|pair| pair.split('=').next().is_none_or(|found| found != name))
        .collect();
    // A part of a valid value is valid.
    if kept.is_empty() { None } else { HeaderValue::from_str(&kept.join("; ")).ok() }
}

fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(';').filter_map(|pair| pair.trim().split_once('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_found_and_taken_out_alone() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; mine=x=y;b=\"2\""));
        headers.append(COOKIE, HeaderValue::from_static("mine=2"));
        headers.append(COOKIE, HeaderValue::from_bytes(b"\xff=1").unwrap());
        assert_eq!(find(&headers, "mine"), Some("x=y"));
        assert_eq!(find(&headers, "min"), None);
        remove(&mut headers, "mine");
        let left: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(left, [&b"a=1; b=\"2\""[..], b"\xff=1"]);
        remove(&mut headers, "a");
        assert_eq!(find(&headers, "b"), Some("\"2\""));
    }
}
