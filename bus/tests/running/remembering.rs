//! Ended commands are remembered for a time, and only so many of them.

use bus::{Retention, Store};
use tick_sdk::contracts::bus::CommandsForgotten;

use super::*;

#[tokio::test]
async fn of_too_many_ended_commands_the_oldest_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let bus = started(folder.path(), &Gate::default());
    let mut ids = Vec::new();
    for number in 0..30 {
        ids.push(sent(&bus, &Put { number, fill: 0 }).await);
        completed(&bus, "run", ids[number as usize]);
        // The next ends in a later millisecond.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(bus.stop(PATIENCE));
    drop(bus);

    let store = Arc::new(open(folder.path(), "run"));
    let retention = Retention { most: 10, ..Retention::default() };
    let bus = Bus::builder().shared_context("run", store.clone()).resource(Gate::default());
    let bus = bus.retention(retention).start().unwrap();
    let forgotten = wait_for(&bus, "run", |event| {
        (event.name == CommandsForgotten::NAME)
            .then(|| serde_json::from_str::<CommandsForgotten>(&event.body))
    });
    assert_eq!(forgotten.unwrap().command_ids, ids[..20]);
    let is_known: Vec<_> = ids.iter().map(|id| store.state(*id).unwrap().is_some()).collect();
    assert_eq!(is_known, [[false; 20].as_slice(), &[true; 10]].concat());
    assert!(bus.stop(PATIENCE));
}
