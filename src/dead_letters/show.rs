//! Dead letters for people, and for machines.

use serde_json::{Value, json};
use tick_feed::rabbitmq::{DeadLetter, DeadLetters};
use tick_feed::{Frame, FrameFlags, FrameHeader};

use crate::duration::format_time;
use crate::text::{bytes, counted, printable, thousands};

/// How much of a body is shown.
const FIRST_BYTES: usize = 256;
/// Of a body in JSON.
const FIRST_BYTES_JSON: usize = 4096;

/// All of them, one a line.
pub(super) fn list(letters: &DeadLetters, several_brokers: bool) -> String {
    if letters.is_empty() {
        return "no dead letters\n".to_owned();
    }
    let mut rows = vec![["N", "stored (UTC)", "size", "queue", "why"].map(str::to_owned)];
    for (place, (broker, letter)) in letters.iter().enumerate() {
        let queue = if several_brokers {
            format!("{} on {broker}", printable(&letter.queue))
        } else {
            printable(&letter.queue)
        };
        rows.push([
            (place + 1).to_string(),
            time(letter),
            bytes(letter.body.len() as u64),
            queue,
            printable(letter.reason.lines().next().unwrap_or("-")),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [number, stored, size, queue] = [0, 1, 2, 3].map(width);
    let line = |[n, at, bytes, from, why]: &[String; 5]| {
        format!("{n:>number$}  {at:<stored$}  {bytes:>size$}  {from:<queue$}  {why}\n")
    };
    rows.iter().map(line).collect()
}

/// One of them in full.
pub(super) fn letter(number: usize, letter: &DeadLetter) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| text.push_str(&format!("{name:<13}{value}\n"));
    line("Dead letter", number.to_string());
    line("Why", printable(&letter.reason));
    line("Stored", format!("{} UTC", time(letter)));
    line("Queue", or_unknown(&letter.queue));
    let exchange = if letter.exchange.is_empty() { "the default exchange" } else { &letter.exchange };
    line("Came by", format!("{}, routing key '{}'", printable(exchange), printable(&letter.routing_key)));
    line("Size", counted(letter.body.len() as u64, "byte"));
    match FrameHeader::claimed(&letter.body) {
        Err(error) => line("Frame", format!("no: {error}")),
        Ok((header, ticks)) => {
            line("Frame", claims(&header, ticks));
            line("Run", header.run.to_string());
            match Frame::decode(letter.body.clone()) {
                Ok(_) => line("Check", "whole: the frame itself is valid".to_owned()),
                Err(error) => line("Check", error.to_string()),
            }
        }
    }
    text.push('\n');
    text.push_str(&hex_dump(&letter.body));
    text
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
fn hex_dump(body: &[u8]) -> String {
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

/// All of them as an array on one line.
pub(super) fn json_list(letters: &DeadLetters) -> String {
    let all = letters.iter().enumerate().map(|(place, (_, letter))| json(place + 1, letter, false));
    format!("{}\n", Value::Array(all.collect()))
}

/// One of them, with its first bytes if asked for.
pub(super) fn json(number: usize, letter: &DeadLetter, with_body: bool) -> Value {
    let claimed = FrameHeader::claimed(&letter.body).ok();
    let hex = |body: &[u8]| {
        body.iter().take(FIRST_BYTES_JSON).map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    json!({
        "number": number,
        "reason": letter.reason,
        "queue": letter.queue,
        "exchange": letter.exchange,
        "routing_key": letter.routing_key,
        "at": letter.at,
        "bytes": letter.body.len(),
        "claimed": claimed.map(|(header, ticks)| json!({
            "run": header.run,
            "shard": header.shard,
            "shards": header.shards,
            "first_seq": header.first_seq,
            "ticks": ticks,
            "attempt": header.attempt,
        })),
        "first_bytes": with_body.then(|| hex(&letter.body)),
    })
}

fn time(letter: &DeadLetter) -> String {
    if letter.at == 0 { "unknown".to_owned() } else { format_time(letter.at) }
}

fn or_unknown(text: &str) -> String {
    if text.is_empty() { "unknown".to_owned() } else { printable(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter_of(body: &[u8]) -> DeadLetter {
        DeadLetter {
            reason: "it does not begin with the magic of a frame".to_owned(),
            queue: "orchard.btc.apple.0".to_owned(),
            exchange: "abroad".to_owned(),
            routing_key: "0".to_owned(),
            at: 1_723_075_200_000_000_000,
            body: body.to_vec(),
        }
    }

    #[test]
    fn a_foreign_message_is_shown_with_its_first_bytes() {
        let expected = "\
Dead letter  3
Why          it does not begin with the magic of a frame
Stored       2024-08-08 00:00:00.000 UTC
Queue        orchard.btc.apple.0
Came by      abroad, routing key '0'
Size         18 bytes
Frame        no: it does not begin with the magic of a frame: it is something else's message

000000  48 65 6c 6c 6f 1b 77 6f 72 6c 64 20 20 20 20 20  Hello.world     
000010  2e 2e                                            ..
";
        assert_eq!(letter(3, &letter_of(b"Hello\x1bworld     ..")), expected);
    }

    #[test]
    fn a_damaged_frame_says_which_one_it_claims_to_be() {
        let mut body = std::fs::read("tick-feed/tests/golden/frame-v1.bin").unwrap();
        let last = body.len() - 1;
        body[last] ^= 1;
        let text = letter(1, &letter_of(&body));
        assert!(text.contains("attempt") && text.contains("crc32c"), "{text}");
        let value = json(1, &letter_of(&body), true);
        assert_eq!(value["claimed"]["shard"], 1);
        assert!(value["first_bytes"].as_str().unwrap().starts_with("4f524652"));
    }
}
