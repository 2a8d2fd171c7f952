//! The results, for people and for machines.

use std::io::{self, Write};

use super::Measured;

pub(super) fn print(measured: &Measured, is_json: bool) -> io::Result<()> {
    let text = if is_json { serde_json::to_string(measured)? + "\n" } else { text(measured) };
    io::stdout().lock().write_all(text.as_bytes())
}

fn text(measured: &Measured) -> String {
    let Measured { handled_of_plain_loop, reads_of_bare, rebuilt_events, .. } = measured;
    let rate = |per_s: f64| crate::units::rate(per_s);
    let ms = |ms: f64| format!("{ms:.1} ms");
    [
        (
            "handled",
            rate(measured.handled_per_s) + "/s",
            format!("{handled_of_plain_loop:.2} of the plain loop"),
        ),
        (
            "plain loop",
            rate(measured.plain_loop_per_s) + "/s",
            "the same work and SQLite, batches of 100".to_owned(),
        ),
        ("handled, no documents", rate(measured.handled_without_documents_per_s) + "/s", String::new()),
        ("accepted", rate(measured.accepted_per_s) + "/s", "over HTTP, as fast as it goes".to_owned()),
        ("accepted, p99", ms(measured.accepted_p99_ms), "at 1,000/s, from when it was due".to_owned()),
        ("completed, p50", ms(measured.completed_p50_ms), "at 200/s, until its end is read".to_owned()),
        ("completed, p99", ms(measured.completed_p99_ms), String::new()),
        ("reads by id", rate(measured.reads_per_s) + "/s", format!("{reads_of_bare:.2} of a bare route")),
        ("a bare route", rate(measured.bare_reads_per_s) + "/s", "the same bytes from memory".to_owned()),
        (
            "projected",
            rate(measured.projected_per_s) + "/s",
            format!("events, {rebuilt_events} in a rebuild"),
        ),
    ]
    .map(|(name, value, remark)| format!("{name:<26}{value:>12}  {remark}").trim_end().to_owned() + "\n")
    .concat()
}
