//! A run through the library: what its state folder is, and with a broker from its beginning to its end.

use super::*;
use crate::feed::SourceSpec;
use crate::generate::GenerateOptions;
use tick_sdk::names::RunId;

/// A market that is played into a feed of its own, with its state in `folder`.
fn plan(folder: &tempfile::TempDir, broker: &str) -> IngestPlan {
    let market = SourceSpec::Generated(GenerateOptions { ticks: 50_000, ..GenerateOptions::default() });
    let feed = format!("t{}", RunId::random()).parse().expect("a name");
    IngestPlan {
        state: folder.path().join("state"),
        ..IngestPlan::new(feed, vec![broker.parse().expect("a URL")], vec![market])
    }
}

#[test]
fn a_run_is_prepared_without_a_broker_and_has_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(&folder, "amqp://127.0.0.1:1");
    let prepared = prepare(&plan).unwrap();
    assert!(!prepared.is_resumed());
    let refused = prepare(&plan).err().expect("the folder is in use");
    assert!(matches!(refused, IngestError::State(StateError::InUse { .. })), "{refused}");
    let run = prepared.run_id();
    drop(prepared);
    let resumed = IngestPlan { begin: Begin::Resume(run), ..plan };
    let refused = prepare(&resumed).err().expect("nothing was published of it");
    assert!(matches!(refused, IngestError::State(StateError::NoRun { .. })), "{refused}");
    assert!(!refused.is_usage());
    assert_eq!(recorded(&resumed.state).unwrap(), None);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_cancelled_run_is_resumed_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let broker = std::env::var("ORCHARD_TEST_AMQP").expect("scripts/test sets it");
    let plan = plan(&folder, &broker);
    let cancellation = Cancellation::default();
    let mut begun = None;
    let outcome = run(&plan, &cancellation, |event| {
        if let IngestEvent::RunBegins { run } = event {
            begun = Some(run);
            cancellation.cancel();
        }
    });
    let cancelled = outcome.unwrap();
    assert_eq!(begun, Some(cancelled.run));
    assert_eq!(cancelled.end, IngestEnd::Cancelled);
    let of_run =
        |has_ended| Some(RecordedRun { run: cancelled.run, has_ended, strategies: Vec::new(), shards: 1 });
    assert_eq!(recorded(&plan.state).unwrap(), of_run(false));

    let resumed = IngestPlan { begin: Begin::Resume(cancelled.run), ..plan };
    let outcome = run(&resumed, &Cancellation::default(), |_| {}).unwrap();
    assert_eq!(outcome.run, cancelled.run);
    assert_eq!(outcome.end, IngestEnd::RunEnded);
    assert!(outcome.snapshot.published() >= 50_000, "{}", outcome.snapshot.published());
    assert_eq!(recorded(&resumed.state).unwrap(), of_run(true));
    let again = run(&resumed, &Cancellation::default(), |_| {}).unwrap_err();
    assert!(matches!(again, IngestError::State(StateError::RunHasEnded { .. })), "{again}");
}
