//! Clients that create users by several gateways: each command under a key of its own, and again under it, at another
//! gateway, until one has answered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::count::wait_until;
use crate::http::{Answer, try_send};

/// A client asks again after so long.
const AGAIN: Duration = Duration::from_millis(20);
/// The answer to a command comes within this time, whatever is killed or blocked.
const LONGEST: Duration = Duration::from_secs(120);

/// What clients share.
pub(crate) struct Load {
    /// Where each gateway is; nowhere, while it is away.
    gateways: Mutex<Vec<Option<String>>>,
    /// Between one command and the next.
    period: Duration,
    stopping: AtomicBool,
    next: AtomicU64,
    /// How often a command was sent again.
    pub(crate) repeated: AtomicU64,
    /// How often it was refused for now.
    pub(crate) refused: AtomicU64,
    /// Commands that were answered 202, and the number of each.
    pub(crate) accepted: Mutex<BTreeMap<String, u64>>,
}

/// Clients at work.
pub(crate) struct Clients {
    load: Arc<Load>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// So many commands a second, as far as the gateways keep up with them.
    pub(crate) fn new(gateways: usize, per_second: u32) -> Arc<Self> {
        Arc::new(Self {
            gateways: Mutex::new(vec![None; gateways]),
            period: Duration::from_secs(1) / per_second,
            stopping: AtomicBool::new(false),
            next: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            accepted: Mutex::default(),
        })
    }

    /// Where a gateway is from now on.
    pub(crate) fn moved(&self, number: usize, host: &str) {
        self.gateways.lock().unwrap()[number] = Some(host.to_owned());
    }

    /// Starts so many clients.
    pub(crate) fn start(self: &Arc<Self>, clients: usize) -> Clients {
        let begun = Instant::now();
        let client = |_| {
            let load = self.clone();
            std::thread::spawn(move || load.send_all(begun))
        };
        Clients { load: self.clone(), threads: (0..clients).map(client).collect() }
    }

    fn send_all(&self, begun: Instant) {
        while !self.stopping.load(Ordering::Acquire) {
            let number = self.next.fetch_add(1, Ordering::AcqRel);
            let due = begun + self.period * u32::try_from(number).unwrap();
            // The pace of the load.
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            self.insist(number);
        }
    }

    /// Sends a command until it is answered.
    fn insist(&self, number: u64) {
        let until = Instant::now() + LONGEST;
        for attempt in 0.. {
            let host = {
                let gateways = self.gateways.lock().unwrap();
                gateways[(number + attempt) as usize % gateways.len()].clone()
            };
            let answer = host.and_then(|host| try_create(&host, number).ok());
            match answer {
                Some(answer) if answer.status == 202 => {
                    let id = command_id(&answer);
                    self.accepted.lock().unwrap().insert(id, number);
                    return;
                }
                Some(answer) => {
                    assert_eq!(answer.status, 503, "{}", answer.text());
                    let seconds = answer.header("retry-after").and_then(|text| text.parse::<u32>().ok());
                    assert!(seconds.is_some_and(|seconds| (1..=60).contains(&seconds)), "{}", answer.text());
                    self.refused.fetch_add(1, Ordering::AcqRel);
                }
                None => {}
            }
            self.repeated.fetch_add(1, Ordering::AcqRel);
            assert!(Instant::now() < until, "command {number} is not answered");
            std::thread::sleep(AGAIN);
        }
    }
}

impl Clients {
    /// Each client ends with the answer to what it has sent.
    pub(crate) fn stop(self) {
        self.load.stopping.store(true, Ordering::Release);
        for thread in self.threads {
            thread.join().unwrap();
        }
    }
}

/// Asks a gateway for a user, once.
///
/// # Errors
/// What became of it is not known.
pub(crate) fn try_create(host: &str, number: u64) -> std::io::Result<Answer> {
    let body = json!({ "email": format!("user{number}@example.org"), "name": "Ann" }).to_string();
    let key = format!("key {number}");
    let headers = [("content-type", "application/json"), ("idempotency-key", &*key)];
    try_send(host, "POST", "/api/users", &headers, body.as_bytes())
}

/// Asks a gateway for a user until it is accepted; gives the command. A gateway that has just started may not have
/// reached the broker yet.
pub(crate) fn create(host: &str, number: u64) -> String {
    let mut answer = try_create(host, number).unwrap();
    wait_until("the command is accepted", || {
        if answer.status == 503 {
            answer = try_create(host, number).unwrap();
        }
        answer.status != 503
    });
    command_id(&answer)
}

/// The command of an answer.
pub(crate) fn command_id(answer: &Answer) -> String {
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json()["commandId"].as_str().unwrap().to_owned()
}
