//! Processes that are killed at random, and started again.

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::is_long;
use crate::load::Load;
use crate::place::Place;
use crate::server::Server;

/// Draws by xorshift.
fn draw(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// How many seconds a load lasts, in the short form and in the long one; `ORCHARD_TEST_SECONDS` is instead of either.
#[derive(Clone, Copy)]
pub(crate) struct Lasting {
    pub(crate) short: u64,
    pub(crate) long: u64,
}

impl Lasting {
    fn time(self) -> Duration {
        let usual = if is_long() { self.long } else { self.short };
        let seconds = std::env::var("ORCHARD_TEST_SECONDS").map_or(usual, |text| text.parse().unwrap());
        Duration::from_secs(seconds)
    }
}

fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = std::env::var("ORCHARD_TEST_SEED").map_or(now | 1, |seed| seed.parse().unwrap());
    println!("ORCHARD_TEST_SEED={seed}");
    seed
}

/// One of the processes.
pub(crate) struct Process {
    pub(crate) role: &'static str,
    number: usize,
    /// Nothing, while it is away.
    pub(crate) server: Mutex<Option<Server>>,
}

impl Process {
    /// Where a gateway is.
    pub(crate) fn host(&self) -> String {
        self.server.lock().unwrap().as_ref().unwrap().host().to_owned()
    }
}

/// Starts so many of each role.
pub(crate) fn start_all(place: &Place<'_>, roles: &[(&'static str, usize)]) -> Vec<Process> {
    let all = roles.iter().flat_map(|(role, count)| (0..*count).map(move |number| (*role, number)));
    let start =
        |(role, number)| Process { role, number, server: Mutex::new(Some(place.start(role, number))) };
    all.map(start).collect()
}

/// Kills processes for so long, each of them started again a moment later, while others are killed; how many. All run
/// when this returns.
pub(crate) fn kill_at_random(place: &Place<'_>, processes: &[Process], load: &Load, lasting: Lasting) -> u32 {
    let (mut random, time) = (seed(), lasting.time());
    let begun = Instant::now();
    let mut kills = 0;
    std::thread::scope(|scope| {
        while begun.elapsed() < time {
            // Not synchronisation: any moment will do.
            std::thread::sleep(Duration::from_millis(draw(&mut random) % 1_600));
            let process = &processes[draw(&mut random) as usize % processes.len()];
            let away = Duration::from_millis(draw(&mut random) % 600);
            let Some(server) = process.server.lock().unwrap().take() else { continue };
            server.kill();
            kills += 1;
            scope.spawn(move || {
                std::thread::sleep(away);
                let started = place.start(process.role, process.number);
                if process.role == "gateway" {
                    load.moved(process.number, started.host());
                }
                *process.server.lock().unwrap() = Some(started);
            });
        }
    });
    kills
}
