//! What every backplane does, and then what RabbitMQ's does when the broker is away.

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;

use super::*;

#[cfg(feature = "rabbitmq")]
mod rabbitmq;

const TIMEOUT: Duration = Duration::from_secs(20);

/// An instance and what it has received.
pub(super) struct Instance {
    backplane: Arc<dyn Backplane>,
    received: Arc<Received>,
}

#[derive(Default)]
struct Received {
    envelopes: Mutex<Vec<Envelope>>,
    came: Notify,
}

impl Instance {
    fn start(backplane: Arc<dyn Backplane>) -> Self {
        let received = Arc::<Received>::default();
        let receives = received.clone();
        backplane.start(Arc::new(move |envelope| {
            receives.envelopes.lock().unwrap().push(envelope);
            receives.came.notify_one();
        }));
        Self { backplane, received }
    }

    async fn publish(&self, envelope: Envelope) -> Result<(), BackplaneError> {
        tokio::time::timeout(TIMEOUT, self.backplane.publish(envelope)).await.expect("it ends")
    }

    async fn received(&self, count: usize) -> Vec<Envelope> {
        let all = async {
            loop {
                let envelopes = self.received.envelopes.lock().unwrap().clone();
                if envelopes.len() >= count {
                    return envelopes;
                }
                self.received.came.notified().await;
            }
        };
        tokio::time::timeout(TIMEOUT, all).await.expect("all come")
    }
}

fn numbered(number: usize) -> Envelope {
    Envelope::Join { connection: number.to_string(), group: "group".to_owned() }
}

fn envelopes() -> Vec<Envelope> {
    let names = || vec!["a".to_owned(), "b".to_owned()];
    let recipients = [
        Recipients::All,
        Recipients::AllExcept(names()),
        Recipients::Connections(names()),
        Recipients::Users(names()),
        Recipients::Groups(names()),
        Recipients::GroupExcept { group: "g".to_owned(), without: names() },
    ];
    let send = |to| Envelope::Send {
        to,
        key: Some("key".to_owned()),
        json: Bytes::from("[1]\u{1e}"),
        messagepack: Bytes::from(vec![0xff; 1_000_000]),
    };
    let (connection, group) = ("c".to_owned(), "g".to_owned());
    let leave = Envelope::Leave { connection: connection.clone(), group: group.clone() };
    recipients.map(send).into_iter().chain([Envelope::Join { connection, group }, leave]).collect()
}

pub(super) async fn others_receive_all_in_order_and_the_publisher_nothing(
    [first, second, third]: [Instance; 3],
) {
    for number in 0..500 {
        first.publish(numbered(number)).await.unwrap();
    }
    let expected: Vec<Envelope> = (0..500).map(numbered).collect();
    assert_eq!(second.received(500).await, expected);
    assert_eq!(third.received(500).await, expected);
    second.publish(numbered(500)).await.unwrap();
    assert_eq!(first.received(1).await, [numbered(500)]);
    assert_eq!(third.received(501).await.len(), 501);
}

pub(super) async fn what_is_received_is_what_was_published([first, second, _third]: [Instance; 3]) {
    for envelope in envelopes() {
        first.publish(envelope).await.unwrap();
    }
    assert_eq!(second.received(envelopes().len()).await, envelopes());
}

pub(super) async fn an_instance_that_has_gone_disturbs_nobody([first, second, third]: [Instance; 3]) {
    drop(third);
    first.publish(numbered(1)).await.unwrap();
    assert_eq!(second.received(1).await, [numbered(1)]);
}

macro_rules! conformance {
    ($instances:path, $($(#[$attribute:meta])* $test:ident)+) => {
        $(
            #[tokio::test]
            $(#[$attribute])*
            async fn $test() {
                super::$test($instances().await).await;
            }
        )+
    };
}
pub(super) use conformance;

mod in_process {
    use super::*;

    async fn instances() -> [Instance; 3] {
        let between = InProcess::default();
        [(); 3].map(|()| Instance::start(between.instance()))
    }

    conformance! {
        instances,
        others_receive_all_in_order_and_the_publisher_nothing
        what_is_received_is_what_was_published
        an_instance_that_has_gone_disturbs_nobody
    }
}
