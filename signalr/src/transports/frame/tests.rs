use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// A frame as clients send it.
fn masked(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..=125 => frame.push(0x80 | short as u8),
        middle @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// What is read of pieces: all data, and the payloads of the pings.
#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    data: Vec<u8>,
    pings: Vec<Vec<u8>>,
    is_closed: bool,
}

fn read(mut bytes: Vec<u8>, cuts: &[Index]) -> Result<Read, Violation> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    let mut decoder = Decoder::default();
    let mut read = Read::default();
    for pair in cuts.windows(2) {
        let mut piece = &mut bytes[pair[0]..pair[1]];
        while let Some(event) = decoder.next(&mut piece)? {
            match event {
                Event::Data(data) => read.data.extend_from_slice(data),
                Event::Ping(payload) => read.pings.push(payload),
                Event::Pong => {}
                Event::Close => read.is_closed = true,
            }
        }
        assert!(piece.is_empty());
    }
    Ok(read)
}

/// A message in fragments, each of which may follow a Ping.
#[derive(Clone, Debug)]
struct Message {
    opcode: u8,
    fragments: Vec<(Option<Vec<u8>>, Vec<u8>)>,
}

fn message() -> impl Strategy<Value = Message> {
    let payload = prop_oneof![20 => vec(any::<u8>(), 0..300), 1 => vec(any::<u8>(), 65_530..65_560)];
    let ping = prop::option::of(vec(any::<u8>(), 0..=LONGEST_CONTROL));
    let binary = vec((ping.clone(), payload), 1..4).prop_map(|fragments| Message { opcode: 2, fragments });
    let text = (any::<String>(), vec((ping, any::<Index>()), 1..4)).prop_map(|(text, pieces)| {
        let mut rest = text.into_bytes();
        let last = pieces.len() - 1;
        let mut fragments = Vec::new();
        for (at, (ping, cut)) in pieces.into_iter().enumerate() {
            let length = if at == last { rest.len() } else { cut.index(rest.len() + 1) };
            let tail = rest.split_off(length);
            fragments.push((ping, std::mem::replace(&mut rest, tail)));
        }
        Message { opcode: 1, fragments }
    });
    prop_oneof![binary, text]
}

fn encode(messages: &[Message], mask: [u8; 4]) -> (Vec<u8>, Read) {
    let mut bytes = Vec::new();
    let mut expected = Read::default();
    for message in messages {
        let last = message.fragments.len() - 1;
        for (at, (ping, payload)) in message.fragments.iter().enumerate() {
            if let Some(ping) = ping {
                bytes.extend(masked(0x89, ping, mask));
                expected.pings.push(ping.clone());
            }
            let opcode = if at == 0 { message.opcode } else { 0 };
            let is_last = if at == last { 0x80 } else { 0 };
            bytes.extend(masked(opcode | is_last, payload, mask));
            expected.data.extend_from_slice(payload);
        }
    }
    (bytes, expected)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn messages_are_read_whatever_the_fragments_masks_and_cuts(
        messages in vec(message(), 1..4),
        mask in any::<[u8; 4]>(),
        cuts in vec(any::<Index>(), 0..20),
    ) {
        let (bytes, expected) = encode(&messages, mask);
        prop_assert_eq!(read(bytes, &cuts), Ok(expected));
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_are_refused_alike_wherever_they_are_cut(
        bytes in vec(any::<u8>(), 0..400),
        cuts in vec(any::<Index>(), 0..20),
    ) {
        let whole = read(bytes.clone(), &[]).map_err(|_| ());
        let cut = read(bytes, &cuts).map_err(|_| ());
        prop_assert_eq!(whole, cut);
    }

    #[test]
    fn frames_with_any_two_bytes_changed_never_panic(
        messages in vec(message(), 1..3),
        changes in vec((any::<Index>(), any::<u8>()), 2),
        cuts in vec(any::<Index>(), 0..5),
    ) {
        let (mut bytes, _) = encode(&messages, [1, 2, 3, 4]);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = read(bytes, &cuts);
    }

    #[test]
    fn a_sealed_frame_has_its_length_in_the_shortest_form(
        payload in prop_oneof![vec(any::<u8>(), 0..400), vec(any::<u8>(), 65_530..65_545)],
        is_text in any::<bool>(),
    ) {
        let mut buffer = vec![0; HEADER_ROOM];
        buffer.extend_from_slice(&payload);
        let format = if is_text { Format::Text } else { Format::Binary };
        let start = seal(&mut buffer, format);
        let expected = masked(if is_text { 0x81 } else { 0x82 }, &payload, [0; 4]);
        // The same as a client's frame with a mask of zeros, but for the mask's bit and bytes.
        let mut sealed = buffer[start..].to_vec();
        let header = sealed.len() - payload.len();
        sealed[1] |= 0x80;
        sealed.splice(header..header, [0; 4]);
        prop_assert_eq!(sealed, expected);
    }
}

#[test]
fn what_rfc_6455_forbids_is_refused_as_soon_as_it_shows() {
    let unmasked = vec![0x81, 1, b'x'];
    let reserved_bit = masked(0xc1, b"x", [0; 4]);
    let reserved_opcode = masked(0x83, b"x", [0; 4]);
    let continuation_of_nothing = masked(0x80, b"x", [0; 4]);
    let text_within_text = [masked(0x01, b"x", [0; 4]), masked(0x81, b"y", [0; 4])].concat();
    let long_ping = masked(0x89, &[0; 126], [0; 4]);
    let fragmented_ping = masked(0x09, b"x", [0; 4]);
    let negative_length = [&[0x82, 0xff, 0x80][..], &[0; 11]].concat();
    let close_of_one_byte = masked(0x88, &[3], [0; 4]);
    let close_1006 = masked(0x88, &1006_u16.to_be_bytes(), [0; 4]);
    let close_2000 = masked(0x88, &2000_u16.to_be_bytes(), [0; 4]);
    for refused in [
        unmasked,
        reserved_bit,
        reserved_opcode,
        continuation_of_nothing,
        text_within_text,
        long_ping,
        fragmented_ping,
        negative_length,
        close_of_one_byte,
        close_1006,
        close_2000,
    ] {
        assert_eq!(read(refused.clone(), &[]), Err(Violation::Frame), "{refused:?}");
    }
    assert_eq!(read(vec![0x83, 0x80], &[]), Err(Violation::Frame), "two bytes are enough");
}

#[test]
fn text_has_to_be_utf_8_over_fragments_but_not_beyond_its_message() {
    let euro = "€".as_bytes();
    let fragments = [masked(0x01, &euro[..1], [7; 4]), masked(0x80, &euro[1..], [9; 4])].concat();
    assert_eq!(read(fragments, &[]).map(|read| read.data), Ok(euro.to_vec()));
    let two_messages = [masked(0x81, &euro[..1], [7; 4]), masked(0x81, &euro[1..], [9; 4])].concat();
    assert_eq!(read(two_messages, &[]), Err(Violation::Text));
    assert_eq!(read(masked(0x82, &euro[..1], [7; 4]), &[]).map(|read| read.data.len()), Ok(1));
    let reason = [&1000_u16.to_be_bytes()[..], &euro[..1]].concat();
    assert_eq!(read(masked(0x88, &reason, [0; 4]), &[]), Err(Violation::Text));
}

#[test]
fn close_frames_of_all_allowed_codes_are_read() {
    assert!(read(masked(0x88, &[], [5; 4]), &[]).is_ok_and(|read| read.is_closed));
    for code in [1000_u16, 1001, 1003, 1007, 1011, 3000, 4321, 4999] {
        let close = masked(0x88, &[&code.to_be_bytes()[..], b"reason"].concat(), [5; 4]);
        assert!(read(close, &[]).is_ok_and(|read| read.is_closed), "{code}");
    }
}

#[test]
fn an_announced_length_costs_nothing() {
    let mut decoder = Decoder::default();
    let mut header = [&[0x82, 0xff, 0x7f][..], &[0xff; 7], &[0; 4]].concat();
    assert_eq!(decoder.next(&mut header.as_mut_slice()), Ok(None));
    let mut some = *b"some bytes";
    assert_eq!(decoder.next(&mut some.as_mut_slice()), Ok(Some(Event::Data(b"some bytes"))));
    assert_eq!(decoder.control.capacity(), 0);
}

#[test]
fn answers_to_pings_and_closes_are_single_unmasked_frames() {
    assert_eq!(pong(b"abc"), b"\x8a\x03abc");
    assert_eq!(close(1000), [0x88, 2, 0x03, 0xe8]);
}
