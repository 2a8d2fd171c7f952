//! Tables for people, one object for programs.

use super::folder::ReadyPeer;
use super::rounds::Row;
use super::{Comparison, embedded, transport};

/// Who can be run, and who not.
pub(super) fn setups(ready: &[ReadyPeer], comparison: &Comparison, json: bool) {
    if json {
        let names: Vec<_> = ready.iter().map(|peer| &peer.name).collect();
        println!("{}", serde_json::json!({ "ready": names, "skipped": comparison.skipped }));
        return;
    }
    for peer in ready {
        println!("{}: ready", peer.name);
    }
    print!("{}", skipped(comparison));
}

/// All that was measured.
pub(super) fn comparison(comparison: &Comparison, json: bool) {
    if json {
        println!("{}", serde_json::json!(comparison));
        return;
    }
    for size in &comparison.transport {
        print!("{}", transport(size));
    }
    if let Some(market) = &comparison.embedded {
        print!("{}", embedded(market));
    }
    print!("{}", skipped(comparison));
}

fn transport(size: &transport::Size) -> String {
    let transport::Size { body_bytes, messages, window, queues, rows } = size;
    let to = if *queues == 1 { "one queue".to_owned() } else { format!("each of {queues} queues") };
    let title = format!("\n{messages} bodies of {body_bytes} bytes to {to}, at most {window} unconfirmed\n");
    let rates = if *queues == 1 { "" } else { "MB/s count a body once, though each queue delivers it.\n" };
    title + &table(["", "MB/s", "from", "to", "ours is"], rows, |rate| format!("{:.1}", rate / 1e6)) + rates
}

fn embedded(market: &embedded::Market) -> String {
    let title = format!("\nApple over {} ticks, {} signals\n", market.ticks, market.signals);
    title
        + &table(["", "M ticks/s", "from", "to", "ours is"], &market.rows, |rate| {
            format!("{:.3}", rate / 1e6)
        })
}

fn skipped(comparison: &Comparison) -> String {
    let line = |peer: &super::Skipped| format!("{}: {}\n", peer.name, peer.why);
    comparison.skipped.iter().map(line).collect()
}

/// Medians with the least and the most, the ratio of our first row to each, and words at the end; below, what
/// that ratio is.
fn table(names: [&str; 5], rows: &[Row], show: impl Fn(f64) -> String) -> String {
    let mut cells = vec![names.map(str::to_owned).to_vec()];
    for row in rows {
        let limit =
            |of: fn(f64, f64) -> f64| row.rates.iter().copied().reduce(of).map(&show).unwrap_or_default();
        let mut line = vec![row.name.clone()];
        match row.median {
            Some(median) => {
                line.extend([show(median), limit(f64::min), limit(f64::max)]);
                line.push(row.ratio.map(|ratio| format!("{ratio:.2}x")).unwrap_or_default());
                line.extend(row.signals.iter().map(|words| format!("signals equal: {words}")));
            }
            None => {
                line.extend(["-".to_owned(), String::new(), String::new(), String::new()]);
                line.push(format!("skipped: {}", row.skipped.as_deref().unwrap_or("it was not run")));
            }
        }
        cells.push(line);
    }
    aligned(&cells) + &meaning(rows)
}

/// What the ratio means, where there is one to another row.
fn meaning(rows: &[Row]) -> String {
    let Some((first, others)) = rows.split_first() else { return String::new() };
    if others.iter().all(|row| row.ratio.is_none()) {
        return String::new();
    }
    let rounds = first.rates.len();
    let of = if rounds == 1 { "one round".to_owned() } else { format!("medians of {rounds} rounds") };
    format!(
        "\"ours is 2.00x\": '{}' is twice as fast as that row; below 1 it is slower ({of}).\n",
        first.name
    )
}

/// The first column and the words after the numbers to the left, numbers to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = width(column);
            match column {
                0 => line += &format!("{cell:<width$}"),
                1..=4 => line += &format!("  {cell:>width$}"),
                _ => line += &format!("  {cell}"),
            }
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_medians_ratios_and_reasons() {
        let row = |name: &str, rates: &[f64], skipped: Option<&str>| Row {
            name: name.to_owned(),
            rates: rates.to_vec(),
            median: super::super::rounds::median(rates),
            ratio: super::super::rounds::median(rates).map(|median| 2e6 / median),
            skipped: skipped.map(str::to_owned),
            ..Row::default()
        };
        let mut rows = vec![row("orchard", &[2e6], None), row("other", &[1e6, 0.5e6, 1.5e6], None)];
        rows.push(row("absent", &[], Some("not here")));
        rows[1].signals = Some("yes (3)".to_owned());
        let market = embedded::Market { ticks: 10, signals: 3, rows };
        let expected = "
Apple over 10 ticks, 3 signals
         M ticks/s   from     to  ours is
orchard      2.000  2.000  2.000    1.00x
other        1.000  0.500  1.500    2.00x  signals equal: yes (3)
absent           -                         skipped: not here
\"ours is 2.00x\": 'orchard' is twice as fast as that row; below 1 it is slower (one round).
";
        assert_eq!(embedded(&market), expected);
    }

    #[test]
    fn queues_are_said_and_a_ratio_to_nobody_is_not_explained() {
        let rows = vec![Row { name: "orchard".to_owned(), rates: vec![2e6], ..Row::default() }];
        let size = transport::Size { body_bytes: 10, messages: 5, window: 16, queues: 1, rows };
        let one = transport(&size);
        assert!(one.starts_with("\n5 bodies of 10 bytes to one queue, at most 16 unconfirmed\n"), "{one}");
        let three = transport(&transport::Size { queues: 3, ..size });
        assert!(three.contains("to each of 3 queues") && three.contains("count a body once"), "{three}");
        assert!(!one.contains("twice") && !one.contains("once"), "{one}");
    }
}
