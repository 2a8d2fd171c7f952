//! However the stream is cut, the same messages come of it, and nothing above the limit is kept.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use signalr::protocol::{FrameError, Protocol, Splitter};

const LIMIT: usize = 40;

/// A message in its frame; `length` may be above the limit.
fn framed(protocol: Protocol, length: usize, longer_prefix: usize) -> Vec<u8> {
    if protocol == Protocol::Json {
        return [vec![b'x'; length], vec![0x1e]].concat();
    }
    let mut prefix = vec![length as u8 | 0x80; 1];
    prefix.extend(vec![0x80; longer_prefix]);
    prefix.push(0);
    [prefix, vec![b'x'; length]].concat()
}

/// The lengths of the messages, as the simplest reader finds them in all bytes at once.
fn expected(frames: &[(Protocol, usize, usize)]) -> (Vec<usize>, bool) {
    let mut lengths = Vec::new();
    for (protocol, length, longer_prefix) in frames {
        if *protocol == Protocol::MessagePack && *length == 0 {
            return (lengths, true);
        }
        if framed(*protocol, *length, *longer_prefix).len() > LIMIT {
            return (lengths, true);
        }
        lengths.push(*length);
    }
    (lengths, false)
}

fn split(protocol: Protocol, pieces: &[Bytes], drain_every: usize) -> (Vec<usize>, bool) {
    let mut splitter = Splitter::new(protocol, LIMIT);
    let mut lengths = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        splitter.push(piece);
        if index % drain_every != 0 && index + 1 < pieces.len() {
            continue;
        }
        loop {
            match splitter.next_message() {
                Ok(Some(message)) => {
                    assert!(message.iter().all(|byte| *byte == b'x'));
                    lengths.push(message.len());
                }
                Ok(None) => break,
                Err(FrameError::TooLong { limit_bytes: LIMIT } | FrameError::Length) => {
                    return (lengths, true);
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
    (lengths, false)
}

fn pieces(bytes: &[u8], cuts: &[usize]) -> Vec<Bytes> {
    let mut rest = Bytes::copy_from_slice(bytes);
    let mut pieces = Vec::new();
    for cut in cuts {
        pieces.push(rest.split_to((*cut).min(rest.len())));
    }
    pieces.push(rest);
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn any_cut_gives_the_same_messages(
        is_json in any::<bool>(),
        frames in vec((0..45usize, 0..4usize), 0..8),
        cuts in vec(0..30usize, 0..20),
        drain_every in 1..5usize,
    ) {
        let protocol = if is_json { Protocol::Json } else { Protocol::MessagePack };
        let frames: Vec<_> = frames.iter().map(|(length, longer)| (protocol, *length, *longer)).collect();
        let bytes: Vec<u8> = frames.iter().flat_map(|(protocol, length, longer)| framed(*protocol, *length, *longer)).collect();
        prop_assert_eq!(split(protocol, &pieces(&bytes, &cuts), drain_every), expected(&frames));
    }
}
