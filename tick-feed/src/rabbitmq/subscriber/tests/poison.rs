//! What is not a frame of its queue, and what is stored of it.

use super::feed::{HandFeed, encode};
use super::*;
use crate::rabbitmq::DeadLetter;
use crate::rabbitmq::event_loop::event_loop;
use crate::rabbitmq::topology;
use broker::{Connection, Message, Table};

/// Takes the dead letters, each with the body as it came.
fn dead_letters(feed: &HandFeed) -> Vec<(DeadLetter, Vec<u8>)> {
    event_loop().unwrap().block_on(async {
        let connection = Connection::open(&feed.url, "test").await.unwrap();
        let channel = connection.open_channel().await.unwrap();
        let mut taken = Vec::new();
        while let Some(delivery) = channel.get(&topology::dead_queue(&feed.name)).await.unwrap() {
            channel.ack(delivery.tag).await.unwrap();
            taken.push((DeadLetter::of(&delivery.properties.headers), delivery.body));
        }
        taken
    })
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn what_is_not_a_frame_of_its_queue_is_stored_with_the_reason() {
    let feed = HandFeed::new("poison");
    let run = RunId::random();
    feed.publish(&frame(run, 0, 0, 1, FrameFlags::TICKS));
    feed.publish_body(&topology::frames_exchange(&feed.name), "0", b"not a frame");
    let mut of_other_version = encode(&frame(run, 0, 1, 1, FrameFlags::TICKS));
    of_other_version[4] = 9;
    feed.publish_body(&topology::frames_exchange(&feed.name), "0", &of_other_version);
    let mut changed = encode(&frame(run, 0, 1, 1, FrameFlags::TICKS));
    *changed.last_mut().unwrap() ^= 1;
    feed.publish_body(&topology::frames_exchange(&feed.name), "0", &changed);
    feed.publish_body(
        &topology::frames_exchange(&feed.name),
        "0",
        &encode(&frame(run, 1, 1, 1, FrameFlags::TICKS)),
    );
    feed.publish_by_foreign_exchange(&frame(run, 0, 1, 1, FrameFlags::TICKS));
    feed.publish(&frame(run, 0, 1, 1, FrameFlags::TICKS));
    let (mut subscriber, handle) = subscribe(&feed, run);
    handle.assign([0].into());
    assert_eq!(seqs(&mut subscriber, 2), [0, 1]);
    let deadline = Instant::now() + SOON;
    while handle.counts().dead_lettered < 5 {
        assert!(subscriber.receive(NEVER).unwrap().is_none());
        assert!(Instant::now() < deadline, "{:?}, {:?}", handle.counts(), handle.last_error());
    }
    subscriber.acknowledge(0, 2);
    end(subscriber, &handle);
    feed.wait_for_messages(0, 0);
    let dead = dead_letters(&feed);
    let reasons: Vec<&str> = dead.iter().map(|(letter, _)| letter.reason.as_str()).collect();
    for part in ["magic", "wire version is 9", "crc32c", "shard 1 of 2", "foreign"] {
        assert!(reasons.iter().any(|reason| reason.contains(part)), "{part}: {reasons:?}");
    }
    assert!(
        dead.iter()
            .all(|(letter, _)| letter.queue
                == topology::frames_queue(&feed.name, &"apple".parse().unwrap(), 0))
    );
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_shard_that_is_released_while_its_poison_is_dead_lettered_has_it_stored_once() {
    let feed = HandFeed::new("poison-release");
    let run = RunId::random();
    let (mut first, first_handle) = subscribe(&feed, run);
    first_handle.assign([0].into());
    feed.publish(&frame(run, 0, 0, 1, FrameFlags::TICKS));
    assert_eq!(seqs(&mut first, 1), [0]);
    let (mut second, second_handle) = subscribe(&feed, run);
    second_handle.assign([0].into());
    assert!(second.receive(NEVER).unwrap().is_none(), "one consumer at a time");
    for text in ["one", "two", "three"] {
        feed.publish_body(&topology::frames_exchange(&feed.name), "0", text.as_bytes());
    }
    feed.publish(&frame(run, 0, 1, 1, FrameFlags::TICKS));
    assert_eq!(seqs(&mut first, 1), [1]);
    // What came before it has been found out just now.
    first_handle.assign([].into());
    first.release(0);
    assert_eq!(seqs(&mut second, 2), [0, 1]);
    second.acknowledge(0, 2);
    end(first, &first_handle);
    end(second, &second_handle);
    feed.wait_for_messages(0, 0);
    let mut bodies: Vec<_> = dead_letters(&feed).into_iter().map(|(_, body)| body).collect();
    bodies.sort();
    assert_eq!(bodies, [&b"one"[..], b"three", b"two"]);
    assert_eq!(second_handle.counts().dead_lettered, 0);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_shard_goes_on_to_its_next_owner_where_no_dead_letter_can_be_stored() {
    let feed = HandFeed::new("poison-stays");
    let run = RunId::random();
    feed.refuse_dead_letters();
    feed.publish_body(&topology::frames_exchange(&feed.name), "0", b"not a frame");
    for owner in 0..2 {
        feed.publish(&frame(run, 0, owner, 1, FrameFlags::TICKS));
        let (mut subscriber, handle) = subscribe(&feed, run);
        handle.assign([0].into());
        assert!(seqs(&mut subscriber, owner as usize + 1).into_iter().eq(0..=owner));
        end(subscriber, &handle);
        assert_eq!(handle.counts().dead_lettered, 0);
    }
    feed.wait_for_messages(0, 3);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_message_with_headers_as_large_as_the_broker_takes_becomes_a_dead_letter() {
    let feed = HandFeed::new("poison-headers");
    let run = RunId::random();
    let exchange = topology::frames_exchange(&feed.name);
    feed.publish(&frame(run, 0, 0, 1, FrameFlags::TICKS));
    // RabbitMQ's own limit is a frame of 128 KiB.
    let sizes = [64 << 10, 100 << 10, 127 << 10];
    for size in sizes {
        let headers = Table::default().with("x-large", "a".repeat(size).as_str());
        feed.publish_message(&exchange, "0", &Message::transient(b"not a frame").with_headers(headers));
    }
    feed.publish(&frame(run, 0, 1, 1, FrameFlags::TICKS));
    let (mut subscriber, handle) = subscribe(&feed, run);
    handle.assign([0].into());
    assert_eq!(seqs(&mut subscriber, 2), [0, 1]);
    let deadline = Instant::now() + SOON;
    while handle.counts().dead_lettered < sizes.len() as u64 {
        assert!(subscriber.receive(NEVER).unwrap().is_none());
        assert!(Instant::now() < deadline, "{:?}, {:?}", handle.counts(), handle.last_error());
    }
    subscriber.acknowledge(0, 2);
    assert_eq!(handle.counts().lost, 0, "{:?}", handle.last_error());
    end(subscriber, &handle);
    feed.wait_for_messages(0, 0);
    let bodies: Vec<_> = dead_letters(&feed).into_iter().map(|(_, body)| body).collect();
    assert_eq!(bodies, vec![b"not a frame".to_vec(); sizes.len()]);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn more_poison_than_may_wait_is_left_to_the_broker_and_stored_once() {
    const POISON: u64 = 3 * intake::MAX_DEAD_LETTERING as u64;
    let feed = HandFeed::new("poison-many");
    let run = RunId::random();
    for number in 0..POISON {
        feed.publish_body(&topology::frames_exchange(&feed.name), "0", number.to_string().as_bytes());
    }
    feed.publish_all((0..10).map(|seq| frame(run, 0, seq, 1, FrameFlags::TICKS)));
    let (mut subscriber, handle) = subscribe(&feed, run);
    handle.assign([0].into());
    assert!(seqs(&mut subscriber, 10).into_iter().eq(0..10));
    subscriber.acknowledge(0, 10);
    let deadline = Instant::now() + SOON;
    while handle.counts().dead_lettered < POISON {
        assert!(subscriber.receive(NEVER).unwrap().is_none());
        assert!(Instant::now() < deadline, "{:?}, {:?}", handle.counts(), handle.last_error());
    }
    end(subscriber, &handle);
    feed.wait_for_messages(0, 0);
    let dead = dead_letters(&feed);
    let mut numbers: Vec<u64> =
        dead.iter().map(|(_, body)| String::from_utf8_lossy(body).parse().unwrap()).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..POISON));
    assert!(handle.counts().redelivered > 0, "none were left to the broker");
}
