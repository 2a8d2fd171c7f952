//! `orchard serve` is killed again and again, at any moment and at named points, under a load of commands: each
//! has ended once, replays have the signals of `orchard replay`, and documents made anew are the same.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::server::Server;
use crate::{PROGRAM, assert_same_signals, documents, replayed_file};
use load::Load;

mod count;
mod load;

/// The capture that is replayed: a market of 40 s.
const MARKET: &str = "market.ticks";
/// How a process ends that ends itself at a point.
const SIGABRT: i32 = 6;
/// A point is passed within this time.
const PASSED: Duration = Duration::from_secs(60);

/// Where the server is killed: the context or what else it is in, the point, and how many times it has been passed
/// then. Signals are published while a replay plays, so the third time in `strategies` is in the middle of one.
const POINTS: [&str; 16] = [
    "accounts before-accept 5",
    "accounts after-accept 5",
    "ticks before-accept 1",
    "ticks after-accept 1",
    "accounts before-commit 3",
    "accounts after-commit 3",
    "ticks before-commit 1",
    "ticks after-commit 1",
    "ticks before-publish 2",
    "ticks after-publish 2",
    "strategies before-publish 3",
    "strategies after-publish 3",
    "ticks before-consumed 1",
    "ticks after-consumed 1",
    "documents mid-commit 6",
    "documents after-commit 6",
];

/// Draws by xorshift.
fn draw(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// A state, what can be replayed, and the clients.
struct Scene {
    folder: TempDir,
    load: Arc<Load>,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("captures")).unwrap();
        let scene = Self { folder, load: Arc::default() };
        let generated = std::process::Command::new(PROGRAM)
            .arg("generate")
            .arg(scene.market())
            .args(["--ticks", "20K", "--instruments", "3"])
            .output()
            .unwrap();
        assert!(generated.status.success(), "{}", String::from_utf8_lossy(&generated.stderr));
        scene
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn market(&self) -> PathBuf {
        self.folder.path().join("captures").join(MARKET)
    }

    fn command(&self) -> std::process::Command {
        let mut command = Server::command(&self.folder.path().join("captures"), &self.state());
        command.args(["--replays", "2"]);
        command
    }

    /// Starts it, and tells the clients where it is.
    fn start(&self) -> Server {
        let server = Server::launch(&mut self.command()).unwrap_or_else(|said| panic!("{said:?}"));
        self.load.moved(server.host());
        server
    }

    /// Waits for the end of every command, and counts; then makes the documents anew. Gives how often replays
    /// were resumed.
    fn check(&self, server: Server) -> u64 {
        let accepted = std::mem::take(&mut *self.load.accepted.lock().unwrap());
        let lost = self.load.lost.load(Ordering::Acquire);
        println!("{} commands were answered, {lost} answers were lost", accepted.len());
        count::check_status(&server, &accepted);
        documents::wait_at_head(&server);
        let resumed = self.check_signals(&server);
        server.kill();
        let copy = self.folder.path().join("copy");
        documents::copy_state(&self.state(), &copy);
        count::check_logs(&copy, &accepted);
        let server = Server::launch(self.command().arg("--rebuild")).unwrap();
        server.wait_said("Rebuilt");
        server.stop();
        documents::assert_same_documents(&copy, &self.state());
        resumed
    }

    /// Every replay that was completed has the signals of `orchard replay`, one that was cancelled their beginning.
    fn check_signals(&self, server: &Server) -> u64 {
        let (_, expected) = replayed_file(self.folder.path(), self.market().to_str().unwrap());
        let replays = server.get("/api/replays?limit=1000").json();
        assert!(replays["next"].is_null(), "more replays than are looked at");
        let mut resumed = 0;
        let mut completed = 0;
        for replay in replays["items"].as_array().unwrap() {
            resumed += replay["resumed"].as_u64().unwrap();
            if replay["state"] == "completed" {
                let run = replay["run"].as_str().unwrap();
                let csv = server.get_csv(&format!("/api/signals?run={run}"));
                assert_same_signals(&csv, &expected, run);
                completed += 1;
            }
        }
        assert!(completed > 0, "no replay was completed");
        println!("{completed} replays were completed, and resumed {resumed} times");
        resumed
    }
}

#[test]
fn every_command_ends_once_whenever_the_server_is_killed() {
    let is_long = std::env::var_os("ORCHARD_TEST_LONG").is_some();
    let kills = if is_long { 200 } else { 20 };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed =
        std::env::var("ORCHARD_TEST_SEED").map_or(now.as_nanos() as u64 | 1, |seed| seed.parse().unwrap());
    println!("ORCHARD_TEST_SEED={seed}");
    let mut random = seed;
    let scene = Scene::new();
    let mut server = scene.start();
    let clients = scene.load.start();
    for kill in 0..kills {
        // Not synchronisation: any moment will do.
        std::thread::sleep(Duration::from_millis(draw(&mut random) % 1_200));
        server.kill();
        if kill % 4 == 3 {
            kill_while_starting(&scene, Duration::from_micros(draw(&mut random) % 200_000));
        }
        server = scene.start();
    }
    clients.stop();
    scene.check(server);
}

/// Starts it and kills it so long after, whether it serves by then or not.
fn kill_while_starting(scene: &Scene, after: Duration) {
    let begun = Instant::now();
    let mut command = scene.command();
    // Nobody reads what it says.
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    std::thread::sleep(after.saturating_sub(begun.elapsed()));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn every_command_ends_once_wherever_the_server_is_killed() {
    let scene = Scene::new();
    let mut server = scene.start();
    let clients = scene.load.start();
    for point in POINTS {
        server.kill();
        // It may come there before it serves, as it goes on where it was.
        match Server::launch(scene.command().env("ORCHARD_KILL_AT", point)) {
            Ok(mut armed) => {
                scene.load.moved(armed.host());
                assert_eq!(armed.wait_killed(PASSED), Some(SIGABRT), "{point}");
            }
            Err(said) => assert!(said.iter().any(|line| line.starts_with("killed:")), "{point}: {said:?}"),
        }
        server = scene.start();
    }
    clients.stop();
    assert!(scene.check(server) > 0, "no replay was in the middle when the server was killed");
}
