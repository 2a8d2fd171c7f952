//! Documentation as XML comments.

use crate::source::Source;

/// A summary, which ends with a point.
pub(super) fn summary(source: &mut Source, docs: &str) {
    element(source, "summary", docs);
}

/// Remarks.
pub(super) fn remarks(source: &mut Source, docs: &str) {
    element(source, "remarks", docs);
}

fn element(source: &mut Source, name: &str, docs: &str) {
    let docs = xml(docs);
    if source.fits(&docs, "/// <></>".len() + 2 * name.len()) {
        return source.line(&format!("/// <{name}>{docs}</{name}>"));
    }
    source.line(&format!("/// <{name}>"));
    source.wrapped("/// ", &docs);
    source.line(&format!("/// </{name}>"));
}

/// Text with what XML needs, and code between backticks.
fn xml(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut parts = escaped.split('`');
    let mut text = parts.next().unwrap_or_default().to_owned();
    while let Some(code) = parts.next() {
        match parts.next() {
            Some(after) => text.extend(["<c>", code, "</c>", after]),
            // A backtick that opens nothing is one.
            None => text.extend(["`", code]),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn docs_are_xml() {
        assert_eq!(super::xml("a < `b & c` `d"), "a &lt; <c>b &amp; c</c> `d");
    }
}
