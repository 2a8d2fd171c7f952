//! The generated client is the one that is checked in, passes the compiler at its strictest, and works.

#[path = "clients/packages.rs"]
mod packages;

#[path = "typescript/chat.rs"]
mod chat;

use std::path::{Path, PathBuf};
use std::process::Command;

use chat::ChatHub;
use packages::{npm, skipped};
use signalr::transports::Endpoint;
use signalr::typescript;
use signalr::{HubServer, Options};

/// The compiler, and the oldest and the newest client that it is used with.
const COMPILER: &str = "typescript@5.9.3";
const CLIENTS: [&str; 2] = ["@microsoft/signalr@8.0.29", "@microsoft/signalr@10.0.11"];

/// All that the compiler can be made to complain about.
const OPTIONS: [&str; 17] = [
    "--strict",
    "--noUnusedLocals",
    "--noUnusedParameters",
    "--noImplicitReturns",
    "--noImplicitOverride",
    "--noFallthroughCasesInSwitch",
    "--noUncheckedIndexedAccess",
    "--noPropertyAccessFromIndexSignature",
    "--exactOptionalPropertyTypes",
    "--verbatimModuleSyntax",
    "--isolatedModules",
    "--erasableSyntaxOnly",
    "--declaration",
    "--target",
    "es2022",
    "--module",
    "nodenext",
];

#[test]
fn it_is_the_one_that_is_checked_in() {
    let checked_in = file("chat.ts");
    let generated = typescript::<ChatHub>();
    if std::fs::read_to_string(&checked_in).is_ok_and(|text| text == generated) {
        return;
    }
    let other = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chat.ts");
    std::fs::write(&other, generated).unwrap();
    panic!("if the change is meant: cp {} {}", other.display(), checked_in.display());
}

#[test]
fn nothing_in_it_is_any() {
    let generated = typescript::<ChatHub>();
    let words = generated.split(|letter: char| !letter.is_alphanumeric());
    let comments =
        generated.lines().filter(|line| line.trim_start().starts_with(['*', '/'])).collect::<String>();
    let in_comments =
        comments.split(|letter: char| !letter.is_alphanumeric()).filter(|word| *word == "any").count();
    assert_eq!(words.filter(|word| *word == "any").count(), in_comments);
}

/// A server with the hub, and a program that uses the generated client.
#[test]
fn it_compiles_at_the_strictest_and_works_and_wrong_uses_do_not_compile() {
    for client in CLIENTS {
        let Some(folder) = compiled(client) else { return };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let address = runtime.block_on(async {
            let hub = HubServer::new(ChatHub::default(), Options::default());
            let endpoint = Endpoint::new(std::sync::Arc::new(hub), Options::default(), chat::everyone);
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let address = listener.local_addr().unwrap();
            let service =
                endpoint.router("/chat").into_make_service_with_connect_info::<std::net::SocketAddr>();
            tokio::spawn(async move { axum::serve(listener, service).await });
            address
        });
        let mut program = Command::new("node");
        let output =
            program.arg(folder.path().join("use.js")).arg(format!("http://{address}/chat")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{client}: {said}{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// A folder with the client and its user, compiled; none where there is no compiler.
fn compiled(client: &str) -> Option<tempfile::TempDir> {
    let packages = npm(
        &format!("typescript-{}", client.replace(['/', '@'], "-")),
        &[COMPILER, client, "@types/node@20"],
    )?;
    if !Command::new("node").arg("--version").output().is_ok_and(|output| output.status.success()) {
        skipped("there is no node");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    put("chat.ts", &typescript::<ChatHub>());
    put("use.ts", &std::fs::read_to_string(file("use.ts")).unwrap());
    put("package.json", "{\"type\":\"module\"}");
    std::os::unix::fs::symlink(packages.join("node_modules"), folder.path().join("node_modules")).unwrap();
    let mut compiler = Command::new("node");
    compiler
        .arg(packages.join("node_modules/typescript/bin/tsc"))
        .args(OPTIONS)
        .arg(folder.path().join("use.ts"));
    let output = compiler.current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{client}: {}", String::from_utf8_lossy(&output.stdout));
    Some(folder)
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/typescript").join(name)
}
