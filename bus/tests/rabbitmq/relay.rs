//! Events, as others get them.

use std::collections::HashSet;

use bus::rabbitmq::RabbitOptions;
use serde_json::json;

use crate::broker_of_test::Vhost;
use crate::peer::{Peer, envelope, read};
use crate::shop::{SHOP, Served, options};

#[test]
#[ignore = "needs servers: run scripts/test"]
fn each_event_is_published_in_order_to_its_type_and_to_its_marker() {
    const COUNT: u64 = 300;
    let vhost = Vhost::new("order");
    let peer = Peer::new(&vhost.url());
    let queues = [peer.listen("Orchard.Contracts:Sold"), peer.listen("Orchard.Contracts:IEvent")];
    let shop = Served::start(&vhost.url(), Some(SHOP));
    for number in 0..COUNT {
        peer.send(SHOP, "", &envelope("Sell", json!({"number": number})));
    }
    for queue in &queues {
        let (mut last, mut ids) = (0, HashSet::new());
        for _ in 0..COUNT {
            let delivery = peer.next(queue);
            let headers = &delivery.properties.headers;
            assert_eq!(headers.text("MT-Orchard-Context").as_deref(), Some(SHOP));
            let position = headers.integer("MT-Orchard-Position").unwrap();
            assert!(position > last, "{position} after {last}");
            last = position;
            let event = read(&delivery);
            assert_eq!(event["messageType"][1], "urn:message:Orchard.Contracts:IEvent");
            assert!(ids.insert(event["messageId"].as_str().unwrap().to_owned()));
        }
        assert_eq!(peer.waiting(queue), 0);
    }
    assert_eq!(shop.sold().len(), COUNT as usize);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn an_event_that_is_too_large_is_left_out_and_those_after_it_are_not() {
    let vhost = Vhost::new("large");
    let peer = Peer::new(&vhost.url());
    let queue = peer.listen("Orchard.Contracts:Sold");
    // `{"number":1,"fill":""}` is as long as that.
    let shop = Served::start_with(&vhost.url(), Some(SHOP), RabbitOptions { largest_event: 22, ..options() });
    for number in [1, 10, 2] {
        peer.send(SHOP, "", &envelope("Sell", json!({"number": number})));
        crate::wait_until("it is sold", || shop.sold().last() == Some(&number));
    }
    let published =
        [peer.next(&queue), peer.next(&queue)].map(|delivery| read(&delivery)["message"]["number"].clone());
    assert_eq!(published, [json!(1), json!(2)]);
    assert_eq!(shop.sold(), [1, 10, 2]);
}
