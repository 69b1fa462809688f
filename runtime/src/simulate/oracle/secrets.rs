//! I17: no secret in a record, nor in anything that was told, be it as it is, in base64, in hexadecimal or reversed.

use super::{Evidence, Findings};
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

/// Looks for every secret of the run in everything that is not sealed.
pub(super) fn judge(evidence: &Evidence, findings: &mut Findings) {
    let forms: Vec<(usize, &str, Vec<u8>)> =
        evidence.secrets.iter().enumerate().flat_map(|(number, secret)| forms(number, secret)).collect();
    if forms.is_empty() {
        return;
    }
    let records = evidence.records.iter().map(|r| (format!("entry {}", r.seq), r.bytes.as_slice()));
    let told = evidence.told.iter().map(|(name, bytes)| (name.clone(), bytes.as_slice()));
    for (name, bytes) in records.chain(told) {
        for (number, form, needle) in &forms {
            if holds(bytes, needle) {
                findings.add("I17", format!("secret {number} is in {name}, {form}"));
            }
        }
    }
}

fn forms(number: usize, secret: &str) -> Vec<(usize, &'static str, Vec<u8>)> {
    let plain = secret.as_bytes();
    let reversed: Vec<u8> = plain.iter().rev().copied().collect();
    let mut forms = vec![
        (number, "as it is", plain.to_vec()),
        (number, "reversed", reversed),
        (number, "in hexadecimal", HEXLOWER.encode(plain).into_bytes()),
        (number, "in hexadecimal", HEXUPPER.encode(plain).into_bytes()),
    ];
    // Inside of a longer text it begins at any of three places of a group; what its neighbours share is left out.
    for skip in 0..3usize {
        let padded: Vec<u8> = std::iter::repeat_n(0, skip).chain(plain.iter().copied()).collect();
        for encoded in [BASE64_NOPAD.encode(&padded), BASE64URL_NOPAD.encode(&padded)] {
            let (from, to) = ((skip * 8).div_ceil(6), padded.len() * 8 / 6);
            forms.extend(encoded.get(from..to).map(|text| (number, "in base64", text.as_bytes().to_vec())));
        }
    }
    forms
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    let Some((first, rest)) = needle.split_first() else { return false };
    let starts = bytes.iter().enumerate().filter(|(_, byte)| *byte == first);
    starts.map(|(at, _)| bytes.get(at + 1..)).any(|tail| tail.is_some_and(|tail| tail.starts_with(rest)))
}
