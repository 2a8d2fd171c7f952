//! The results, for people and for machines.

use std::io::{self, Write};

use super::Measured;

pub(super) fn print(measured: &Measured, is_json: bool) -> io::Result<()> {
    let text = if is_json { serde_json::to_string(measured)? + "\n" } else { text(measured) };
    io::stdout().lock().write_all(text.as_bytes())
}

fn text(measured: &Measured) -> String {
    let absent = crate::units::NOTHING.to_owned();
    let rate =
        |per_s: Option<f64>| per_s.map_or_else(|| absent.clone(), |per_s| crate::units::rate(per_s) + "/s");
    let ms = |ms: Option<f64>| ms.map_or_else(|| absent.clone(), |ms| format!("{ms:.1} ms"));
    let of = |ours: Option<f64>, theirs: Option<f64>, what: &str| {
        ours.zip(theirs).map_or_else(String::new, |(ours, theirs)| format!("{:.2} of {what}", ours / theirs))
    };
    let Measured { at_once, handled_per_s_each_32: each, masstransit_per_s_each_32: theirs, .. } = measured;
    let some = Some;
    let mut rows = vec![
        (
            "handled, batches".to_owned(),
            rate(some(measured.handled_per_s)),
            of(some(measured.handled_per_s), some(measured.plain_loop_per_s), "the plain loop"),
        ),
        ("plain loop of 100".to_owned(), rate(some(measured.plain_loop_per_s)), String::new()),
        (
            "processor time each".to_owned(),
            format!("{:.0} µs", measured.process_us_per_command),
            format!(
                "of this process; {:.0} µs of the plain loop",
                measured.plain_loop_process_us_per_command
            ),
        ),
        (
            format!("one transaction each, {at_once}"),
            rate(some(*each)),
            of(some(*each), *theirs, "MassTransit's"),
        ),
        (format!("{at_once} plain loops of 1"), rate(some(measured.plain_loop_per_s_each_32)), String::new()),
        (
            "one transaction each".to_owned(),
            rate(some(measured.handled_per_s_one)),
            of(some(measured.handled_per_s_one), some(measured.plain_loop_per_s_one), "the plain loop of 1"),
        ),
        ("plain loop of 1".to_owned(), rate(some(measured.plain_loop_per_s_one)), String::new()),
    ];
    if theirs.is_some() || measured.masstransit_per_s_one.is_some() {
        rows.push(("MassTransit, 32 at once".to_owned(), rate(*theirs), String::new()));
        rows.push((
            "MassTransit, one at once".to_owned(),
            rate(measured.masstransit_per_s_one),
            String::new(),
        ));
        let plain = rate(measured.masstransit_plain_loop_per_s);
        rows.push((".NET's plain loop of 100".to_owned(), plain, String::new()));
    }
    let latencies = [
        ("200", measured.command_to_event_p50_ms_200, measured.command_to_event_p99_ms_200),
        ("1,000", measured.command_to_event_p50_ms_1000, measured.command_to_event_p99_ms_1000),
        ("2,000", measured.command_to_event_p50_ms_2000, measured.command_to_event_p99_ms_2000),
    ];
    for (per_s, p50, p99) in latencies {
        let remark = format!("command to event; p50 {}", ms(p50));
        rows.push((format!("p99 at {per_s}/s"), ms(p99), remark));
    }
    let held = if measured.held_2000 { "yes" } else { "no" };
    rows.push(("2,000/s held".to_owned(), held.to_owned(), String::new()));
    let rows = rows
        .into_iter()
        .map(|(name, value, remark)| format!("{name:<28}{value:>12}  {remark}").trim_end().to_owned() + "\n");
    rows.chain(measured.absent.iter().map(|why| format!("absent: {why}\n"))).collect()
}
