//! How files say that there is no number: a side of the book that is absent.

/// Names of nothing, in lower case.
const NAMES: [&[u8]; 12] =
    [b"", b"nan", b"-nan", b"na", b"n/a", b"#n/a", b"<na>", b"null", b"none", b"nil", b"-", b"\\n"];

/// Whether a field of numbers says that there is none: it is empty, has one of the names of nothing
/// (NaN, NA, null, None, -), or holds the number that stands for it where a program has no empty field.
#[cold]
pub(crate) fn is_absent(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    NAMES.iter().any(|name| text.eq_ignore_ascii_case(name)) || is_undefined(text)
}

/// Whether a field may hold a number, by its first character: what nearly every field needs no further
/// look for.
#[inline]
pub(crate) fn begins_as_number(text: &[u8]) -> bool {
    matches!(text, [b'0'..=b'9' | b'-' | b'.' | b',', ..])
}

/// The largest `i64`, as it is and in units of 1e-9, and the largest double, however it was printed.
fn is_undefined(text: &[u8]) -> bool {
    if text == b"9223372036854775807" || text == b"9223372036.854775807" {
        return true;
    }
    let digits = text.starts_with(b"1.797") || text.starts_with(b"1797");
    let double = std::str::from_utf8(text).ok().filter(|_| digits);
    // A printer that rounds up gives a text beyond what a double holds, which is read as infinite.
    double.and_then(|text| text.parse().ok()).is_some_and(|number: f64| number >= 1.797e308)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_many_names_and_numbers_are_none_of_them() {
        for text in ["", " ", "NaN", "nan", "NA", "N/A", "null", "NULL", "None", "-", "\\N", "<NA>"] {
            assert!(is_absent(text.as_bytes()), "{text}");
        }
        let largest = f64::MAX;
        for text in [format!("{largest}"), format!("{largest:e}"), format!("{largest:.12e}")] {
            assert!(is_absent(text.as_bytes()), "{text}");
        }
        for text in ["1.7976931348623157e+308", "1.797693134862316E+308", "9223372036854775807"] {
            assert!(is_absent(text.as_bytes()), "{text}");
        }
        for text in
            ["0", "-1", "1.79", "17", "9223372036854775806", "1e300", "inf", "no", "n", "--1", "\u{2014}"]
        {
            assert!(!is_absent(text.as_bytes()), "{text}");
        }
    }
}
