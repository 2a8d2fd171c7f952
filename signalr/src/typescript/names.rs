//! Names as TypeScript has them.

/// What cannot name a parameter in strict code. A name that the client itself uses there begins with `_`.
const RESERVED: [&str; 53] = [
    "any",
    "arguments",
    "as",
    "async",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "eval",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "from",
    "function",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "let",
    "new",
    "null",
    "of",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "undefined",
    "var",
    "void",
    "while",
    "with",
];

/// Members of the client that are no methods of the hub; `then` would make a promise of it.
const TAKEN: [&str; 9] =
    ["answer", "connection", "constructor", "off", "on", "send", "then", "toString", "valueOf"];

/// A method of the client for a method of the hub: `sendMessage` of `SendMessage`, and `id` of `ID`.
pub(super) fn method(name: &str) -> String {
    let name = camel_case(name);
    if TAKEN.contains(&name.as_str()) { name + "_" } else { name }
}

/// A parameter: `userId` of `user_id`.
pub(super) fn parameter(name: &str) -> String {
    let name = camel_case(name.trim_matches('_'));
    if RESERVED.contains(&name.as_str()) { name + "_" } else { name }
}

/// A key of an interface, quoted where it has to be.
pub(super) fn key(name: &str) -> String {
    if is_identifier(name) { name.to_owned() } else { text(name) }
}

/// A text as source.
pub(super) fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The name of a hub in the names that are made of it: `Chat` of `my_crate::hubs::ChatHub<Memory>`.
pub(super) fn hub(rust_name: &str) -> &str {
    let path = rust_name.split('<').next().unwrap_or_default();
    let name = path.rsplit("::").next().unwrap_or_default();
    name.strip_suffix("Hub").filter(|rest| !rest.is_empty()).unwrap_or(name)
}

fn camel_case(name: &str) -> String {
    let mut words =
        name.split(|letter: char| !letter.is_alphanumeric() && letter != '$').filter(|word| !word.is_empty());
    let first = words.next().unwrap_or("_");
    let mut camel_case = lower_first(first);
    for word in words {
        let mut letters = word.chars();
        camel_case.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        camel_case.push_str(letters.as_str());
    }
    if camel_case.starts_with(|first: char| first.is_ascii_digit()) {
        format!("_{camel_case}")
    } else {
        camel_case
    }
}

/// `htmlText` of `HTMLText`: capitals are lowered but for the last before a small letter.
fn lower_first(word: &str) -> String {
    let letters: Vec<char> = word.chars().collect();
    let capitals = letters.iter().take_while(|letter| !letter.is_lowercase()).count();
    let is_small_next = letters.get(capitals).is_some_and(|next| next.is_lowercase());
    let lowered = if is_small_next && capitals > 1 { capitals - 1 } else { capitals };
    let lower = letters[..lowered].iter().flat_map(|letter| letter.to_lowercase());
    lower.chain(letters[lowered..].iter().copied()).collect()
}

/// Whether it needs no quotes as a key.
pub(super) fn is_identifier(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_alphabetic() || first == '_' || first == '$')
        && letters.all(|letter| letter.is_alphanumeric() || letter == '_' || letter == '$')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_typescript() {
        for (name, expected) in [
            ("SendMessage", "sendMessage"),
            ("send_message", "sendMessage"),
            ("ID", "id"),
            ("HTMLText", "htmlText"),
            ("GiveNaN", "giveNaN"),
            ("say-hello", "sayHello"),
            ("2nd", "_2nd"),
            ("Send", "send_"),
            ("Then", "then_"),
        ] {
            assert_eq!(method(name), expected);
        }
        assert_eq!(parameter("user_id"), "userId");
        assert_eq!(parameter("_new"), "new_");
        assert_eq!(hub("chat::hubs::ChatHub"), "Chat");
        assert_eq!(hub("chat::Hub"), "Hub");
        assert_eq!(hub("chat::Market<chat::Memory>"), "Market");
        assert_eq!(key("user joined"), "\"user joined\"");
    }
}
