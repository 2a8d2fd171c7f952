//! Source text as it grows, and names as other languages write them.

/// How long a line of documentation may be.
const DOCS_COLUMNS: usize = 110;

/// Source text as it grows, a line at a time.
#[derive(Default)]
pub(crate) struct Source {
    text: String,
    indent: usize,
}

impl Source {
    /// A line; an empty one has no blanks.
    pub(crate) fn line(&mut self, line: &str) {
        if !line.is_empty() {
            self.text.extend(std::iter::repeat_n(' ', self.indent));
            self.text.push_str(line);
        }
        self.text.push('\n');
    }

    /// Lines between this one with an opening brace, and one with `end`.
    pub(crate) fn block(&mut self, begin: &str, end: &str, step: usize, inside: impl FnOnce(&mut Self)) {
        for line in begin.split('\n') {
            self.line(line);
        }
        self.indent += step;
        inside(self);
        self.indent -= step;
        self.line(end);
    }

    /// Text cut into lines that begin with `prefix`.
    pub(crate) fn wrapped(&mut self, prefix: &str, text: &str) {
        for line in lines(text, DOCS_COLUMNS.saturating_sub(self.indent + prefix.len())) {
            self.line(&format!("{prefix}{line}"));
        }
    }

    /// Whether text stands on one line of documentation, with so many columns beside it.
    pub(crate) fn fits(&self, text: &str, beside: usize) -> bool {
        !text.contains('\n') && self.indent + beside + text.chars().count() <= DOCS_COLUMNS
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }
}

/// Text cut between words into lines of at most so many characters, as far as words allow.
fn lines(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > columns {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// A name as types and properties have it: of `commandId`, `command_state`, `ACCEPTED` and `strategies`.
pub(crate) fn pascal_case(name: &str) -> String {
    let is_upper = !name.chars().any(char::is_lowercase);
    let words = name.split(['_', '-']).map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        let rest = if is_upper { letters.as_str().to_lowercase() } else { letters.as_str().to_owned() };
        first.into_iter().collect::<String>() + &rest
    });
    words.collect()
}

/// The name of a path's parameter as clients have it: the `{id}` of `/api/users/{id}` is `userId`.
pub(crate) fn path_parameter(path: &str, name: &str) -> String {
    let before = path.split(&format!("/{{{name}}}")).next().and_then(|before| before.rsplit('/').next());
    match before.and_then(|before| before.strip_suffix('s')) {
        Some(one) if name == "id" => format!("{one}Id"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_elsewhere() {
        for (name, expected) in [
            ("commandId", "CommandId"),
            ("command_state", "CommandState"),
            ("ON_BAD_LINE", "OnBadLine"),
            ("strategies", "Strategies"),
        ] {
            assert_eq!(pascal_case(name), expected);
        }
        assert_eq!(path_parameter("/api/users/{id}", "id"), "userId");
        assert_eq!(path_parameter("/api/deployments/{name}", "name"), "name");
    }

    #[test]
    fn text_is_cut_between_words() {
        assert_eq!(lines("a bb ccc d\nee", 4), ["a bb", "ccc", "d", "ee"]);
        assert_eq!(lines("longer than that", 4), ["longer", "than", "that"]);
    }
}
