//! Which instruments somebody asks for.

/// Which instruments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selection {
    /// Only of this source; of all where absent.
    pub source: Option<String>,
    /// Symbols, or patterns with `*` for any characters; empty for all.
    pub symbols: Vec<String>,
}

impl Selection {
    /// Whether the source is one of those.
    pub fn has_source(&self, source: &str) -> bool {
        self.source.as_deref().is_none_or(|only| only == source)
    }

    /// Whether the symbol is one of those.
    pub fn has_symbol(&self, symbol: &str) -> bool {
        self.symbols.is_empty() || self.symbols.iter().any(|pattern| fits(pattern, symbol))
    }

    /// The symbols, where none of them is a pattern and they are not all.
    pub(crate) fn exact(&self) -> Option<&[String]> {
        let is_exact = !self.symbols.is_empty() && !self.symbols.iter().any(|symbol| symbol.contains('*'));
        is_exact.then_some(&self.symbols)
    }
}

/// Whether a text is what a pattern says, in which each `*` stands for any characters, or none.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    // The first part is the text's beginning; of a pattern without `*` it is everything.
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    // Each part in between is taken where it comes first, which leaves most for those behind it.
    for part in parts {
        let Some(place) = rest.find(part) else { return false };
        rest = &rest[place + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By trying everything.
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|skipped| naive(rest, &text[skipped..])),
            Some((first, rest)) => {
                text.split_first().is_some_and(|(c, text)| c == first && naive(rest, text))
            }
        }
    }

    proptest! {
        #[test]
        fn a_pattern_fits_what_it_says(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
            prop_assert_eq!(fits(&pattern, &text), naive(pattern.as_bytes(), text.as_bytes()));
        }
    }

    #[test]
    fn a_selection_without_symbols_has_all_of_its_source() {
        let all = Selection::default();
        assert!(all.has_source("feed/btc") && all.has_symbol("BTCUSDT"));
        let some =
            Selection { source: Some("feed/btc".into()), symbols: vec!["BTC*".into(), "ETHUSDT".into()] };
        assert!(some.has_source("feed/btc") && !some.has_source("feed/eth"));
        assert!(some.has_symbol("BTCUSDT") && some.has_symbol("ETHUSDT") && !some.has_symbol("ETHUSDC"));
        assert!(some.exact().is_none());
    }
}
