//! What ends with its task, also where the task is cut or panics.

use std::sync::Arc;

use super::input::Socket;
use super::link::Link;
use super::links::{Left, Links, Task};

/// A handler serves the connection: when it is dropped the connection is over.
#[derive(Debug)]
pub(super) struct Serving {
    running: Running,
    pub(super) link: Arc<Link>,
}

impl Serving {
    pub(super) fn new(links: &Arc<Links>, link: &Arc<Link>) -> Self {
        Self { running: Running::new(links), link: link.clone() }
    }

    pub(super) fn task(&self) -> Task {
        self.running.task
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.running.links.served(&self.link);
    }
}

/// A socket carries the connection.
#[derive(Debug)]
pub(super) struct Carrying {
    running: Running,
    pub(super) link: Arc<Link>,
    pub(super) socket: Socket,
}

impl Carrying {
    pub(super) fn new(links: &Arc<Links>, link: &Arc<Link>, socket: Socket) -> Self {
        Self { running: Running::new(links), link: link.clone(), socket }
    }

    pub(super) fn task(&self) -> Task {
        self.running.task
    }

    /// The connection is over, though the socket still has to be closed: the id is gone at once.
    pub(super) fn closes(&self) {
        self.running.links.socket_left(&self.link, self.socket, Left::Closed);
    }
}

impl Drop for Carrying {
    fn drop(&mut self) {
        self.running.links.socket_left(&self.link, self.socket, Left::Broken);
    }
}

/// A stream of events carries the connection, which ends with it.
#[derive(Debug)]
pub(super) struct Streaming {
    running: Running,
    pub(super) link: Arc<Link>,
}

impl Streaming {
    pub(super) fn new(links: &Arc<Links>, link: &Arc<Link>) -> Self {
        Self { running: Running::new(links), link: link.clone() }
    }

    /// The id is gone at once.
    pub(super) fn closes(&self) {
        self.running.links.end(&self.link);
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        self.closes();
    }
}

/// A poll waits; afterwards the next one has to come in time.
#[derive(Debug)]
pub(super) struct Polling {
    links: Arc<Links>,
    pub(super) link: Arc<Link>,
    poll: u64,
}

impl Polling {
    pub(super) fn new(links: &Arc<Links>, link: &Arc<Link>, poll: u64) -> Self {
        Self { links: links.clone(), link: link.clone(), poll }
    }

    /// It was the last.
    pub(super) fn closes(&self) {
        self.links.end(&self.link);
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        self.links.poll_left(&self.link, self.poll);
    }
}

/// The end of the server waits for it.
#[derive(Debug)]
struct Running {
    links: Arc<Links>,
    task: Task,
}

impl Running {
    fn new(links: &Arc<Links>) -> Self {
        Self { links: links.clone(), task: links.begin_task() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.links.end_task(self.task);
    }
}
