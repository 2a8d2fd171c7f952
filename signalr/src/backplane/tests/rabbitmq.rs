use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::*;

fn broker_url() -> String {
    std::env::var("ORCHARD_TEST_AMQP").expect("ORCHARD_TEST_AMQP is not set: run scripts/test")
}

fn exchange() -> String {
    format!("test-hub-{}", uuid::Uuid::new_v4().simple())
}

async fn instance(url: &str, exchange: &str) -> Instance {
    let backplane = RabbitMq::new(url.parse().unwrap(), exchange);
    let instance = Instance::start(backplane.clone());
    backplane.connected().await.unwrap();
    instance
}

async fn instances() -> [Instance; 3] {
    let (url, exchange) = (broker_url(), exchange());
    [instance(&url, &exchange).await, instance(&url, &exchange).await, instance(&url, &exchange).await]
}

conformance! {
    instances,
    #[ignore = "needs servers: run scripts/test"]
    others_receive_all_in_order_and_the_publisher_nothing
    #[ignore = "needs servers: run scripts/test"]
    what_is_received_is_what_was_published
    #[ignore = "needs servers: run scripts/test"]
    an_instance_that_has_gone_disturbs_nobody
}

#[tokio::test]
async fn a_broker_that_is_away_is_an_error_that_names_it() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let backplane = RabbitMq::new(format!("amqp://guest:guest@{closed}/%2f").parse().unwrap(), "hub");
    let instance = Instance::start(backplane);
    let error = instance.publish(numbered(1)).await.unwrap_err().to_string();
    assert!(error.contains(&closed.to_string()) && error.contains("exchange hub"), "{error}");
}

/// Passes connections on, and cuts them all.
struct Proxy {
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
    cut: Arc<Notify>,
}

impl Proxy {
    async fn new(to: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cut = Arc::<Notify>::default();
        let cuts = cut.clone();
        let task = tokio::spawn(async move {
            let mut links = JoinSet::new();
            loop {
                tokio::select! {
                    () = cuts.notified() => links.abort_all(),
                    Ok((mut client, _)) = listener.accept() => {
                        let mut broker = TcpStream::connect(&to).await.unwrap();
                        links.spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut broker).await });
                    }
                }
            }
        });
        Self { address, task, cut }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
#[ignore = "needs servers: run scripts/test"]
async fn a_connection_that_is_cut_is_made_again_and_carries_messages_both_ways() {
    let url = broker_url();
    let (login, place) = url.split_once('@').unwrap();
    let (broker, vhost) = place.split_once('/').unwrap();
    let proxy = Proxy::new(broker.to_owned()).await;
    let exchange = exchange();
    let first = instance(&format!("{login}@{}/{vhost}", proxy.address), &exchange).await;
    let second = instance(&url, &exchange).await;
    first.publish(numbered(1)).await.unwrap();
    second.received(1).await;

    proxy.cut.notify_one();
    let both_ways = async {
        // While the connection is away messages are lost, and whoever publishes knows it.
        while first.received.envelopes.lock().unwrap().is_empty()
            || second.received.envelopes.lock().unwrap().len() < 2
        {
            let _ = first.publish(numbered(2)).await;
            second.publish(numbered(3)).await.unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(TIMEOUT, both_ways).await.expect("it is connected again");
}
