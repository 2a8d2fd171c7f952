//! Source text as it grows.

/// How long a line may be.
const COLUMNS: usize = 110;

/// Source text as it grows, a line at a time.
#[derive(Debug, Default)]
pub(super) struct Source {
    text: String,
    indent: usize,
}

impl Source {
    /// Lines; an empty one has no blanks.
    pub(super) fn lines(&mut self, lines: &str) {
        for line in lines.lines() {
            if !line.is_empty() {
                self.text.extend(std::iter::repeat_n(' ', self.indent));
                self.text.push_str(line);
            }
            self.text.push('\n');
        }
    }

    /// An empty line.
    pub(super) fn gap(&mut self) {
        self.text.push('\n');
    }

    /// Lines between one with an opening brace, and one that closes it.
    pub(super) fn block(&mut self, begin: &str, end: &str, inside: impl FnOnce(&mut Self)) {
        self.lines(begin);
        self.indent += 2;
        inside(self);
        self.indent -= 2;
        self.lines(end);
    }

    /// A comment for what follows, if there is something to be said.
    pub(super) fn docs(&mut self, docs: &str) {
        let docs = docs.trim().replace("*/", "*\\/");
        if docs.is_empty() {
            return;
        }
        if !docs.contains('\n') && self.fits(docs.chars().count() + "/**  */".len()) {
            return self.lines(&format!("/** {docs} */"));
        }
        self.lines("/**");
        for line in docs.lines() {
            self.wrapped(line);
        }
        self.lines(" */");
    }

    /// `begin`, what stands in its brackets, and `end`: on one line where there is room.
    pub(super) fn list(&mut self, begin: &str, items: &[String], end: &str) {
        let line = format!("{begin}{}{end}", items.join(", "));
        if items.is_empty() || self.fits(line.chars().count()) {
            return self.lines(&line);
        }
        self.block(begin, end, |source| {
            for item in items {
                source.lines(&format!("{item},"));
            }
        });
    }

    /// As [`list`](Self::list), a step deeper.
    pub(super) fn inner_list(&mut self, begin: &str, items: &[String], end: &str) {
        self.indent += 2;
        self.list(begin, items, end);
        self.indent -= 2;
    }

    /// The whole text.
    pub(super) fn finish(self) -> String {
        self.text
    }

    fn fits(&self, columns: usize) -> bool {
        self.indent + columns <= COLUMNS
    }

    /// A line of a comment, cut between words. One that is indented is code, and stays whole.
    fn wrapped(&mut self, line: &str) {
        let mut begun = String::from(" *");
        let words: Vec<_> =
            if line.starts_with("    ") { vec![line.trim_end()] } else { line.split_whitespace().collect() };
        for word in words {
            if begun != " *" && !self.fits(begun.chars().count() + 1 + word.chars().count()) {
                self.lines(&begun);
                begun.truncate(" *".len());
            }
            begun.push(' ');
            begun.push_str(word);
        }
        self.lines(&begun);
    }
}
