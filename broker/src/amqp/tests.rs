use std::future::poll_fn;
use std::io::Write as _;
use std::time::Duration;

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, parse_frame};
use amq_protocol::protocol::{AMQPClass, BasicProperties, basic, channel};
use amq_protocol::types::{AMQPValue, FieldTable};
use bytes::Bytes;
use proptest::prelude::*;
use tokio::net::{TcpListener, TcpStream};

use super::Buffers;
use super::connection::AmqpConnection;
use super::incoming::{Incoming, Received};
use super::outgoing::{Envelope, Outgoing, Parts, write_frame};
use crate::BrokerUrl;
use crate::socket::Socket;

fn event_loop() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Everything that waits, written in steps of these sizes.
fn written(outgoing: &mut Outgoing, step: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while outgoing.bytes() > 0 {
        let before = out.len();
        let (slices, count) = outgoing.slices();
        for slice in &slices[..count] {
            out.write_all(slice).unwrap();
        }
        out.truncate(before + step);
        outgoing.advance(out.len() - before);
    }
    out
}

proptest! {
    #[test]
    fn a_message_is_cut_into_what_the_broker_takes(
        head in prop::collection::vec(any::<u8>(), 0..300),
        middle in prop::collection::vec(any::<u8>(), 0..28_000),
        tail in prop::collection::vec(any::<u8>(), 0..30),
        frame_max in 9usize..9000,
        step in 1usize..20_000,
    ) {
        let body = [&head[..], &middle, &tail].concat();
        let share_middle = || Bytes::copy_from_slice(&middle);
        let envelope = Envelope::new(7, "there", "3", true, BasicProperties::default().with_delivery_mode(2));
        let mut outgoing = Outgoing::default();
        for _ in 0..2 {
            let parts = Parts { head: &head, middle: &middle, share_middle: &share_middle, tail: &tail };
            outgoing.push_message(&envelope, &parts, frame_max);
        }
        let bytes = written(&mut outgoing, step);
        let mut rest = &bytes[..];
        for _ in 0..2 {
            let (after, method) = parse_frame(rest).unwrap();
            let publish = basic::Publish {
                exchange: "there".into(), routing_key: "3".into(), mandatory: true, immediate: false,
            };
            prop_assert_eq!(method, AMQPFrame::Method(7, AMQPClass::Basic(basic::AMQPMethod::Publish(publish))));
            let (after, header) = parse_frame(after).unwrap();
            let AMQPFrame::Header(7, header) = header else { panic!("{header}") };
            prop_assert_eq!(header.body_size, body.len() as u64);
            prop_assert_eq!(header.properties.delivery_mode(), &Some(2));
            let mut found = Vec::new();
            rest = after;
            while found.len() < body.len() {
                let (after, part) = parse_frame(rest).unwrap();
                let AMQPFrame::Body(7, part) = part else { panic!("{part}") };
                prop_assert!(part.len() + 8 <= frame_max);
                found.extend(part);
                rest = after;
            }
            prop_assert_eq!(&found, &body);
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn what_arrives_is_what_was_sent_however_it_is_cut(
        sizes in prop::collection::vec((1u16..4, prop_oneof![0usize..400, 30_000usize..200_000]), 1..12),
        frame_max in prop_oneof![100usize..2000, 100_000usize..140_000],
        steps in prop::collection::vec(1usize..100_000, 1..5),
    ) {
        let messages: Vec<_> = sizes
            .iter()
            .enumerate()
            .map(|(tag, (channel, size))| (*channel, tag as u64, vec![tag as u8; *size]))
            .collect();
        let bytes = interleaved(&messages, frame_max);
        let received = event_loop().block_on(receive(bytes, steps, messages.len()));
        for (channel, tag, body) in &messages {
            prop_assert!(received.iter().any(|received| matches!(
                received,
                Received::Delivery { channel: c, deliver, body: b }
                    if c == channel && deliver.delivery_tag == *tag && b == body
            )), "{channel} {tag}");
        }
        let order = |channel: u16| received.iter().filter_map(move |received| match received {
            Received::Delivery { channel: c, deliver, .. } if *c == channel => Some(deliver.delivery_tag),
            _ => None,
        });
        (1..4).for_each(|channel| assert!(order(channel).is_sorted()));
    }

    #[test]
    fn arbitrary_bytes_are_an_error_and_no_panic(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0u8..4, Just(0xce)], 0..400),
    ) {
        let mut all = bytes;
        all.extend([0; 300_000]);
        event_loop().block_on(async {
            let mut socket = peer(all, vec![100_000]).await;
            let mut incoming = Incoming::new(Buffers::new());
            while poll_fn(|cx| incoming.poll_read(&mut socket, cx)).await.is_ok_and(|read| read > 0) {
                let received = std::iter::from_fn(|| incoming.next().transpose());
                if received.into_iter().any(|received| received.is_err()) {
                    return;
                }
            }
            panic!("zeros are no frames");
        });
    }
}

#[test]
fn headers_may_be_as_large_as_the_frames_that_were_agreed() {
    const FRAME_MAX: usize = 128 << 10;
    let headers = |bytes: usize| {
        let mut table = FieldTable::default();
        table.insert("x-large".into(), AMQPValue::LongString(vec![b'a'; bytes].into()));
        BasicProperties::default().with_headers(table)
    };
    // What AMQP puts around the text.
    let around = {
        let mut header = Vec::new();
        let content = AMQPContentHeader { class_id: 60, body_size: 1, properties: headers(0) };
        write_frame(&AMQPFrame::Header(1, content), &mut header);
        header.len()
    };
    let mut bytes = Vec::new();
    for (tag, size) in [100 << 10, 0, FRAME_MAX - around, 64 << 10].into_iter().enumerate() {
        let deliver = deliver(tag as u64);
        write_frame(&AMQPFrame::Method(1, AMQPClass::Basic(basic::AMQPMethod::Deliver(deliver))), &mut bytes);
        let content = AMQPContentHeader { class_id: 60, body_size: 1, properties: headers(size) };
        write_frame(&AMQPFrame::Header(1, content), &mut bytes);
        write_frame(&AMQPFrame::Body(1, vec![tag as u8]), &mut bytes);
    }
    for steps in [vec![1 << 20], vec![1000, 70_000]] {
        let received = event_loop().block_on(receive_within(bytes.clone(), steps, 4, FRAME_MAX));
        for (tag, received) in received.iter().enumerate() {
            let Received::Delivery { deliver, body, .. } = received else { panic!("{received:?}") };
            assert_eq!((deliver.delivery_tag, &body[..]), (tag as u64, &[tag as u8][..]));
        }
    }
}

fn deliver(tag: u64) -> basic::Deliver {
    basic::Deliver {
        consumer_tag: "c".into(),
        delivery_tag: tag,
        redelivered: false,
        exchange: "e".into(),
        routing_key: "k".into(),
    }
}

/// Messages as a broker sends them: each channel's in order, frames of several in turn.
fn interleaved(messages: &[(u16, u64, Vec<u8>)], frame_max: usize) -> Vec<u8> {
    let mut channels: Vec<Vec<AMQPFrame>> = vec![Vec::new(); 4];
    for (channel, tag, body) in messages {
        let method = AMQPClass::Basic(basic::AMQPMethod::Deliver(deliver(*tag)));
        let properties = BasicProperties::default();
        let header = AMQPContentHeader { class_id: 60, body_size: body.len() as u64, properties };
        let frames = &mut channels[usize::from(*channel)];
        frames.extend([AMQPFrame::Method(*channel, method), AMQPFrame::Header(*channel, header)]);
        frames.extend(body.chunks(frame_max - 8).map(|part| AMQPFrame::Body(*channel, part.to_vec())));
    }
    let longest = channels.iter().map(Vec::len).max().unwrap_or(0);
    let mut bytes = Vec::new();
    for place in 0..longest {
        for frame in channels.iter().filter_map(|frames| frames.get(place)) {
            write_frame(frame, &mut bytes);
            write_frame(&AMQPFrame::Heartbeat, &mut bytes);
        }
    }
    bytes
}

/// A socket at whose other end somebody writes this, in steps of these sizes, and closes.
async fn peer(bytes: Vec<u8>, steps: Vec<usize>) -> Socket {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let mut rest = &bytes[..];
        for step in steps.into_iter().cycle() {
            let (now, later) = rest.split_at(step.min(rest.len()));
            // Whoever has seen enough reads no more.
            if now.is_empty() || stream.write_all(now).is_err() {
                return;
            }
            rest = later;
        }
    });
    Socket::Plain(listener.accept().await.unwrap().0)
}

async fn receive(bytes: Vec<u8>, steps: Vec<usize>, messages: usize) -> Vec<Received> {
    receive_within(bytes, steps, messages, 0).await
}

async fn receive_within(
    bytes: Vec<u8>,
    steps: Vec<usize>,
    messages: usize,
    frame_max: usize,
) -> Vec<Received> {
    let mut socket = peer(bytes, steps).await;
    let buffers = Buffers::new();
    let mut incoming = Incoming::new(buffers.clone());
    incoming.set_frame_max(frame_max);
    // One that was used before holds other bytes.
    buffers.give(vec![0xff; 100_000]);
    let mut received = Vec::new();
    while received.len() < messages {
        while let Some(one) = incoming.next().unwrap() {
            received.push(one);
        }
        if received.len() < messages {
            assert!(poll_fn(|cx| incoming.poll_read(&mut socket, cx)).await.unwrap() > 0, "it was cut off");
        }
    }
    received
}

async fn connected() -> (AmqpConnection, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let url: BrokerUrl = format!("amqp://{address}").parse().unwrap();
    let (ours, theirs) = tokio::join!(TcpStream::connect(address), listener.accept());
    (AmqpConnection::new(&url, "a test", Socket::Plain(ours.unwrap()), Buffers::none()), theirs.unwrap().0)
}

#[test]
fn a_peer_that_falls_silent_is_gone_and_one_that_was_not_read_is_not() {
    event_loop().block_on(async {
        let (mut connection, theirs) = connected().await;
        connection.heartbeat = Duration::from_millis(20);
        let until_late = || tokio::time::sleep(Duration::from_millis(50));
        let mut beat = Vec::new();
        write_frame(&AMQPFrame::Heartbeat, &mut beat);
        theirs.writable().await.unwrap();
        assert_eq!(theirs.try_write(&beat).unwrap(), beat.len());
        until_late().await;
        connection.beat().expect("it has said something meanwhile");
        assert!(connection.try_next().unwrap().is_none());
        until_late().await;
        let error = connection.beat().unwrap_err().to_string();
        assert!(error.contains("nothing came for"), "{error}");
        // Ours went out.
        let mut read = [0; 8];
        theirs.readable().await.unwrap();
        assert_eq!((theirs.try_read(&mut read).unwrap(), read.to_vec()), (8, beat));
    });
}

#[test]
fn what_the_broker_closes_has_its_own_message() {
    event_loop().block_on(async {
        let (mut connection, theirs) = connected().await;
        let close = |code, text: &str| channel::Close {
            reply_code: code,
            reply_text: text.into(),
            class_id: 0,
            method_id: 0,
        };
        let error = connection.channel_closed(&close(404, "no queue 'a'")).to_string();
        assert!(error.contains("no queue 'a'"), "{error}");
        drop(theirs);
        let error = poll_fn(|cx| connection.poll_next(cx)).await.unwrap_err().to_string();
        assert!(error.contains("the broker closed it"), "{error}");
    });
}
