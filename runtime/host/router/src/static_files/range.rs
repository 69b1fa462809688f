//! Which part of a file a request wants.
//!
//! One range is answered with that part; several at once, or what cannot be read, with the whole file, as the standard allows.

/// What to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Whole,
    /// From the first byte, so many.
    Part {
        start: u64,
        length: u64,
    },
    /// No byte of the file is meant.
    Outside,
}

/// Reads a `Range` for a file of `size` bytes.
pub(super) fn read(range: &str, size: u64) -> Asked {
    let Some(range) = range.trim().strip_prefix("bytes=") else { return Asked::Whole };
    let Some((first, last)) = range.trim().split_once('-').filter(|(_, last)| !last.contains(',')) else {
        return Asked::Whole;
    };
    let number = |text: &str| -> Option<u64> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // More than any file has is as good as the last byte.
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    match (first, number(first), last, number(last)) {
        (_, Some(first), _, Some(last)) if first > last => Asked::Whole,
        (_, Some(first), "", _) if first < size => Asked::Part { start: first, length: size - first },
        (_, Some(first), _, Some(last)) if first < size => {
            Asked::Part { start: first, length: last.min(size - 1) - first + 1 }
        }
        (_, Some(_), "", _) | (_, Some(_), _, Some(_)) | ("", _, _, Some(0)) => Asked::Outside,
        ("", _, _, Some(_)) if size == 0 => Asked::Outside,
        ("", _, _, Some(count)) => Asked::Part { start: size.saturating_sub(count), length: count.min(size) },
        _unreadable => Asked::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_are_read() {
        let part = |start, length| Asked::Part { start, length };
        for (range, expected) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=2-4", part(2, 3)),
            ("bytes=2-", part(2, 8)),
            ("bytes=0-99", part(0, 10)),
            ("bytes=-3", part(7, 3)),
            ("bytes=-99", part(0, 10)),
            ("bytes=9-99999999999999999999999", part(9, 1)),
            ("bytes=10-", Asked::Outside),
            ("bytes=10-11", Asked::Outside),
            ("bytes=-0", Asked::Outside),
            ("bytes=3-2", Asked::Whole),
            ("bytes=0-1,3-4", Asked::Whole),
            ("bytes=-", Asked::Whole),
            ("bytes=a-b", Asked::Whole),
            ("bytes=+1-2", Asked::Whole),
            ("lines=1-2", Asked::Whole),
            ("", Asked::Whole),
        ] {
            assert_eq!(read(range, 10), expected, "{range}");
        }
        assert_eq!(read("bytes=0-", 0), Asked::Outside);
        assert_eq!(read("bytes=-5", 0), Asked::Outside);
    }

    proptest! {
        #[test]
        fn a_part_lies_in_the_file(range in "bytes=[0-9]{0,20}-[0-9]{0,20}", size in any::<u64>()) {
            if let Asked::Part { start, length } = read(&range, size) {
                prop_assert!(length > 0 && start.checked_add(length).is_some_and(|end| end <= size));
            }
        }
    }
}
