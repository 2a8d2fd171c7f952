//! The clients in `dashboard/src/generated` are what is generated now.

use std::path::Path;

/// Set, the test writes the files instead of comparing them.
const WRITE: &str = "ORCHARD_WRITE_GENERATED";

#[test]
fn the_dashboard_has_the_clients_that_are_generated() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dashboard/src/generated");
    for (name, text) in gateway::hubs::typescript() {
        let place = folder.join(name);
        if std::env::var_os(WRITE).is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&place, &text).unwrap();
        }
        let found = std::fs::read_to_string(&place).unwrap_or_default();
        let differs = found.lines().zip(text.lines()).position(|(found, fresh)| found != fresh);
        assert!(
            found == text,
            "dashboard/src/generated/{name} differs from what is generated (line {}). Renew it:\n  \
             {WRITE}=1 cargo test -p gateway --test hubs generated",
            differs.map_or(found.lines().count().min(text.lines().count()), |line| line) + 1,
        );
    }
}
