//! What came of one set of recordings, as one line.

use std::collections::BTreeMap;
use std::fmt::Debug;

/// A case in which this program differs by decision.
pub(crate) struct Decision {
    pub(crate) case: String,
    /// Why.
    pub(crate) reason: &'static str,
    /// Each difference has one of these in it: another one is none that was decided.
    pub(crate) only: &'static [&'static str],
}

/// A set of recorded cases, and what came of each.
pub(crate) struct Set {
    name: &'static str,
    decisions: BTreeMap<String, Decision>,
    equal: usize,
    decided: Vec<String>,
    different: Vec<String>,
}

impl Set {
    pub(crate) fn new(name: &'static str, decisions: Vec<Decision>) -> Self {
        let count = decisions.len();
        let decisions: BTreeMap<_, _> = decisions.into_iter().map(|row| (row.case.clone(), row)).collect();
        assert_eq!(decisions.len(), count, "{name}: a case is decided twice");
        Self { name, decisions, equal: 0, decided: Vec::new(), different: Vec::new() }
    }

    /// Takes what one case came to: nothing, or how it differs.
    pub(crate) fn case(&mut self, case: &str, differences: Vec<String>) {
        let Some(Decision { reason, only, .. }) = self.decisions.remove(case) else {
            if differences.is_empty() {
                self.equal += 1;
            } else {
                self.different.push(format!("{case}: {}", differences.join("; ")));
            }
            return;
        };
        let is_decided = |difference: &String| only.iter().any(|part| difference.contains(part));
        match differences.iter().find(|difference| !is_decided(difference)) {
            Some(other) => self.different.push(format!("{case}: {other}")),
            None if differences.is_empty() => {
                self.different.push(format!("{case}: is equal, though decided otherwise: {reason}"));
            }
            None => self.decided.push(format!("{case}: {reason}")),
        }
    }

    /// Prints the line that `scripts/conformance` shows, and fails where something differs.
    pub(crate) fn finish(mut self, cases: usize) {
        let left: Vec<_> =
            self.decisions.keys().map(|case| format!("{case}: there is no such case")).collect();
        self.different.extend(left);
        let Self { name, equal, decided, different, .. } = self;
        let mut report = format!(
            "conformance {name}: {equal} equal, {} different by decision, {} different\n",
            decided.len(),
            different.len()
        );
        decided.iter().for_each(|row| report.push_str(&format!("conformance     by decision: {row}\n")));
        different.iter().for_each(|row| report.push_str(&format!("conformance     DIFFERENT: {row}\n")));
        // In one piece, as other sets print theirs meanwhile.
        print!("\n{report}");
        assert!(different.is_empty(), "{name}: {different:#?}");
        assert_eq!(equal + decided.len(), cases, "{name}: cases are missing");
    }
}

/// Decisions of many cases for one reason.
pub(crate) fn decided<'a>(
    reason: &'static str,
    only: &'static [&'static str],
    cases: impl IntoIterator<Item = &'a str>,
) -> Vec<Decision> {
    cases.into_iter().map(|case| Decision { case: case.to_owned(), reason, only }).collect()
}

/// How two values differ, if they do.
pub(crate) fn differs<T: PartialEq + Debug + ?Sized>(what: &str, ours: &T, theirs: &T) -> Option<String> {
    (ours != theirs).then(|| format!("{what} is {ours:?}, recorded {theirs:?}"))
}
