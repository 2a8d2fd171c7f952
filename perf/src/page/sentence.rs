//! The result in one sentence.

use crate::outcome::{Outcome, Stage, Step};
use crate::units;

/// Such as `28.4 million ticks/s into each strategy, p99 4.40 ms from due to signal`.
pub(super) fn of(outcome: &Outcome) -> String {
    if let Some(knee) = &outcome.knee {
        let refused = match knee.refused {
            Some(refused) if knee.carried == 0.0 => {
                return format!("Not even {} ticks/s are carried", in_words(refused));
            }
            Some(refused) => format!("; {} is too much", in_words(refused)),
            None => "; the limit is higher".to_owned(),
        };
        let (carried, p99) = (in_words(knee.carried), units::time(knee.p99));
        return format!("{carried} ticks/s are carried with p99 {p99} from due to signal{refused}");
    }
    if let Some(text) = of_varied(outcome) {
        return text;
    }
    let rate = |step: &&Step| (step.totals.ticks_per_s, step.totals.messages_per_s);
    let best = outcome
        .steps
        .iter()
        .max_by(|a, b| rate(a).partial_cmp(&rate(b)).unwrap_or(std::cmp::Ordering::Equal));
    let Some(step) = best else { return "Nothing was measured".to_owned() };
    let at_most = if outcome.steps.len() > 1 { "At most " } else { "" };
    let late = match counting_stage(step) {
        Some(stage) => format!(", p99 {} from due to {}", units::time(stage.p99), stage.name),
        None => String::new(),
    };
    format!("{at_most}{}{late}", throughput(step))
}

/// Where an option was varied: what it was from and to, and the least and the most that was achieved.
fn of_varied(outcome: &Outcome) -> Option<String> {
    let named = outcome.steps.iter().map(|step| step.name.rsplit_once(' '));
    let named: Vec<(&str, u64)> = named
        .map(|name| name.and_then(|(option, value)| Some((option, value.parse().ok()?))))
        .collect::<Option<_>>()?;
    let (option, _) = *named.first().filter(|_| named.len() > 1)?;
    if named.iter().any(|(other, _)| *other != option) {
        return None;
    }
    let values = || named.iter().map(|(_, value)| *value);
    let by_rate = |step: &&Step| (step.totals.ticks_per_s, step.totals.messages_per_s);
    let order =
        |a: &&Step, b: &&Step| by_rate(a).partial_cmp(&by_rate(b)).unwrap_or(std::cmp::Ordering::Equal);
    let least = outcome.steps.iter().min_by(order)?;
    let most = outcome.steps.iter().max_by(order)?;
    Some(format!(
        "{option} from {} to {}: from {} to {}",
        values().min()?,
        values().max()?,
        in_words(if least.totals.ticks_per_s > 0.0 {
            least.totals.ticks_per_s
        } else {
            least.totals.messages_per_s
        }),
        throughput(most)
    ))
}

fn throughput(step: &Step) -> String {
    let totals = &step.totals;
    if totals.ticks_per_s <= 0.0 {
        format!("{} messages/s, {}/s", in_words(totals.messages_per_s), units::bytes(totals.bytes_per_s))
    } else if totals.consumed > 0 {
        format!("{} ticks/s into each strategy", in_words(totals.ticks_per_s))
    } else {
        format!("{} ticks/s", in_words(totals.ticks_per_s))
    }
}

/// The stage whose p99 counts: the signal, or the last point that ticks reached.
fn counting_stage(step: &Step) -> Option<&Stage> {
    let mut reached = step.stages.iter().filter(|stage| stage.count > 0);
    reached.clone().find(|stage| stage.name == "signal").or_else(|| reached.next_back())
}

/// A rate with its power of a thousand spelt out.
fn in_words(rate: f64) -> String {
    let text = units::rate(rate);
    let (number, unit) = text.split_once(' ').unwrap_or((&text, ""));
    // Rates that were asked for are round: `3 million`, not `3.00`.
    let number =
        if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    match unit {
        "k" => format!("{number} thousand"),
        "M" => format!("{number} million"),
        "G" => format!("{number} billion"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Knee, Totals};

    fn one(totals: Totals, stages: &[(&str, u64)]) -> Outcome {
        let stage = |(name, p99): &(&str, u64)| Stage {
            name: (*name).to_owned(),
            count: 1,
            p99: *p99,
            ..Stage::default()
        };
        let step = Step { totals, stages: stages.iter().map(stage).collect(), ..Step::default() };
        Outcome { steps: vec![step], ..Outcome::default() }
    }

    #[test]
    fn what_counts_is_said_first() {
        let ticks = Totals { ticks_per_s: 28.4e6, consumed: 1, ..Totals::default() };
        let outcome = one(ticks, &[("sent", 1), ("signal", 4_400_000), ("committed", 9)]);
        assert_eq!(of(&outcome), "28.4 million ticks/s into each strategy, p99 4.40 ms from due to signal");
        let messages = Totals { messages_per_s: 2_500.0, bytes_per_s: 1e6, ..Totals::default() };
        let outcome = one(messages, &[("sent", 2_000), ("confirmed", 3_000)]);
        assert_eq!(of(&outcome), "2.5 thousand messages/s, 1.00 MB/s, p99 3.00 µs from due to confirmed");
        assert_eq!(of(&Outcome::default()), "Nothing was measured");
    }

    #[test]
    fn what_was_varied_is_named() {
        let step = |name: &str, ticks_per_s| {
            let totals = Totals { ticks_per_s, consumed: 1, ..Totals::default() };
            Step { name: name.to_owned(), totals, ..Step::default() }
        };
        let steps = vec![step("instruments 1", 28.4e6), step("instruments 10000", 21e6)];
        let mut outcome = Outcome { steps, ..Outcome::default() };
        let text = "instruments from 1 to 10000: from 21 million to 28.4 million ticks/s into each strategy";
        assert_eq!(of(&outcome), text);
        outcome.steps[1].name = "shards 4".to_owned();
        assert!(of(&outcome).starts_with("At most 28.4 million"), "{}", of(&outcome));
    }

    #[test]
    fn a_knee_is_the_result() {
        let knee = |refused| Some(Knee { carried: 3e6, p99: 12_000_000, refused });
        let mut outcome = Outcome { knee: knee(Some(4e6)), ..Outcome::default() };
        assert_eq!(
            of(&outcome),
            "3 million ticks/s are carried with p99 12.0 ms from due to signal; 4 million is too much"
        );
        let nothing = Knee { carried: 0.0, p99: 0, refused: Some(2e3) };
        outcome.knee = Some(nothing);
        assert_eq!(of(&outcome), "Not even 2 thousand ticks/s are carried");
        outcome.knee = knee(None);
        assert!(of(&outcome).ends_with("; the limit is higher"));
    }
}
