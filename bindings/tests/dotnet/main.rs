//! The generated C# as a .NET team uses it: compiled, and in a service with MassTransit.
//!
//! The compiler and the service are a program of their own, which a clone of this repository does not have:
//! ORCHARD_DOTNET_PEER is the path to what starts it, else it is looked for beside the checkout. Where there is none these
//! tests are skipped.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

mod service;

use service::{Service, Vhost};

/// The program that starts .NET peers; none where there is none, which is said.
fn peer() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/peers/run");
    let named = std::env::var_os("ORCHARD_DOTNET_PEER");
    let program =
        named.map_or_else(|| Some(beside).filter(|program| program.exists()), |named| Some(named.into()));
    let program = program.filter(|program| !program.as_os_str().is_empty());
    if program.is_none() {
        skipped("no .NET peer at ../shared/peers/run, and ORCHARD_DOTNET_PEER names none");
    }
    program
}

/// Says why a test is skipped; the harness hides what is printed, and shows what is written.
fn skipped(why: &str) {
    use std::io::Write;
    std::io::stdout().write_all(format!("skipped: {why}\n").as_bytes()).unwrap();
}

/// The generated files in a folder.
fn written(files: &[bindings::Generated]) -> (TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let paths = files.iter().map(|file| {
        let path = folder.path().join(file.name);
        std::fs::write(&path, &file.text).unwrap();
        path
    });
    let paths = paths.collect();
    (folder, paths)
}

#[test]
fn it_compiles_without_a_warning() {
    let Some(program) = peer() else { return };
    let both = bindings::csharp();
    for files in [&both[..], &both[..1], &[bindings::csharp_in_one_file()]] {
        let (_folder, paths) = written(files);
        let output = Command::new(&program).args(["dotnet-peer", "compile"]).args(&paths).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("warning") && !said.contains("error"), "{said}");
        let compiled = String::from_utf8_lossy(&output.stdout);
        assert!(compiled.contains("\"Orchard.Contracts.CreateUser\""), "{compiled}");
    }
}

/// The example's own program is compiled too, as its project file would.
#[test]
fn the_example_compiles() {
    let Some(program) = peer() else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/dotnet");
    let files = ["Contracts.cs", "OrchardApi.cs", "Program.cs"].map(|name| folder.join(name));
    let output = Command::new(&program).args(["dotnet-peer", "compile"]).args(&files).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("warning"), "{said}");
}

/// A command by its endpoint's exchange, the event that comes of it by its type and by the marker, and a request.
#[test]
#[ignore = "needs servers: run scripts/test"]
fn masstransit_takes_the_contracts() {
    let Some(program) = peer() else { return };
    let (_folder, paths) = written(&bindings::csharp()[..1]);
    let vhost = Vhost::new("bindings");
    let handlers = [
        ["--handle", "CreateUser@accounts=publish:UserCreated"],
        ["--handle", "GetCommand@commands=respond:CommandNotFound"],
        ["--consume", "UserCreated@by-type"],
        ["--consume", "IEvent@by-marker"],
    ];
    let mut service = Service::start(&program, &vhost.url(), &paths[0], &handlers);
    let id = "0197f0aa-0000-7000-8000-000000000001";
    let message = json!({ "commandId": id, "email": "zoe@example.com", "name": "Zoë" });
    service.say(&json!({ "id": 1, "send": "CreateUser", "to": "exchange:accounts", "message": message }));
    for endpoint in ["by-type", "by-marker"] {
        let consumed = service.next(|line| line["consumed"].is_string() && line["endpoint"] == endpoint);
        assert_eq!(
            (&consumed["correlationId"], &consumed["initiatorId"]),
            (&json!(id), &json!(id)),
            "{consumed}"
        );
    }
    let ask = json!({
        "id": 2, "request": "GetCommand", "to": "exchange:commands", "answers": ["CommandFound", "CommandNotFound"],
        "timeout": 30, "message": { "commandId": id },
    });
    service.say(&ask);
    let answer = service.next(|line| line["id"] == 2);
    assert_eq!(answer["answer"], "Orchard.Contracts.CommandNotFound", "{answer}");
    assert_eq!(answer["message"]["commandId"], id, "{answer}");
}
