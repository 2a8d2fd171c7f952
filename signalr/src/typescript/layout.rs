//! Lays out declarations, which the derive writes on one line: a line for each field, with its comment before it.

use super::names;

/// How long an object inside another type may be to stand on one line.
const INLINE_COLUMNS: usize = 70;
/// How long a union may be to stand on one line.
const UNION_COLUMNS: usize = 100;

/// `type Order = { … };` with a line for each field; anything else as it is.
pub(super) fn laid_out(declaration: &str) -> String {
    let Some((name, body)) = declaration.trim_end_matches(';').split_once(" = ") else {
        return declaration.to_owned();
    };
    if name.starts_with("enum") {
        return declaration.to_owned();
    }
    let body = body.trim();
    let body = match whole_object(body) {
        Some(fields) => object(fields, false),
        None => union(body),
    };
    let blank = if body.starts_with('\n') { "" } else { " " };
    format!("{name} ={blank}{body};")
}

/// A comment of the derive, with its marks, as text.
pub(super) fn comment(marked: &str) -> String {
    let marked = marked.trim().trim_start_matches("/**").trim_end_matches("*/");
    let lines = marked.trim().lines().map(|line| line.trim_start().trim_start_matches('*'));
    let lines: Vec<_> = lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n").trim().to_owned()
}

fn union(text: &str) -> String {
    let variants: Vec<_> = split(text, '|').into_iter().map(inside).collect();
    let line = variants.join(" | ");
    if variants.len() == 1 || (line.len() <= UNION_COLUMNS && !line.contains('\n')) {
        return line;
    }
    let lines = variants.iter().map(|variant| format!("\n  | {}", indented(variant)));
    lines.collect()
}

/// A type with the objects in it laid out.
fn inside(text: &str) -> String {
    let mut laid_out = String::new();
    let mut rest = text.trim();
    while let Some(begin) = position(rest, '{') {
        let end = closing(rest, begin);
        laid_out.push_str(&rest[..begin]);
        laid_out.push_str(&object(&rest[begin + 1..end], true));
        rest = &rest[end + 1..];
    }
    laid_out + rest
}

fn object(fields: &str, may_be_inline: bool) -> String {
    let fields = fields.trim();
    if fields.starts_with('[') {
        return format!("{{ {} }}", inside(fields));
    }
    let fields: Vec<_> =
        split(fields, ',').into_iter().filter(|field| !field.is_empty()).map(field).collect();
    let line = format!("{{ {} }}", fields.join("; "));
    if fields.is_empty() {
        return "Record<string, never>".to_owned();
    }
    if may_be_inline && line.len() <= INLINE_COLUMNS && !line.contains('\n') && !line.contains("/*") {
        return line;
    }
    let lines: String = fields.iter().map(|field| format!("  {};\n", indented(field))).collect();
    format!("{{\n{lines}}}")
}

/// A field with its comment before it.
fn field(text: &str) -> String {
    let text = text.trim();
    let Some((docs, rest)) = text.strip_prefix("/**").and_then(|docs| docs.split_once("*/")) else {
        return member(text);
    };
    let docs = comment(docs);
    let docs = if docs.contains('\n') {
        format!("/**\n * {}\n */", docs.replace('\n', "\n * ").replace(" * \n", " *\n"))
    } else {
        format!("/** {docs} */")
    };
    format!("{docs}\n{}", member(rest))
}

/// A field without a comment; its name has no quotes where it needs none.
fn member(text: &str) -> String {
    let text = inside(text);
    let unquoted = text.strip_prefix('"').and_then(|rest| rest.split_once('"'));
    match unquoted {
        Some((name, rest)) if names::is_identifier(name) => format!("{name}{rest}"),
        _ => text,
    }
}

fn indented(text: &str) -> String {
    text.replace('\n', "\n  ")
}

/// What stands in the braces of a text that is one object.
fn whole_object(text: &str) -> Option<&str> {
    let fields = text.strip_prefix('{')?.strip_suffix('}')?;
    (closing(text, 0) == text.len() - 1).then_some(fields)
}

/// Cut at the separators that stand in no brackets, texts or comments.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(end) = position(rest, separator) {
        parts.push(rest[..end].trim());
        rest = &rest[end + separator.len_utf8()..];
    }
    parts.push(rest.trim());
    parts
}

/// Where a character first stands in no brackets, texts or comments. An opening brace is searched in angle brackets, too.
fn position(text: &str, wanted: char) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        if next == wanted && (depth == 0 || wanted == '{') {
            return Some(at);
        }
        match next {
            '{' | '[' | '(' | '<' => depth += 1,
            '}' | ']' | ')' | '>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += skipped(&text[at..]).max(next.len_utf8());
    }
    None
}

/// Where the brace that opens at `begin` is closed.
fn closing(text: &str, begin: usize) -> usize {
    let inside = begin + 1;
    position(&text[inside..], '}').map_or(text.len() - 1, |end| inside + end)
}

/// How long the text or the comment is that begins here.
fn skipped(text: &str) -> usize {
    if let Some(comment) = text.strip_prefix("/*") {
        return comment.find("*/").map_or(text.len(), |end| end + "/**/".len());
    }
    let Some(quoted) = text.strip_prefix('"') else { return 0 };
    let mut is_escaped = false;
    for (at, letter) in quoted.char_indices() {
        if letter == '"' && !is_escaped {
            return at + "\"\"".len();
        }
        is_escaped = letter == '\\' && !is_escaped;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_has_a_line() {
        let laid_out = laid_out(
            "type Order = { \n/**\n * Given by the client, or {not}.\n */\nid: number, legs: Array<{ a: string, b: number, }>, \
             tags: { [key in string]: number }, };",
        );
        let expected = "type Order = {\n  /** Given by the client, or {not}. */\n  id: number;\n  \
                        legs: Array<{ a: string; b: number }>;\n  tags: { [key in string]: number };\n};";
        assert_eq!(laid_out, expected);
    }

    #[test]
    fn variants_stand_on_one_line_where_they_fit() {
        assert_eq!(laid_out("type Side = \"Buy\" | \"Se,|ll\";"), "type Side = \"Buy\" | \"Se,|ll\";");
        let long = format!("type Long = {{ a: string, }} | {{ {}: number, }};", "b".repeat(90));
        let expected =
            format!("type Long =\n  | {{ a: string }}\n  | {{\n    {}: number;\n  }};", "b".repeat(90));
        assert_eq!(laid_out(&long), expected);
    }
}
