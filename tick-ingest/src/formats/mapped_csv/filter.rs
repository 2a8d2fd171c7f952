//! Passes over the rows that a mapping's `only=` leaves out.

use super::mapping::RowFilter;
use crate::Batch;
use crate::formats::csv::fields::Fields;

/// A column whose text says whether a row is taken.
pub(super) struct Filter {
    place: usize,
    texts: Vec<Vec<u8>>,
    /// `COLUMN=`, and behind it the text of a row that was left out.
    name: String,
    /// How long `COLUMN=` is.
    prefix: usize,
}

impl Filter {
    /// Of a column at `place`.
    pub(super) fn new(only: &RowFilter, place: usize) -> Self {
        let texts = only.texts.iter().map(|text| text.trim().as_bytes().to_vec()).collect();
        let name = format!("{}=", only.column);
        let prefix = name.len();
        Self { place, texts, name, prefix }
    }

    /// Whether the row is taken; one that is not is counted by its text.
    #[inline]
    pub(super) fn takes(&mut self, fields: &Fields<'_>, out: &mut Batch) -> bool {
        let text = fields.trimmed(self.place);
        let is_taken = self.texts.iter().any(|taken| taken == text);
        if !is_taken {
            self.count(text, out);
        }
        is_taken
    }

    /// Most rows of a file may be left out: the name is made in place.
    fn count(&mut self, text: &[u8], out: &mut Batch) {
        /// What a name of what was skipped has room for.
        const LENGTH: usize = 48;
        self.name.truncate(self.prefix);
        let shown = &text[..text.len().min(LENGTH)];
        self.name.extend(String::from_utf8_lossy(shown).chars().filter(|c| !c.is_control()));
        out.counts.skip(&self.name, 1);
    }
}
