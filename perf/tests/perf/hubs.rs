//! `hubs`: every update that is offered comes to the clients, ours and the limit's, and those that never read disturb nobody.

use crate::measured::expect_about;
use crate::program::Folder;

#[test]
fn all_updates_come_to_all_clients_that_read() {
    let load = ["hubs", "--duration", "1s", "--load", "20,50,5", "--load", "20,50,0,5", "--idle", "20"];
    let rows = Folder::new().json(&load);
    let number = |row: usize, name: &str| {
        rows[row][name].as_f64().unwrap_or_else(|| panic!("{name} is not in row {row} of {rows}"))
    };
    assert_eq!(rows.as_array().map(Vec::len), Some(3));
    expect_about("updates", number(0, "updates_per_s"), 1_000.0);
    expect_about("updates of who reads", number(1, "updates_per_s"), 750.0);
    assert_eq!((number(1, "stalled"), number(0, "window_ms")), (5.0, 5.0));
    for name in ["p99_ms", "hubserve_p99_ms"] {
        assert!(number(0, name) > 0.0, "{rows}");
    }
    assert_eq!(number(2, "connections"), 20.0);
    number(2, "idle_kib");
}

#[test]
fn a_load_that_cannot_be_is_refused() {
    Folder::new().fails(2, &["hubs", "--load", "1,1,1,2"], &["1,1,1,2 is not CONNECTIONS,RATE,MS"]);
}
