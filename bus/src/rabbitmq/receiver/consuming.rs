//! One subscription to an endpoint's queue, from its first delivery to its last acknowledgement.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::backoff::Backoff;
use broker::{BrokerError, Channel, Consumer};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::acks::Acks;
use super::answering::Asked;
use super::moving::Moved;
use super::{Receiver, ToDo};
use crate::lane::{Arrival, Intake, Settled, Ticket};
use crate::store::{DueCommand, NewCommand};

/// So many deliveries share one look, and one commit of the inbox.
const BATCH: usize = 500;
/// So many bytes of them do.
const BATCH_BYTES: usize = 8 << 20;
/// Between looks whether a queue from which nothing comes is consumed still.
const LOOK: Duration = Duration::from_secs(5);
/// Between looks at deliveries that wait for something.
const LOOK_WAITING: Duration = Duration::from_millis(100);
/// A lane's room is waited for so long; then what comes for it goes to the inbox until there is room again. What
/// waits where no lane comes by is put into the inbox after as long.
const PATIENCE: Duration = Duration::from_millis(500);
/// What is done is acknowledged by itself where one before it takes so long.
const STUCK: Duration = Duration::from_millis(200);
/// Lanes are waited for so long when the bus stops: what they have not ended comes again.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What is on the way between a queue, lanes and the inbox.
pub(super) struct Consuming {
    receiver: Arc<Receiver>,
    channel: Channel,
    acks: Acks,
    to: UnboundedSender<Settled>,
    settled: UnboundedReceiver<Settled>,
    /// To be answered.
    requests: UnboundedSender<Asked>,
    /// For the inbox.
    for_inbox: Vec<(u64, NewCommand)>,
    /// It waits for its lane's room since then, and nothing is taken from the queue.
    blocked: Option<(Arrival, Arc<Intake>, Instant)>,
    /// Handlers whose lanes had no room for too long, by command.
    crowded: HashSet<String>,
    looked: Instant,
}

/// What happened.
enum Happened {
    Delivered(Box<broker::Delivery>),
    Settled(Settled),
    /// There may be room in a lane, or it is time to look.
    Nothing,
    Stopped,
}

impl Consuming {
    pub(super) fn new(receiver: Arc<Receiver>, channel: Channel) -> Self {
        // It holds one word for each delivery that is not acknowledged, so the prefetch is its bound.
        let (to, settled) = unbounded_channel();
        let (requests, asked) = unbounded_channel();
        tokio::spawn(receiver.clone().answer_all(asked, to.clone()));
        Self {
            receiver,
            channel,
            acks: Acks::default(),
            to,
            settled,
            requests,
            for_inbox: Vec::new(),
            blocked: None,
            crowded: HashSet::new(),
            looked: Instant::now(),
        }
    }

    /// Consumes until the bus stops.
    pub(super) async fn run(
        mut self,
        mut consumer: Consumer,
        backoff: &mut Backoff,
    ) -> Result<(), BrokerError> {
        let ended = self.consume(&mut consumer, backoff).await;
        self.intakes().for_each(|intake| intake.clear());
        self.blocked = None;
        ended?;
        // The bus stops: what its lanes are at is acknowledged when they have ended it.
        let Self { channel, mut acks, to, mut settled, requests, .. } = self;
        drop((to, requests));
        let last_words = async {
            while let Some(said) = settled.recv().await {
                if let Settled::Done(tags) = said {
                    tags.into_iter().for_each(|tag| acks.note_done(tag));
                }
            }
        };
        // Whichever comes first.
        let _ = tokio::time::timeout(LAST_WORDS, last_words).await;
        acknowledge(&channel, &mut acks, Duration::ZERO).await
    }

    async fn consume(&mut self, consumer: &mut Consumer, backoff: &mut Backoff) -> Result<(), BrokerError> {
        loop {
            match self.next(consumer).await? {
                Happened::Stopped => return Ok(()),
                Happened::Settled(settled) => self.note(settled),
                Happened::Delivered(delivery) => {
                    backoff.reset();
                    let mut bytes = delivery.body.len();
                    self.take(*delivery);
                    for _ in 1..BATCH {
                        if bytes >= BATCH_BYTES || self.blocked.is_some() {
                            break;
                        }
                        let Some(next) = consumer.next(Duration::ZERO).await? else { break };
                        bytes += next.body.len();
                        self.take(next);
                    }
                }
                Happened::Nothing if !self.channel.is_open() => {
                    let (url, reason) = (self.receiver.session.url(), "the channel was closed".to_owned());
                    return Err(BrokerError::Lost { url, reason });
                }
                Happened::Nothing => {}
            }
            while let Ok(settled) = self.settled.try_recv() {
                self.note(settled);
            }
            self.unblock();
            self.look();
            if self.put_into_inbox().await.is_none() {
                return Ok(());
            }
            acknowledge(&self.channel, &mut self.acks, STUCK).await?;
        }
    }

    async fn next(&mut self, consumer: &mut Consumer) -> Result<Happened, BrokerError> {
        let look = if self.acks.is_empty() { LOOK } else { LOOK_WAITING };
        let blocked = self.blocked.as_ref().map(|(_, intake, _)| intake.clone());
        let delivered = async {
            match blocked {
                None => Ok(consumer
                    .next(look)
                    .await?
                    .map_or(Happened::Nothing, |next| Happened::Delivered(Box::new(next)))),
                Some(intake) => {
                    intake.wait_for_room(look).await;
                    Ok(Happened::Nothing)
                }
            }
        };
        tokio::select! {
            settled = self.settled.recv() => Ok(settled.map_or(Happened::Nothing, Happened::Settled)),
            delivered = delivered => delivered,
            () = self.receiver.session.stopped() => Ok(Happened::Stopped),
        }
    }

    /// Finds out what a delivery is, and begins what there is to do about it.
    fn take(&mut self, delivery: broker::Delivery) {
        let tag = delivery.tag;
        self.acks.note_delivered();
        let receiver = &self.receiver;
        match receiver.read(delivery) {
            ToDo::Command(command) => self.hand_over(tag, *command),
            ToDo::Inbox(command) => self.for_inbox.push((tag, *command)),
            ToDo::Move(publications) => self.begin_moving(vec![Moved { tag, publications }]),
            // It has ended only when the bus stops: what was asked is asked again.
            ToDo::Request(request) => drop(self.requests.send((tag, request))),
            ToDo::Nothing => self.acks.note_done(tag),
        }
    }

    fn begin_moving(&self, moved: Vec<Moved>) {
        tokio::spawn(self.receiver.clone().move_all(moved, self.to.clone()));
    }

    /// Gives a command to its handler's lanes, where they have room.
    fn hand_over(&mut self, tag: u64, command: NewCommand) {
        let served = self.receiver.in_process.served.get(&self.receiver.endpoint);
        let Some(intake) = served.and_then(|served| served.intakes.get(&command.name)) else {
            self.for_inbox.push((tag, command));
            return;
        };
        let is_crowded = self.crowded.contains(&command.name);
        let name = is_crowded.then(|| command.name.clone());
        let due = Box::new(DueCommand { command, attempts: 0, accepted_ms: 0, is_suspect: false });
        let (ticket, at) = (Ticket { tag, to: self.to.clone() }, Instant::now());
        match intake.push(Arrival { due, ticket, at }) {
            Ok(()) => {
                if let Some(name) = name {
                    self.crowded.remove(&name);
                }
            }
            Err(arrival) if is_crowded => self.for_inbox.push((tag, arrival.due.command)),
            Err(arrival) => self.blocked = Some((arrival, intake.clone(), Instant::now())),
        }
    }

    /// Tries again what waits for room.
    fn unblock(&mut self) {
        let Some((arrival, intake, since)) = self.blocked.take() else { return };
        match intake.push(arrival) {
            Ok(()) => {}
            Err(arrival) if since.elapsed() < PATIENCE => self.blocked = Some((arrival, intake, since)),
            Err(arrival) => {
                self.crowded.insert(arrival.due.command.name.clone());
                self.for_inbox.push((arrival.ticket.tag, arrival.due.command));
            }
        }
    }

    /// Takes from lanes what they do not come to.
    fn look(&mut self) {
        if self.looked.elapsed() < LOOK_WAITING {
            return;
        }
        self.looked = Instant::now();
        let overdue: Vec<_> = self.intakes().flat_map(|intake| intake.overdue(PATIENCE, &self.to)).collect();
        self.for_inbox.extend(overdue.into_iter().map(|one| (one.ticket.tag, one.due.command)));
    }

    fn note(&mut self, settled: Settled) {
        match settled {
            Settled::Done(tags) => tags.into_iter().for_each(|tag| self.acks.note_done(tag)),
            Settled::Back(tag, due) => self.for_inbox.push((tag, due.command)),
        }
    }

    /// `None` once the bus stops.
    async fn put_into_inbox(&mut self) -> Option<()> {
        let Some(inbox) = &self.receiver.inbox else { return Some(()) };
        while !self.for_inbox.is_empty() {
            let count = self.for_inbox.len().min(BATCH);
            let (tags, commands): (Vec<_>, Vec<_>) = self.for_inbox.drain(..count).unzip();
            let mut moved = Vec::new();
            for (tag, publications) in tags.into_iter().zip(inbox.put(commands).await?) {
                if publications.is_empty() {
                    self.acks.note_done(tag);
                } else {
                    moved.push(Moved { tag, publications });
                }
            }
            if !moved.is_empty() {
                self.begin_moving(moved);
            }
        }
        Some(())
    }

    fn intakes(&self) -> impl Iterator<Item = &Arc<Intake>> {
        let served = self.receiver.in_process.served.get(&self.receiver.endpoint);
        served.into_iter().flat_map(|served| served.intakes.values())
    }
}

/// Acknowledges what is done: together up to the first that is not, and by itself where that takes too long.
async fn acknowledge(channel: &Channel, acks: &mut Acks, patience: Duration) -> Result<(), BrokerError> {
    if let Some(tag) = acks.take_up_to() {
        channel.ack_up_to(tag).await?;
    }
    for tag in acks.take_behind(patience) {
        channel.ack(tag).await?;
    }
    Ok(())
}
