use super::*;
use crate::{Connection, ExchangeKind, ExchangeOptions, QueueOptions, Table, Value};

fn servers() -> BrokerUrl {
    let url = std::env::var("ORCHARD_TEST_AMQP").expect("ORCHARD_TEST_AMQP is not set: run scripts/test");
    url.parse().unwrap()
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), test).await.unwrap() });
}

fn publication(exchange: &str, id: &str) -> Publication {
    let headers = Table::default().with("x-number", Value::I32(7));
    let message_id = Some(id.to_owned());
    let properties = Properties { message_id, headers, is_persistent: true, ..Properties::default() };
    let body = Bytes::from(id.to_owned());
    Publication {
        exchange: exchange.to_owned(),
        routing_key: String::new(),
        is_mandatory: true,
        properties,
        body,
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn many_are_confirmed_at_once_and_those_that_come_back_are_known() {
    run(async {
        let url = servers();
        let connection = Connection::open(&url, "a test").await.unwrap();
        let channel = connection.open_channel().await.unwrap();
        let [bound, alone] = ["publisher-test-bound", "publisher-test-alone"];
        for exchange in [bound, alone] {
            channel
                .declare_exchange(exchange, ExchangeKind::Fanout, ExchangeOptions::auto_delete())
                .await
                .unwrap();
        }
        let queue = channel.declare_queue("", &QueueOptions::exclusive()).await.unwrap().name;
        channel.bind_queue(&queue, bound, "").await.unwrap();
        let publisher = Publisher::open(&url, "a test", 1).await.unwrap();
        let mut confirms = Vec::new();
        for number in 0..500 {
            let exchange = if number % 7 == 3 { alone } else { bound };
            confirms.push(publisher.publish(0, publication(exchange, &number.to_string())).await.unwrap());
        }
        for (number, confirm) in confirms.into_iter().enumerate() {
            let expected = if number % 7 == 3 { Outcome::Returned } else { Outcome::Confirmed };
            assert_eq!(confirm.outcome(TIMEOUT).await.unwrap(), expected, "{number}");
        }
        let first = channel.get(&queue).await.unwrap().unwrap();
        assert_eq!((first.body.as_slice(), first.exchange.as_str()), (&b"0"[..], bound));
        assert_eq!(first.properties, publication(bound, "0").properties);
        channel.delete_exchange(alone).await.unwrap();
        channel.delete_exchange(bound).await.unwrap();
    });
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn an_exchange_that_is_not_there_and_headers_that_are_too_large_fail_alone() {
    run(async {
        let url = servers();
        let publisher = Publisher::open(&url, "a test", 2).await.unwrap();
        let connection = Connection::open(&url, "a test").await.unwrap();
        let channel = connection.open_channel().await.unwrap();
        let queue = channel.declare_queue("", &QueueOptions::exclusive()).await.unwrap().name;
        let to_queue = |id: &str| Publication { routing_key: queue.clone(), ..publication("", id) };
        let before = publisher.publish(0, to_queue("a")).await.unwrap();
        let gone = publisher.publish(0, publication("publisher-test-gone", "b")).await.unwrap();
        let after = publisher.publish(0, to_queue("c")).await.unwrap();
        assert_eq!(before.outcome(TIMEOUT).await.unwrap(), Outcome::Confirmed);
        let error = gone.outcome(TIMEOUT).await.unwrap_err();
        assert!(matches!(&error, BrokerError::NotFound { .. }), "{error:?}");
        assert_eq!(after.outcome(TIMEOUT).await.unwrap(), Outcome::Confirmed);
        let mut large = to_queue("d");
        large.properties.headers = Table::default().with("x-large", "a".repeat(200 << 10));
        let error = publisher.publish_confirmed(0, large).await.unwrap_err().to_string();
        assert!(error.contains("headers of"), "{error}");
        assert_eq!(publisher.publish_confirmed(1, to_queue("e")).await.unwrap(), Outcome::Confirmed);
        assert!(publisher.is_connected() && !publisher.is_blocked());
    });
}
