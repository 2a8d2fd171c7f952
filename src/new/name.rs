//! The name of a new strategy, which is also its crate's and, in another case, its type's.

use std::str::FromStr;

use tick_sdk::host::Registration;

use super::STRATEGY;

/// A name that a strategy, a crate and a type can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    text: String,
    type_name: String,
}

impl Name {
    /// As the user calls the strategy: `my-strategy`.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// As the type is called: `MyStrategy`.
    pub(super) fn type_name(&self) -> &str {
        &self.type_name
    }
}

/// A file name with its ending must fit into 255 bytes, on every system.
const LONGEST: usize = 64;

/// The crates that the new one names, those that Rust itself names, and the folders of cargo's own
/// in `target`: none can be a crate's name beside them.
const TAKEN: [&str; 17] = [
    "orchard",
    "broker",
    "perf",
    "strategies",
    "strategy-host",
    "tick-feed",
    "tick-ingest",
    "tick-sdk",
    "serde", // of Orchard
    "std",
    "core",
    "alloc",
    "test", // of Rust
    "build",
    "deps",
    "examples",
    "incremental", // of cargo
];

/// Every keyword of Rust that is in lower case, those that are only reserved included.
const KEYWORDS: &str = "abstract as async await become box break const continue crate do dyn else enum extern \
    false final fn for gen if impl in let loop macro match mod move mut override priv pub ref return self static \
    struct super trait true try type typeof unsafe unsized use virtual where while yield";

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = |reason: &str| Err(format!("'{text}' is not a valid strategy name: {reason}"));
        if !is_well_formed(text) {
            return refused("write words of lower-case letters and digits joined by -, as in my-strategy");
        }
        if text.len() > LONGEST {
            return refused("it is longer than 64 characters");
        }
        if KEYWORDS.split_whitespace().any(|keyword| keyword == text) {
            return refused(&format!("it is a keyword of Rust; my-{text} would do"));
        }
        if TAKEN.contains(&text) {
            return refused(&format!("cargo or Orchard use it for something else; my-{text} would do"));
        }
        if Registration::find(text).is_ok() {
            return refused("there is a strategy of this name; `orchard strategies` lists them");
        }
        let type_name = type_name_of(text);
        if is_used_by_the_template(&type_name) {
            return refused(&format!("the strategy's file names another {type_name}; my-{text} would do"));
        }
        Ok(Self { text: text.to_owned(), type_name })
    }
}

fn is_well_formed(text: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.split('-').all(is_word)
}

fn type_name_of(text: &str) -> String {
    let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    text.split('-').map(capital).collect()
}

/// Whether the template's code, its comments aside, has this word already: a second meaning would
/// not compile.
fn is_used_by_the_template(word: &str) -> bool {
    let code = STRATEGY.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut words = code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
    words.any(|found| found == word && found != "MyStrategy")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(text: &str) -> String {
        text.parse::<Name>().unwrap_err()
    }

    #[test]
    fn a_name_is_a_strategy_s_and_a_type_s() {
        let type_name = |text: &str| text.parse::<Name>().unwrap().type_name().to_owned();
        assert_eq!(type_name("slow-turtle"), "SlowTurtle");
        assert_eq!(type_name("ema2-cross-50"), "Ema2Cross50");
        assert_eq!(type_name("x"), "X");
    }

    #[test]
    fn a_name_of_another_form_is_refused_with_an_example() {
        for text in ["", "-", "My-Strategy", "my_strategy", "2fast", "-a", "a-", "a--b", "ü", "a b", "../a"]
        {
            assert!(refusal(text).contains("as in my-strategy"), "{text}");
        }
        assert!(refusal(&"a".repeat(65)).contains("longer than 64"));
    }

    #[test]
    fn a_name_that_means_something_else_is_refused() {
        assert!(refusal("apple").contains("there is a strategy of this name"));
        assert!(refusal("match").contains("keyword"));
        assert!(refusal("tick-sdk").contains("my-tick-sdk would do"));
        assert!(refusal("strategy").contains("names another Strategy"));
        assert!(refusal("vec-deque").contains("names another VecDeque"));
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_a_crate_s_name_and_any_text_is_no_panic(text in "[a-z0-9-]{1,12}|.{0,20}") {
            if let Ok(name) = text.parse::<Name>() {
                prop_assert!(name.text().bytes().all(|b| b == b'-' || b.is_ascii_alphanumeric()));
                prop_assert!(name.type_name().starts_with(|c: char| c.is_ascii_uppercase()));
            }
        }
    }
}
