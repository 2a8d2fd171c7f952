//! A signal's place in the order in which signals are shown.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// Where a page of signals ends. Signals stand in order of run, then receive time, symbol, strategy, seq and n.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) run: String,
    pub(crate) ts_recv: u64,
    pub(crate) symbol: String,
    pub(crate) strategy: String,
    pub(crate) seq: u64,
    pub(crate) n: u32,
}

impl Place {
    /// As text for a URL.
    pub(crate) fn to_cursor(&self) -> String {
        let Self { run, ts_recv, symbol, strategy, seq, n } = self;
        let text = serde_json::json!([run, ts_recv, symbol, strategy, seq, n]).to_string();
        URL_SAFE_NO_PAD.encode(text)
    }

    /// What [`Place::to_cursor`] made; `None` for any other text.
    pub(crate) fn from_cursor(cursor: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (run, ts_recv, symbol, strategy, seq, n) = serde_json::from_slice(&bytes).ok()?;
        Some(Self { run, ts_recv, symbol, strategy, seq, n })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back() {
        let place = Place { run: "r".into(), ts_recv: 1, symbol: "é\"".into(), seq: 7, ..Place::default() };
        assert_eq!(Place::from_cursor(&place.to_cursor()), Some(place));
        assert_eq!(Place::from_cursor("AAAA"), None);
    }
}
