use super::*;
use crate::rabbitmq::Durability;
use crate::rabbitmq::control::{ShardState, StateVersion, StrategyState};
use crate::rabbitmq::event_loop::event_loop;
use broker::{ExchangeKind, ExchangeOptions, Message, Table};

fn observe(url: &BrokerUrl, feed: &FeedName) -> Result<Observation, ObserveError> {
    event_loop()?.block_on(observe_all(std::slice::from_ref(url), feed))
}

async fn observe_all(urls: &[BrokerUrl], feed: &FeedName) -> Result<Observation, ObserveError> {
    Listening::listen(urls, feed).await?.finish().await
}

/// A feed that no other test has, with nothing but its names declared.
struct Feed {
    url: BrokerUrl,
    runtime: tokio::runtime::Runtime,
    connection: Connection,
    channel: Channel,
    name: FeedName,
}

impl Feed {
    fn new() -> Self {
        let url: BrokerUrl =
            std::env::var("ORCHARD_TEST_AMQP").expect("ORCHARD_TEST_AMQP is a broker's URL").parse().unwrap();
        let runtime = event_loop().unwrap();
        let name: FeedName = format!("test-{}", RunId::random()).parse().unwrap();
        let (connection, channel) = runtime.block_on(async {
            let connection = Connection::open(&url, "test").await.unwrap();
            let channel = connection.open_channel().await.unwrap();
            let control = topology::control_exchange(&name);
            let durable = ExchangeOptions::durable();
            channel.declare_exchange(&control, ExchangeKind::Fanout, durable).await.unwrap();
            (connection, channel)
        });
        let feed = Self { url, runtime, connection, channel, name };
        let last_only = Table::default().with("x-max-length", 1);
        feed.declare(&topology::run_queue(&feed.name), false, last_only);
        feed.declare(&topology::dead_queue(&feed.name), false, Table::default());
        feed
    }

    fn declare(&self, queue: &str, exclusive: bool, arguments: Table) {
        let options = QueueOptions {
            is_durable: !exclusive,
            is_exclusive: exclusive,
            is_auto_delete: false,
            arguments,
        };
        self.runtime.block_on(self.channel.declare_queue(queue, &options)).unwrap();
    }

    fn publish(&self, exchange: &str, queue: &str, body: &[u8]) {
        let message = Message::transient(body);
        self.runtime.block_on(self.channel.publish(exchange, queue, &message)).unwrap();
    }

    fn observe(&self) -> Result<Observation, ObserveError> {
        observe(&self.url, &self.name)
    }

    fn state(&self, run: RunId, at: u64) -> FeedState {
        let strategy = StrategyState {
            name: "apple".parse().unwrap(),
            required: true,
            active: true,
            begins_at: vec![0, 0],
            ledger: None,
            ended: false,
        };
        FeedState {
            feed: self.name.clone(),
            run,
            manifest: String::new(),
            groups: String::new(),
            durability: Durability::Memory,
            max_frame_bytes: 1000,
            shards: vec![ShardState::default(); 2],
            strategies: vec![strategy],
            published: false,
            closed: false,
            version: StateVersion { ingester_epoch: 1, counter: at },
            at,
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.runtime.block_on(async {
            let queues = [
                topology::run_queue(&self.name),
                topology::dead_queue(&self.name),
                topology::frames_queue(&self.name, &"apple".parse().unwrap(), 1),
            ];
            for queue in queues {
                self.channel.delete_queue(&queue).await.unwrap();
            }
            let control = topology::control_exchange(&self.name);
            self.channel.delete_exchange(&control).await.unwrap();
            self.connection.close().await.unwrap();
        });
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_feed_is_seen_and_left_as_it_was() {
    let feed = Feed::new();
    let run = RunId::random();
    feed.publish(
        "",
        &topology::run_queue(&feed.name),
        &Control::State(Box::new(feed.state(run, 5))).encode(),
    );
    feed.declare(&topology::frames_queue(&feed.name, &"apple".parse().unwrap(), 1), false, Table::default());
    feed.publish("", &topology::frames_queue(&feed.name, &"apple".parse().unwrap(), 1), b"a frame");
    feed.publish("", &topology::dead_queue(&feed.name), b"no frame");
    for _ in 0..2 {
        let seen = feed.observe().unwrap();
        assert_eq!(seen.states, [feed.state(run, 5)]);
        let waiting: Vec<_> = seen.queues.iter().map(|queue| (queue.shard, queue.waiting)).collect();
        assert_eq!(waiting, [(0, None), (1, Some(1))]);
        assert_eq!((seen.dead_letters, seen.has_ingester), (1, false));
    }
    feed.declare(&topology::ingester_queue(&feed.name), true, Table::default());
    assert!(feed.observe().unwrap().has_ingester);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn two_ways_to_one_cluster_count_its_dead_letters_once() {
    let feed = Feed::new();
    feed.declare(&topology::frames_queue(&feed.name, &"apple".parse().unwrap(), 1), false, Table::default());
    let state = Control::State(Box::new(feed.state(RunId::random(), 5)));
    feed.publish("", &topology::run_queue(&feed.name), &state.encode());
    feed.publish("", &topology::dead_queue(&feed.name), b"no frame");
    let twice = [feed.url.clone(), feed.url.clone()];
    let seen = feed.runtime.block_on(observe_all(&twice, &feed.name)).unwrap();
    assert_eq!((seen.dead_letters, seen.states.len()), (1, 1));
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn what_is_announced_meanwhile_is_seen_and_only_of_the_newest_run() {
    let feed = Feed::new();
    feed.declare(&topology::frames_queue(&feed.name, &"apple".parse().unwrap(), 1), false, Table::default());
    let (old, new) = (RunId::random(), RunId::random());
    feed.publish(
        "",
        &topology::run_queue(&feed.name),
        &Control::State(Box::new(feed.state(old, 5))).encode(),
    );
    let cursors = |run, cursor| Control::Cursors {
        run,
        strategy: "apple".parse().unwrap(),
        member: "one".to_owned(),
        ledger: "ledger".to_owned(),
        cursors: vec![ShardCursor { shard: 0, cursor, stored: 0, ended: false }],
        delay: None,
    };
    let seen = std::thread::scope(|scope| {
        let observing = scope.spawn(|| observe(&feed.url, &feed.name).unwrap());
        let exchange = topology::control_exchange(&feed.name);
        while !observing.is_finished() {
            feed.publish(&exchange, "", &Control::State(Box::new(feed.state(new, 9))).encode());
            feed.publish(&exchange, "", &cursors(old, 1).encode());
            feed.publish(&exchange, "", &cursors(new, 2).encode());
            std::thread::sleep(Duration::from_millis(100));
        }
        observing.join().unwrap()
    });
    assert_eq!(seen.states, [feed.state(new, 9)]);
    assert!(!seen.hosts.is_empty() && seen.hosts.iter().all(|host| host.cursors[0].cursor == 2));
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_feed_that_is_not_there_or_says_nothing_is_an_error() {
    let feed = Feed::new();
    feed.declare(&topology::frames_queue(&feed.name, &"apple".parse().unwrap(), 1), false, Table::default());
    assert!(matches!(feed.observe(), Err(ObserveError::NoState { .. })));
    let unknown: FeedName = format!("test-{}", RunId::random()).parse().unwrap();
    let error = observe(&feed.url, &unknown).unwrap_err().to_string();
    assert!(error.contains(&topology::run_queue(&unknown)) && error.contains("--broker"), "{error}");
}
