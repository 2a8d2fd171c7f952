//! What readers counted beside ticks: the same words wherever it is shown.

use serde_json::{Value, json};
use tick_ingest::Counts;

use crate::text::{counted, printable, thousands};

/// A note for each of more files than this helps nobody.
const NOTES: usize = 10;

/// Every count as a name and a text; those that are rarely other than 0 only where they are.
pub(crate) fn lines(counts: &Counts) -> Vec<(&'static str, String)> {
    let mut lines = vec![("Skipped", skipped(counts)), ("Malformed", counted(counts.bad_lines, "line"))];
    lines.extend(rare_lines(counts));
    lines
}

/// What is rarely other than 0, and the notes.
pub(crate) fn rare_lines(counts: &Counts) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if counts.saturated_sizes > 0 {
        let sizes = counted(counts.saturated_sizes, "size");
        lines.push(("Sizes", format!("{sizes} above what a tick can hold")));
    }
    if counts.rounded > 0 {
        let numbers = counted(counts.rounded, "number");
        lines.push(("Rounded", format!("{numbers} finer than 1e-9 by floating-point noise alone")));
    }
    lines.extend(counts.notes.iter().take(NOTES).map(|note| ("Note", printable(note))));
    let more = counts.notes.len().saturating_sub(NOTES);
    if more > 0 {
        lines.push(("Note", format!("and {more} more")));
    }
    lines
}

/// What was skipped, by name: `6,551 depthUpdate, 1 depthSnapshot`.
pub(crate) fn skipped(counts: &Counts) -> String {
    let some = counts.skipped.iter().filter(|(_, count)| **count > 0);
    let each: Vec<_> = some.map(|(name, n)| format!("{} {}", thousands(*n), printable(name))).collect();
    if each.is_empty() { "nothing".to_owned() } else { each.join(", ") }
}

/// The first malformed lines that were left out, one a line.
pub(crate) fn left_out(counts: &Counts) -> String {
    counts.bad_line_examples.iter().map(|example| format!("left out: {example}\n")).collect()
}

/// Adds every count to an object.
pub(crate) fn add_to_json(object: &mut Value, counts: &Counts) {
    for (name, value) in [
        ("skipped", json!(counts.skipped)),
        ("malformed_lines", json!(counts.bad_lines)),
        ("bad_line_examples", json!(counts.bad_line_examples)),
        ("saturated_sizes", json!(counts.saturated_sizes)),
        ("rounded_numbers", json!(counts.rounded)),
        ("notes", json!(counts.notes)),
    ] {
        object[name] = value;
    }
}

/// Why sources that are not empty gave no tick; `None` where they hold nothing, or no more than a header.
pub(crate) fn nothing_but(counts: &Counts) -> Option<String> {
    let is_left_out = counts.bad_lines > 0 || counts.skipped.values().any(|count| *count > 0);
    if counts.lines < 2 && !is_left_out {
        return None;
    }
    let lines = thousands(counts.lines);
    let skipped = skipped(counts);
    let malformed = counted(counts.bad_lines, "malformed line");
    Some(format!(
        "no tick is in the sources: of {lines} lines or records {skipped} were skipped as no ticks, and {malformed} \
         left out; see `orchard info FILE`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_counts_are_shown_where_there_are_some() {
        let mut counts = Counts { lines: 10, ..Counts::default() };
        assert_eq!(lines(&counts), [("Skipped", "nothing".to_owned()), ("Malformed", "0 lines".to_owned())]);
        counts.rounded = 1;
        counts.skip("depthUpdate", 1200);
        for note in 0..12 {
            counts.note(&format!("note {note}"));
        }
        let shown: Vec<_> =
            lines(&counts).into_iter().map(|(name, text)| format!("{name}: {text}")).collect();
        assert_eq!(shown[0], "Skipped: 1,200 depthUpdate");
        assert_eq!(shown[2], "Rounded: 1 number finer than 1e-9 by floating-point noise alone");
        assert_eq!((shown.len(), &*shown[12], &*shown[13]), (14, "Note: note 9", "Note: and 2 more"));
        let mut object = json!({});
        add_to_json(&mut object, &counts);
        assert_eq!((&object["rounded_numbers"], &object["notes"][11]), (&1.into(), &"note 11".into()));
    }

    #[test]
    fn sources_of_a_header_alone_have_nothing_to_explain() {
        assert_eq!(nothing_but(&Counts { lines: 1, ..Counts::default() }), None);
        let mut counts = Counts { lines: 1, ..Counts::default() };
        counts.skip("depthUpdate", 1);
        assert!(nothing_but(&counts).unwrap().contains(
            "of 1 lines or records 1 depthUpdate were skipped as no ticks, and 0 malformed lines left out"
        ));
        assert!(
            nothing_but(&Counts { lines: 2, ..Counts::default() }).unwrap().contains("nothing were skipped")
        );
    }
}
