//! Names of fields in MessagePack, and other rules of values that serde's formats do not know.

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

pub(super) use read::Read;
pub(super) use write::Write;

/// `UnitPrice` for `unitPrice` and `unit_price`.
fn pascal_case(name: &str) -> impl Iterator<Item = char> {
    let mut starts_word = true;
    let letters = name.chars().filter_map(move |letter| {
        let is_first = std::mem::replace(&mut starts_word, letter == '_');
        (letter != '_').then_some((letter, is_first))
    });
    letters.flat_map(|(letter, is_first)| {
        let upper_case = is_first.then(|| letter.to_uppercase());
        let as_it_is = (!is_first).then_some(letter);
        upper_case.into_iter().flatten().chain(as_it_is)
    })
}

/// As [`pascal_case`], for the names that serde's derive macros put into the program. Each is renamed once and kept: there are
/// as many as the program's structs have fields.
fn pascal_case_of_field(name: &'static str) -> &'static str {
    static RENAMED: LazyLock<RwLock<HashMap<&'static str, &'static str>>> = LazyLock::new(RwLock::default);
    if let Some(renamed) = RENAMED.read().unwrap_or_else(PoisonError::into_inner).get(name) {
        return renamed;
    }
    let mut all = RENAMED.write().unwrap_or_else(PoisonError::into_inner);
    all.entry(name).or_insert_with(|| pascal_case(name).collect::<String>().leak())
}
