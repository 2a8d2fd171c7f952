//! What every transport promises; each implementation runs the suite.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::*;
use crate::{FrameFlags, FrameHeader};
use tick_sdk::names::RunId;
use tick_sdk::{Side, Tick};

const SOON: Duration = Duration::from_secs(10);
const NOW: Duration = Duration::from_millis(1);

fn frame(seq: u64) -> Arc<Frame> {
    let header = FrameHeader {
        run: RunId([1; 16]),
        shard: 0,
        shards: 1,
        attempt: 0,
        first_seq: seq,
        published_at: 0,
        watermark: seq,
        flags: FrameFlags::TICKS,
    };
    Arc::new(Frame::owned(header, vec![Tick::trade(seq, seq, 1, 1, Side::NONE)]))
}

macro_rules! conformance {
    ($name:ident, $make:expr) => {
        mod $name {
            use super::*;

            #[test]
            fn frames_arrive_whole_and_in_order() {
                let (sender, mut receiver) = $make(4);
                let sending =
                    thread::spawn(move || (0..1000).for_each(|seq| sender.send(frame(seq)).unwrap()));
                for seq in 0..1000 {
                    let Some(Arrival::Frame(received, _)) = receiver.receive(SOON).unwrap() else {
                        panic!("a frame was sent")
                    };
                    assert_eq!((received.header.first_seq, received.ticks().len()), (seq, 1));
                }
                sending.join().unwrap();
            }

            #[test]
            fn a_sender_waits_at_the_bound() {
                let (sender, mut receiver) = $make(4);
                let sent = Arc::new(AtomicU64::new(0));
                let counter = sent.clone();
                let sending = thread::spawn(move || {
                    for seq in 0..100 {
                        sender.send(frame(seq)).unwrap();
                        counter.fetch_add(1, Ordering::SeqCst);
                    }
                });
                for received in 0..100 {
                    assert!(sent.load(Ordering::SeqCst) <= received + 4 + 1, "the bound does not hold");
                    receiver.receive(SOON).unwrap().expect("a frame was sent");
                }
                sending.join().unwrap();
            }

            #[test]
            fn what_was_sent_before_closing_still_arrives() {
                let (sender, mut receiver) = $make(4);
                sender.send(frame(0)).unwrap();
                drop(sender);
                assert!(receiver.receive(SOON).unwrap().is_some());
                assert_eq!(receiver.receive(SOON).unwrap_err(), TransportError::Closed);
            }

            #[test]
            fn silence_is_not_an_error_and_a_dropped_receiver_is() {
                let (sender, mut receiver) = $make(4);
                assert!(receiver.receive(NOW).unwrap().is_none());
                drop(receiver);
                assert_eq!(sender.send(frame(0)).unwrap_err(), TransportError::Closed);
            }
        }
    };
}

conformance!(in_process, crate::transport::in_process);
