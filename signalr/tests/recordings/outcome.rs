//! What came of one set of recordings, as one line.

/// Cases in which this server differs by decision.
pub(crate) struct Decision {
    /// What the cases' names begin with.
    pub(crate) cases: &'static str,
    /// Why, as a row of `DIFFERENCES.md` says it.
    pub(crate) reason: &'static str,
    /// Each difference has one of these in it: another one is none that was decided.
    pub(crate) only: &'static [&'static str],
}

/// A set of recorded cases, and what came of each.
pub(crate) struct Set {
    name: &'static str,
    decisions: &'static [Decision],
    used: Vec<bool>,
    equal: usize,
    decided: Vec<String>,
    different: Vec<String>,
    again: Vec<String>,
}

impl Set {
    pub(crate) fn new(name: &'static str, decisions: &'static [Decision]) -> Self {
        let used = vec![false; decisions.len()];
        Self {
            name,
            decisions,
            used,
            equal: 0,
            decided: Vec::new(),
            different: Vec::new(),
            again: Vec::new(),
        }
    }

    /// Whether a difference is none that was decided.
    pub(crate) fn is_different(&self, case: &str, differences: &[String]) -> bool {
        differences.iter().any(|difference| self.decision(case, difference).is_none())
    }

    fn decision(&self, case: &str, difference: &str) -> Option<usize> {
        let covers = |row: &Decision| {
            case.starts_with(row.cases) && row.only.iter().any(|part| difference.contains(part))
        };
        self.decisions.iter().position(covers)
    }

    /// A case was replayed twice.
    pub(crate) fn again(&mut self, case: &str) {
        self.again.push(case.to_owned());
    }

    /// Takes what one case came to: nothing, or how it differs.
    pub(crate) fn case(&mut self, case: &str, differences: &[String]) {
        let Some(first) = differences.first() else {
            self.equal += 1;
            return;
        };
        let rows: Option<Vec<_>> =
            differences.iter().map(|difference| self.decision(case, difference)).collect();
        let Some(mut rows) = rows else {
            self.different.push(format!("{case}: {}", differences.join("; ")));
            return;
        };
        rows.dedup();
        rows.iter().for_each(|row| self.used[*row] = true);
        let reasons: Vec<_> = rows.iter().map(|row| self.decisions[*row].reason).collect();
        self.decided.push(format!("{case}: {} ({first})", reasons.join("; ")));
    }

    /// Prints the line that `scripts/conformance` shows, and fails where something differs.
    pub(crate) fn finish(mut self, cases: usize) {
        for (decision, _) in self.decisions.iter().zip(&self.used).filter(|(_, used)| !**used) {
            self.different.push(format!(
                "{}…: is equal, though decided otherwise: {}",
                decision.cases, decision.reason
            ));
        }
        self.decided.sort();
        self.different.sort();
        let Self { name, equal, decided, different, again, .. } = self;
        let mut report = format!(
            "conformance {name}: {equal} equal, {} different by decision, {} different\n",
            decided.len(),
            different.len()
        );
        decided.iter().for_each(|row| report.push_str(&format!("conformance     by decision: {row}\n")));
        different.iter().for_each(|row| report.push_str(&format!("conformance     DIFFERENT: {row}\n")));
        again.iter().for_each(|case| report.push_str(&format!("conformance     replayed twice: {case}\n")));
        // In one piece, as other sets print theirs meanwhile.
        print!("\n{report}");
        assert!(different.is_empty(), "{name}: {} of {cases} cases differ", different.len());
        assert_eq!(equal + decided.len(), cases, "{name}: cases are missing");
    }
}
