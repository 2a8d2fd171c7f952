//! Clients that send commands as real ones do: each under a key of its own, and again under it until answered.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::draw;
use crate::http::{Answer, try_send};

/// A command is sent so often: 50 a second.
const PERIOD: Duration = Duration::from_millis(20);
/// So many send at the same time.
const CLIENTS: usize = 8;
/// A client asks again after so long.
const AGAIN: Duration = Duration::from_millis(10);
/// The answer to a command comes within this time, however often the server is killed.
const LONGEST: Duration = Duration::from_secs(60);

/// What must become of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Completed,
    /// With a reason that has this in it.
    Failed(&'static str),
    /// A replay: completed, or cancelled where somebody wished so.
    Played,
    /// It depends on what was carried out before it: completed, or failed with a reason.
    Any,
}

/// What a client asks for.
struct Wish {
    method: &'static str,
    path: String,
    body: Value,
    fate: Fate,
}

/// What clients share.
#[derive(Default)]
pub(super) struct Load {
    host: Mutex<String>,
    stopping: AtomicBool,
    next: AtomicU64,
    /// Answers that did not come.
    pub(super) lost: AtomicU64,
    /// Commands that were answered, and what must become of them.
    pub(super) accepted: Mutex<BTreeMap<String, Fate>>,
    users: Mutex<Vec<(String, String)>>,
    replays: Mutex<Vec<String>>,
    deployments: Mutex<Vec<String>>,
}

/// Clients at work.
pub(super) struct Clients {
    load: Arc<Load>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Where the server is from now on.
    pub(super) fn moved(&self, host: &str) {
        host.clone_into(&mut self.host.lock().unwrap());
    }

    pub(super) fn start(self: &Arc<Self>) -> Clients {
        let begun = Instant::now();
        let client = |_| {
            let load = self.clone();
            std::thread::spawn(move || load.send_all(begun))
        };
        Clients { load: self.clone(), threads: (0..CLIENTS).map(client).collect() }
    }

    fn send_all(&self, begun: Instant) {
        while !self.stopping.load(Ordering::Acquire) {
            let number = self.next.fetch_add(1, Ordering::AcqRel);
            let due = begun + PERIOD * u32::try_from(number).unwrap();
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            self.carry_out(number);
        }
    }

    /// Sends one command; each thirteenth without a key, once. Now and then one is sent again that was answered,
    /// and one whose key another had.
    fn carry_out(&self, number: u64) {
        let wish = self.wish(number);
        if number % 13 == 12 {
            if let Some(answer) = self.try_once(&wish, None) {
                self.note(&wish, &answer);
            }
            return;
        }
        let key = format!("key {number}");
        let answer = self.insist(&wish, &key);
        let id = self.note(&wish, &answer);
        if number % 7 == 3 {
            assert_eq!(command_id(&self.insist(&wish, &key)), id, "the same key has another command");
        }
        if number % 31 == 5 {
            let other = Wish { method: "POST", path: "/api/users".to_owned(), ..user("other", "Other") };
            assert_eq!(self.insist(&other, &key).status, 422, "a key was taken for another command");
        }
    }

    /// What command this is the number of. What it is about is drawn among what was answered.
    fn wish(&self, number: u64) -> Wish {
        let mut random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        draw(&mut random);
        let user_path = |(id, _): (String, String)| format!("/api/users/{id}");
        let of_replay = |id: String| format!("/api/replays/{id}/cancel");
        let email = format!("user{number}@example.org");
        match number % 20 {
            4 => replay(None),
            9 => replay(Some(40.0)),
            11 | 16 => match one_of(&self.replays, &mut random) {
                Some(id) => post(of_replay(id), Value::Null, Fate::Any),
                None => post(of_replay(NOBODY.to_owned()), Value::Null, Fate::Failed("there is no replay")),
            },
            2 | 13 => {
                let name = format!("lane{number}");
                let body = json!({ "name": name, "strategy": "apple", "parameters": { "fast": "8" } });
                post("/api/deployments".to_owned(), body, Fate::Completed)
            }
            5 => match one_of(&self.deployments, &mut random) {
                Some(name) => Wish {
                    method: "PATCH",
                    ..post(
                        format!("/api/deployments/{name}"),
                        json!({ "parameters": { "slow": "20" } }),
                        Fate::Any,
                    )
                },
                None => user(&email, "Ann"),
            },
            8 => match one_of(&self.deployments, &mut random) {
                Some(name) => Wish {
                    method: "DELETE",
                    ..post(format!("/api/deployments/{name}"), Value::Null, Fate::Any)
                },
                None => user(&email, "Ann"),
            },
            1 | 10 => match one_of(&self.users, &mut random) {
                Some(user) => {
                    Wish { method: "PATCH", ..post(user_path(user), json!({ "name": "Renamed" }), Fate::Any) }
                }
                None => user(&email, "Ann"),
            },
            14 => match one_of(&self.users, &mut random) {
                Some(user) => Wish { method: "DELETE", ..post(user_path(user), Value::Null, Fate::Any) },
                None => user(&email, "Ann"),
            },
            // Whoever has the address was answered before this is sent.
            7 => match one_of(&self.users, &mut random) {
                Some((_, taken)) => Wish {
                    fate: Fate::Failed("another user has the e-mail address"),
                    ..user(&taken, "Twice")
                },
                None => user(&email, "Ann"),
            },
            17 => Wish { fate: Fate::Failed("no e-mail address"), ..user("nowhere", "Ann") },
            _ => user(&email, "Ann"),
        }
    }

    /// Sends it until there is an answer, as whoever has a key may.
    fn insist(&self, wish: &Wish, key: &str) -> Answer {
        let until = Instant::now() + LONGEST;
        loop {
            if let Some(answer) = self.try_once(wish, Some(key)) {
                return answer;
            }
            assert!(Instant::now() < until, "no answer to {} {}", wish.method, wish.path);
            std::thread::sleep(AGAIN);
        }
    }

    /// Sends it once. `None`: the answer did not come, or was that the server cannot say now.
    fn try_once(&self, wish: &Wish, key: Option<&str>) -> Option<Answer> {
        let host = self.host.lock().unwrap().clone();
        let body = if wish.body.is_null() { String::new() } else { wish.body.to_string() };
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        match try_send(&host, wish.method, &wish.path, &headers, body.as_bytes()) {
            Ok(answer) if answer.status != 503 => Some(answer),
            Ok(_) => None,
            // Nobody was there, so nobody has the command.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => None,
            Err(_) => {
                self.lost.fetch_add(1, Ordering::AcqRel);
                None
            }
        }
    }

    fn note(&self, wish: &Wish, answer: &Answer) -> String {
        assert_eq!(answer.status, 202, "{} {}: {}", wish.method, wish.path, answer.text());
        let id = command_id(answer);
        self.accepted.lock().unwrap().insert(id.clone(), wish.fate);
        match (wish.method, wish.path.as_str(), wish.fate) {
            ("POST", "/api/users", Fate::Completed) => {
                let email = wish.body["email"].as_str().unwrap().to_owned();
                self.users.lock().unwrap().push((id.clone(), email));
            }
            ("POST", "/api/replays", _) => self.replays.lock().unwrap().push(id.clone()),
            ("POST", "/api/deployments", _) => {
                self.deployments.lock().unwrap().push(wish.body["name"].as_str().unwrap().to_owned());
            }
            _ => {}
        }
        id
    }
}

impl Clients {
    /// Each client ends with the answer to what it has sent.
    pub(super) fn stop(self) {
        self.load.stopping.store(true, Ordering::Release);
        for thread in self.threads {
            thread.join().unwrap();
        }
    }
}

/// The id of nobody and nothing.
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

fn post(path: String, body: Value, fate: Fate) -> Wish {
    Wish { method: "POST", path, body, fate }
}

fn user(email: &str, name: &str) -> Wish {
    post("/api/users".to_owned(), json!({ "email": email, "name": name }), Fate::Completed)
}

/// A replay of what was generated, at this multiple of the market's speed; [`None`] is as fast as it can.
fn replay(speed: Option<f64>) -> Wish {
    let strategies = json!([{ "strategy": "apple" }, { "strategy": "pear" }]);
    let body = json!({ "files": [super::MARKET], "strategies": strategies, "speed": speed });
    post("/api/replays".to_owned(), body, Fate::Played)
}

fn one_of<T: Clone>(all: &Mutex<Vec<T>>, random: &mut u64) -> Option<T> {
    let all = all.lock().unwrap();
    let place = draw(random).checked_rem(all.len() as u64)?;
    Some(all[place as usize].clone())
}

fn command_id(answer: &Answer) -> String {
    answer.json()["commandId"].as_str().unwrap_or_else(|| panic!("{}", answer.text())).to_owned()
}
