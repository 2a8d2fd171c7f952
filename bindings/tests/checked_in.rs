//! The files in `examples/dotnet` are what is generated now.

use std::path::Path;

#[test]
fn the_example_has_what_is_generated() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/dotnet");
    for file in bindings::csharp() {
        let found = std::fs::read_to_string(folder.join(file.name)).unwrap_or_default();
        let differs = found.lines().zip(file.text.lines()).position(|(found, fresh)| found != fresh);
        assert!(
            found == file.text,
            "examples/dotnet/{} differs from what is generated (line {}). Renew it:\n  \
             cargo run --features services -- contracts --csharp --out examples/dotnet",
            file.name,
            differs.map_or(found.lines().count().min(file.text.lines().count()), |line| line) + 1,
        );
    }
}
