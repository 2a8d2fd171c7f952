//! Runs the cases of a set beside each other: those that wait for a timeout bound the whole.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::outcome::{Decision, Set};

/// Cases at once that take no time of their own: so many that each has its answers soon.
const BESIDE: usize = 6;
/// Cases that waited for so long run beside all others.
const WAITS_MS: u64 = 1500;
/// No case may hang.
const LONGEST: Duration = Duration::from_secs(200);

/// Runs each case, and prints what came of them all. A case that differs is replayed once more when the others are done: on a
/// busy machine a moment that was recorded may be missed.
pub(crate) fn run<F>(
    name: &'static str,
    decisions: &'static [Decision],
    cases: Vec<(String, Json)>,
    replay: impl Fn(Json) -> F,
) where
    F: Future<Output = Vec<String>> + Send + 'static,
{
    let only = std::env::var("SIGNALR_CASE").unwrap_or_default();
    let cases: BTreeMap<_, _> = cases.into_iter().filter(|(name, _)| name.contains(&only)).collect();
    let count = cases.len();
    let mut set = Set::new(name, decisions);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut running = replay_all(&cases, &replay);
        let mut again = Vec::new();
        while let Some(ended) = running.join_next().await {
            let (name, differences) = ended.expect("a case does not panic");
            if set.is_different(&name, &differences) {
                again.push(name);
            } else {
                set.case(&name, &differences);
            }
        }
        for name in again {
            let differences = within_limit(replay(cases[&name].clone())).await;
            set.again(&name);
            set.case(&name, &differences);
        }
    });
    set.finish(count);
}

/// Begins all cases.
fn replay_all<F>(
    cases: &BTreeMap<String, Json>,
    replay: &impl Fn(Json) -> F,
) -> JoinSet<(String, Vec<String>)>
where
    F: Future<Output = Vec<String>> + Send + 'static,
{
    let mut running = JoinSet::new();
    let short = Arc::new(Semaphore::new(BESIDE));
    for (name, case) in cases {
        let turn = (duration_ms(case) < WAITS_MS).then(|| short.clone());
        let (name, replayed) = (name.clone(), replay(case.clone()));
        running.spawn(async move {
            let _turn = match turn {
                Some(short) => Some(short.acquire_owned().await.expect("it is never closed")),
                None => None,
            };
            (name, within_limit(replayed).await)
        });
    }
    running
}

async fn within_limit(replayed: impl Future<Output = Vec<String>>) -> Vec<String> {
    let ended = tokio::time::timeout(LONGEST, replayed).await;
    ended.unwrap_or_else(|_| vec!["it does not end".to_owned()])
}

/// The last moment that was recorded.
pub(crate) fn duration_ms(case: &Json) -> u64 {
    let lists = ["log", "received", "exchanges"].into_iter().flat_map(|list| crate::data::list(&case[list]));
    let last = lists.filter_map(|entry| entry["t"].as_u64()).max().unwrap_or(0);
    let waited =
        crate::data::list(&case["received"]).iter().filter_map(|entry| entry["waitedMs"].as_u64()).max();
    let noted = crate::data::list(&case["sent"]).iter().filter_map(pause_ms).sum();
    last.max(waited.unwrap_or(0)).max(noted)
}

/// The pause that a note among what was sent asks for: "14 s later", "… 500 ms later".
pub(crate) fn pause_ms(entry: &Json) -> Option<u64> {
    let mut words = entry["note"].as_str()?.strip_suffix(" later")?.rsplit(' ');
    let unit = match words.next()? {
        "s" => 1000,
        "ms" => 1,
        _ => return None,
    };
    words.next()?.parse().ok().map(|number: u64| number * unit)
}
