//! Documentation as every language can show it.

use super::{Attribute, camel_case};

/// The lines of documentation without links that only Rust understands, a paragraph a line.
pub(super) fn plain(attributes: &[Attribute]) -> String {
    let mut text = String::new();
    for attribute in attributes {
        let Attribute::Docs(line) = attribute else { continue };
        let line = line.trim();
        if line.is_empty() {
            text.push('\n');
            continue;
        }
        if !text.is_empty() && !text.ends_with('\n') {
            text.push(' ');
        }
        text.push_str(line);
    }
    without_links(&text)
}

/// ``[`Name`](path)`` and ``[`Name`]`` become `` `Name` ``, and ``[`Name::of_member`]`` becomes `` `Name.ofMember` ``.
fn without_links(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, link)) = rest.split_once("[`") {
        let Some((name, after)) = link.split_once("`]") else { break };
        plain.push_str(before);
        let parts: Vec<_> = name.split("::").map(camel_case).collect();
        plain.extend(["`", &parts.join("."), "`"]);
        rest = match after.strip_prefix('(').and_then(|target| target.split_once(')')) {
            Some((_target, after)) => after,
            None => after,
        };
    }
    plain + rest
}
