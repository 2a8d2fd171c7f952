use super::*;
use crate::rabbitmq::event_loop::event_loop;
use crate::rabbitmq::topology;
use tick_sdk::names::RunId;

fn broker() -> BrokerUrl {
    std::env::var("ORCHARD_TEST_AMQP").expect("ORCHARD_TEST_AMQP is a broker's URL").parse().unwrap()
}

/// A feed that no other test has, with the queue of one strategy.
struct Feed {
    url: BrokerUrl,
    runtime: tokio::runtime::Runtime,
    connection: Connection,
    name: FeedName,
}

impl Feed {
    fn new() -> Self {
        let url = broker();
        let runtime = event_loop().unwrap();
        let connection = runtime.block_on(Connection::open(&url, "test")).unwrap();
        let name = format!("test-{}", RunId::random()).parse().unwrap();
        let feed = Self { url, runtime, connection, name };
        feed.runtime.block_on(async {
            let queue = topology::frames_queue(&feed.name, &"apple".parse().unwrap(), 0);
            let channel = feed.connection.open_channel().await.unwrap();
            channel.declare_queue(&queue, &QueueOptions::durable()).await.unwrap();
        });
        feed
    }

    fn letter(&self, number: u64) -> DeadLetter {
        DeadLetter {
            reason: format!("its number is {number}, and that is none"),
            queue: topology::frames_queue(&self.name, &"apple".parse().unwrap(), 0),
            exchange: "abroad".to_owned(),
            routing_key: "0".to_owned(),
            at: number,
            body: number.to_string().into_bytes(),
        }
    }

    fn store(&self, letters: &[DeadLetter]) {
        self.runtime.block_on(async {
            let channel = self.connection.open_channel().await.unwrap();
            for letter in letters {
                store(&channel, &self.name, letter).await.unwrap();
            }
        });
    }

    fn take(&self, limit: usize) -> DeadLetters {
        self.wait(DeadLetters::take(std::slice::from_ref(&self.url), &self.name, limit)).unwrap()
    }

    fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    fn bodies(&self, queue: &str) -> Vec<Vec<u8>> {
        self.runtime.block_on(async {
            let channel = self.connection.open_channel().await.unwrap();
            let mut bodies = Vec::new();
            while let Some(message) = channel.get(queue).await.unwrap() {
                channel.ack(message.tag).await.unwrap();
                bodies.push(message.body);
            }
            bodies
        })
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.runtime.block_on(async {
            let channel = self.connection.open_channel().await.unwrap();
            for queue in [
                topology::frames_queue(&self.name, &"apple".parse().unwrap(), 0),
                topology::dead_queue(&self.name),
            ] {
                channel.delete_queue(&queue).await.unwrap();
            }
        });
    }
}

fn letters(taken: &DeadLetters) -> Vec<DeadLetter> {
    taken.iter().map(|(_, letter)| letter.clone()).collect()
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn looking_at_dead_letters_changes_nothing() {
    let feed = Feed::new();
    let stored: Vec<_> = (1..=5).map(|number| feed.letter(number)).collect();
    feed.store(&stored);
    for limit in [2, 5, 9] {
        let taken = feed.take(limit);
        assert_eq!(letters(&taken), stored[..limit.min(5)]);
        feed.wait(taken.close()).unwrap();
    }
    let error = feed.take(5).get(6).unwrap_err().to_string();
    assert_eq!(error, "there is no dead letter 6: there are 5");
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn one_is_requeued_and_one_is_removed() {
    let feed = Feed::new();
    let stored: Vec<_> = (1..=4).map(|number| feed.letter(number)).collect();
    feed.store(&stored);
    let taken = feed.take(MAX_TAKEN);
    feed.wait(taken.requeue(2)).unwrap();
    feed.wait(taken.remove(3)).unwrap();
    feed.wait(taken.close()).unwrap();
    let taken = feed.take(MAX_TAKEN);
    assert_eq!(letters(&taken), [stored[0].clone(), stored[3].clone()]);
    feed.wait(taken.close()).unwrap();
    assert_eq!(feed.bodies(&topology::frames_queue(&feed.name, &"apple".parse().unwrap(), 0)), [b"2"]);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn two_ways_to_one_cluster_show_each_letter_once() {
    let feed = Feed::new();
    let stored: Vec<_> = (1..=3).map(|number| feed.letter(number)).collect();
    feed.store(&stored);
    let twice = [feed.url.clone(), feed.url.clone()];
    let taken = feed.wait(DeadLetters::take(&twice, &feed.name, MAX_TAKEN)).unwrap();
    assert_eq!(letters(&taken), stored);
    feed.wait(taken.close()).unwrap();
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn one_whose_queue_is_gone_stays() {
    let feed = Feed::new();
    let gone = DeadLetter {
        queue: topology::frames_queue(&feed.name, &"apple".parse().unwrap(), 7),
        ..feed.letter(1)
    };
    let nowhere = DeadLetter { queue: String::new(), ..feed.letter(2) };
    feed.store(&[gone.clone(), nowhere.clone()]);
    let taken = feed.take(MAX_TAKEN);
    let error = feed.wait(taken.requeue(1)).unwrap_err();
    assert!(matches!(error, DeadLetterError::Refused { number: 1, reason: "is not there", .. }), "{error}");
    assert!(matches!(feed.wait(taken.requeue(2)), Err(DeadLetterError::NoQueue { number: 2 })));
    feed.wait(taken.close()).unwrap();
    let taken = feed.take(MAX_TAKEN);
    assert_eq!(letters(&taken), [gone, nowhere]);
    feed.wait(taken.close()).unwrap();
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_feed_that_never_was_has_none_and_says_so() {
    let unknown: FeedName = format!("test-{}", RunId::random()).parse().unwrap();
    let taking = event_loop().unwrap().block_on(DeadLetters::take(&[broker()], &unknown, 1));
    let error = taking.err().unwrap().to_string();
    assert!(error.contains(&topology::dead_queue(&unknown)) && error.contains("--feed"), "{error}");
}
