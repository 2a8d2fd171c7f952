//! The files in `examples/dotnet` and `dashboard/src/generated` are what is generated now.

use std::path::Path;

use bindings::Generated;

#[test]
fn the_example_has_what_is_generated() {
    for file in bindings::csharp() {
        check("examples/dotnet", &file, "--csharp --out examples/dotnet");
    }
}

#[test]
fn the_dashboard_has_what_is_generated() {
    let folder = "dashboard/src/generated";
    check(folder, &bindings::typescript(), "--typescript --out dashboard/src/generated/orchard.ts");
}

fn check(folder: &str, file: &Generated, renew: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder).join(file.name);
    let found = std::fs::read_to_string(path).unwrap_or_default();
    let differs = found.lines().zip(file.text.lines()).position(|(found, fresh)| found != fresh);
    assert!(
        found == file.text,
        "{folder}/{} differs from what is generated (line {}). Renew it:\n  \
         cargo run --features services -- contracts {renew}",
        file.name,
        differs.map_or(found.lines().count().min(file.text.lines().count()), |line| line) + 1,
    );
}
