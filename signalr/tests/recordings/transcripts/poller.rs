//! A client's polls, one after the other, as many as it takes.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::link::{Head, Link};
use crate::server::request;

/// Longer than any poll of the recorded servers.
const LONGEST: Duration = Duration::from_secs(100);

pub(super) struct Poller {
    task: JoinHandle<()>,
    polled: watch::Receiver<Polled>,
}

/// What polls have brought.
#[derive(Clone, Debug, Default)]
pub(super) struct Polled {
    pub(super) bytes: Vec<u8>,
    /// Each poll's answer, and whether its body was empty.
    pub(super) answers: Vec<(Head, bool)>,
}

impl Poller {
    /// Polls until an answer is none that is followed by another poll.
    pub(super) fn start(port: u16, target: &str, headers: Vec<(String, String)>) -> Self {
        let (collected, polled) = watch::channel(Polled::default());
        let target = target.split("&_=").next().unwrap_or_default().to_owned();
        let task = tokio::spawn(async move {
            for number in 0_u64.. {
                let target = format!("{target}&_={number}");
                let link = Link::request(port, &request("GET", &target, &headers, false, b""), false).await;
                link.comes_to(LONGEST, |seen| seen.is_body_ended).await;
                let seen = link.seen();
                let Some(head) = seen.head else { return };
                let goes_on = head.status == 200;
                collected.send_modify(|polled| {
                    if goes_on {
                        polled.bytes.extend_from_slice(&seen.body);
                    }
                    polled.answers.push((head, seen.body.is_empty()));
                });
                if !goes_on {
                    return;
                }
            }
        });
        Self { task, polled }
    }

    /// Cuts the poll that is pending.
    pub(super) fn stop(&self) {
        self.task.abort();
    }

    pub(super) async fn comes_to(&self, within: Duration, condition: impl Fn(&Polled) -> bool) -> bool {
        let mut polled = self.polled.clone();
        let comes = polled.wait_for(|polled| condition(polled));
        matches!(tokio::time::timeout(within, comes).await, Ok(Ok(_)))
    }

    pub(super) fn polled(&self) -> Polled {
        self.polled.borrow().clone()
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.task.abort();
    }
}
