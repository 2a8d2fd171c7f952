//! What a dead letter claims to be, if anything: a frame of a feed.

use serde_json::{Value, json};
use tick_feed::{Frame, FrameFlags, FrameHeader};

use crate::text::{counted, thousands};

/// How much of a body is shown.
const FIRST_BYTES: usize = 256;
/// Of a body in JSON.
const FIRST_BYTES_JSON: usize = 4096;

/// What is known of a body as a frame, each with its name.
pub(super) fn facts(body: &[u8]) -> Vec<(&'static str, String)> {
    match FrameHeader::claimed(body) {
        Err(error) => vec![("Frame", format!("no: {error}"))],
        Ok((header, ticks)) => {
            let check = match Frame::decode(body.to_vec()) {
                Ok(_) => "whole: the frame itself is valid".to_owned(),
                Err(error) => error.to_string(),
            };
            vec![("Frame", claims(&header, ticks)), ("Run", header.run.to_string()), ("Check", check)]
        }
    }
}

fn claims(header: &FrameHeader, ticks: u32) -> String {
    let kind = match header.flags {
        flags if flags.contains(FrameFlags::END_OF_RUN) => "end of run, ",
        flags if flags.contains(FrameFlags::HEARTBEAT) => "heartbeat, ",
        flags if flags.contains(FrameFlags::DICTIONARY) => "dictionary, ",
        _ => "",
    };
    format!(
        "{kind}shard {} of {}, seq {} and on, {}, attempt {}",
        header.shard,
        header.shards,
        thousands(header.first_seq),
        counted(ticks.into(), "tick"),
        header.attempt
    )
}

/// The first bytes, 16 a line: offset, hexadecimal, and what of it is text.
pub(super) fn hex_dump(body: &[u8]) -> String {
    let mut text = String::new();
    for (line, bytes) in body.chunks(16).take(FIRST_BYTES / 16).enumerate() {
        let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let shown =
            |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' };
        let ascii: String = bytes.iter().map(shown).collect();
        text.push_str(&format!("{:06x}  {:<47}  {ascii}\n", line * 16, hex.join(" ")));
    }
    if body.len() > FIRST_BYTES {
        text.push_str(&format!("and {} more\n", counted((body.len() - FIRST_BYTES) as u64, "byte")));
    }
    text
}

/// What a body claims to be, and its first bytes.
pub(super) fn json(body: &[u8]) -> Value {
    let claimed = FrameHeader::claimed(body).ok();
    json!({
        "claimed": claimed.map(|(header, ticks)| json!({
            "run": header.run,
            "shard": header.shard,
            "shards": header.shards,
            "first_seq": header.first_seq,
            "ticks": ticks,
            "attempt": header.attempt,
        })),
        "firstBytes": hex(body),
    })
}

/// The first bytes in hexadecimal.
pub(super) fn hex(body: &[u8]) -> String {
    body.iter().take(FIRST_BYTES_JSON).map(|byte| format!("{byte:02x}")).collect()
}
