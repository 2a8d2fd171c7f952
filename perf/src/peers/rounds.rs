//! Who takes their turn, and what came of it.

use serde::Serialize;

/// One who takes part.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    /// Whether it is ours.
    pub(super) ours: bool,
    /// The rate of each round, in units/s.
    pub(super) rates: Vec<f64>,
    /// The middle one; `None` without any.
    pub(super) median: Option<f64>,
    /// How many times as fast as this our first row is.
    pub(super) ratio: Option<f64>,
    /// Whether it gave our signals, where there are signals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signals: Option<String>,
    /// Why it was left out.
    pub(super) skipped: Option<String>,
}

/// One turn: a rate and, where there are signals, what is to be said of them.
pub(super) type Turn<'a> = Box<dyn Fn() -> Result<(f64, Option<String>), String> + 'a>;

/// Everybody takes their turn in each round; who fails once is left out from then on. Each round begins
/// with another one, as the first after a pause may find a machine that is asleep. The first row is the
/// one that ratios are of.
pub(super) fn alternate(rounds: u64, what: &str, turns: Vec<(String, bool, Turn<'_>)>) -> Vec<Row> {
    let row = |(name, ours, _): &(String, bool, Turn<'_>)| Row {
        name: name.clone(),
        ours: *ours,
        ..Row::default()
    };
    let mut rows: Vec<_> = turns.iter().map(row).collect();
    for round in 1..=rounds {
        for place in 0..turns.len() {
            let at = (place + round as usize - 1) % turns.len();
            let (row, (name, _, turn)) = (&mut rows[at], &turns[at]);
            if row.skipped.is_some() {
                continue;
            }
            eprintln!("{what}, round {round} of {rounds}: {name}");
            match turn() {
                Ok((rate, signals)) => {
                    row.rates.push(rate);
                    row.signals = signals;
                }
                Err(why) => row.skipped = Some(why),
            }
        }
    }
    for row in &mut rows {
        // What failed later is not a fair figure.
        row.median = if row.skipped.is_none() { median(&row.rates) } else { None };
    }
    let first = rows.first().and_then(|row| row.median);
    for row in &mut rows {
        row.ratio = first.zip(row.median).map(|(first, median)| first / median);
    }
    rows
}

/// The middle value; of an even number, the mean of the two.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        even if even.is_multiple_of(2) => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
        _ => Some(sorted[middle]),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn turns_alternate_and_who_fails_is_left_out() {
        let order = RefCell::new(String::new());
        let turn = |name: char, result: Result<f64, &'static str>| -> (String, bool, Turn<'_>) {
            let order = &order;
            let take = move || {
                order.borrow_mut().push(name);
                result.map(|rate| (rate, None)).map_err(str::to_owned)
            };
            (name.to_string(), name == 'a', Box::new(take))
        };
        let rows = alternate(2, "test", vec![turn('a', Ok(6.0)), turn('b', Err("why")), turn('c', Ok(2.0))]);
        assert_eq!(*order.borrow(), "abcca");
        let ratios: Vec<_> = rows.iter().map(|row| row.ratio).collect();
        assert_eq!(ratios, [Some(1.0), None, Some(3.0)]);
        assert_eq!(rows[1].skipped.as_deref(), Some("why"));
        assert_eq!(rows[2].rates, [2.0, 2.0]);
    }
}
