//! A replay that was asked for as a [`ReplayPlan`], in the words of `orchard replay`.

use std::path::PathBuf;

use strategy_host::host::Instance;
use strategy_host::paper::{BasisPoints, Capital, Fill, PaperRules};
use tick_ingest::replays::{Captures, InvalidReplay, ReplaySources, named_strategy};
use tick_sdk::contracts::strategies::StrategySpec;
use tick_sdk::contracts::ticks::StartReplay;

use crate::replay::ReplayPlan;

/// What a worker plays: the plan as it is recorded, with a ledger in this folder.
///
/// # Errors
/// What was refused when it was asked for, where that has changed since: a file that is gone, for example.
pub(super) fn replay_plan(
    plan: &StartReplay,
    captures: &Captures,
    ledger: PathBuf,
) -> Result<ReplayPlan, InvalidReplay> {
    let sources = ReplaySources::of(plan, captures)?;
    let strategies = plan.strategies.iter().map(instance).collect::<Result<Vec<_>, _>>()?;
    Ok(ReplayPlan {
        read: sources.read,
        selection: sources.selection,
        groups: sources.groups_text,
        account: paper_rules(plan).map_err(InvalidReplay::Account)?,
        capital: capital(plan).map_err(InvalidReplay::Account)?.map(|capital| capital.amount),
        pace: sources.pace,
        ledger: Some(ledger),
        ..ReplayPlan::new(sources.sources, strategies)
    })
}

fn instance(spec: &StrategySpec) -> Result<Instance, InvalidReplay> {
    let (name, configured) = named_strategy(spec)?;
    Ok(Instance { name, configured })
}

/// Checks fill, slippage, fee and capital of a plan, for whoever accepts it.
pub(super) fn check_account(plan: &StartReplay) -> Result<(), String> {
    paper_rules(plan)?;
    capital(plan).map(drop)
}

fn paper_rules(plan: &StartReplay) -> Result<PaperRules, String> {
    Ok(PaperRules {
        fill: plan.fill.as_deref().map_or(Ok(Fill::default()), fill)?,
        slippage_bp: basis_points("slippage", plan.slippage.as_deref())?,
        fee_bp: basis_points("fee", plan.fee.as_deref())?,
    })
}

fn fill(text: &str) -> Result<Fill, String> {
    let fill = [Fill::Signal, Fill::Cross].into_iter().find(|fill| fill.name() == text);
    fill.ok_or_else(|| format!("fill {text:?}: write signal or cross"))
}

fn basis_points(field: &str, text: Option<&str>) -> Result<BasisPoints, String> {
    text.map_or(Ok(BasisPoints::default()), |text| text.parse().map_err(|error| format!("{field} {error}")))
}

fn capital(plan: &StartReplay) -> Result<Option<Capital>, String> {
    plan.capital.as_deref().map(str::parse).transpose().map_err(|error| format!("capital {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_the_rules_of_the_command_line() {
        let text = |text: &str| Some(text.to_owned());
        let plan = StartReplay { fill: text("cross"), slippage: text("0.5"), ..StartReplay::default() };
        let rules = paper_rules(&plan).unwrap();
        assert_eq!((rules.fill, rules.slippage_bp), (Fill::Cross, "0.5".parse().unwrap()));
        assert_eq!(rules.fee_bp, BasisPoints::default());
        for (wrong, reason) in [
            (StartReplay { fill: text("best"), ..plan.clone() }, "fill \"best\": write signal or cross"),
            (StartReplay { fee: text("x"), ..plan.clone() }, "fee \"x\""),
            (StartReplay { slippage: text("10001"), ..plan.clone() }, "slippage \"10001\" is more"),
            (StartReplay { capital: text("0"), ..plan.clone() }, "capital \"0\" is not above 0"),
        ] {
            let error = check_account(&wrong).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
