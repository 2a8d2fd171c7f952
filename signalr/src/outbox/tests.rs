use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;

use super::*;

mod model;

const LARGE: usize = 1 << 20;

fn outbox(max_waiting_bytes: usize, max_replay_bytes: usize) -> Arc<Outbox> {
    Outbox::new(&Options { max_waiting_bytes, max_replay_bytes, ..Options::default() })
}

fn message(text: &str) -> Bytes {
    Bytes::from(format!("{text}\u{1e}"))
}

fn sized(bytes: usize) -> Bytes {
    message(&"x".repeat(bytes - 1))
}

/// What there is to be taken at once.
fn take(outbox: &Outbox, attachment: Attachment, limit_bytes: usize) -> Option<(Taken, Vec<u8>)> {
    let mut into = Vec::new();
    let taken = outbox.take(attachment, limit_bytes, &mut into).now_or_never()?;
    Some((taken, into))
}

fn texts(bytes: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(bytes).unwrap();
    text.split_terminator('\u{1e}').map(str::to_owned).collect()
}

fn take_texts(outbox: &Outbox, attachment: Attachment) -> Vec<String> {
    let (taken, bytes) = take(outbox, attachment, LARGE).expect("something waits");
    assert_eq!(taken, Taken::Messages(Format::Text));
    texts(&bytes)
}

const CLOSE_WITH_RECONNECT: &str = r#"{"type":7,"allowReconnect":true}"#;

#[test]
fn messages_of_every_length_leave_in_order_and_whole() {
    let outbox = outbox(LARGE, 0);
    let attachment = outbox.attach();
    let pushed: Vec<Bytes> = (0..200).map(|count| sized(1 + count * 37 % 3000)).collect();
    for message in &pushed {
        outbox.push(message, true).unwrap();
    }
    let mut all = Vec::new();
    while let Some((_, bytes)) = take(&outbox, attachment, 5000) {
        assert_eq!(bytes.last(), Some(&0x1e), "only whole messages");
        all.extend(bytes);
    }
    assert_eq!(all, pushed.concat());
}

#[test]
fn a_take_has_about_its_limit_and_at_least_one_message() {
    let outbox = outbox(LARGE, 0);
    let attachment = outbox.attach();
    for bytes in [5000, 2000, 2000, 2000] {
        outbox.push(&sized(bytes), true).unwrap();
    }
    let lengths: Vec<usize> =
        std::iter::from_fn(|| take(&outbox, attachment, 4500)).map(|(_, bytes)| bytes.len()).collect();
    assert_eq!(lengths, [5000, 4000, 2000]);
}

#[test]
fn what_is_taken_and_not_written_counts_until_more_is_asked_for() {
    let outbox = outbox(1000, 0);
    let attachment = outbox.attach();
    outbox.push(&sized(900), true).unwrap();
    take(&outbox, attachment, LARGE).unwrap();
    assert_eq!(outbox.push(&sized(200), true), Err(PushError::Full));

    let outbox = super::tests::outbox(1000, 0);
    let attachment = outbox.attach();
    outbox.push(&sized(900), true).unwrap();
    take(&outbox, attachment, LARGE).unwrap();
    assert_eq!(take(&outbox, attachment, LARGE), None);
    outbox.push(&sized(200), true).unwrap();
}

#[test]
fn a_message_above_the_limit_is_taken_alone() {
    let outbox = outbox(1000, 0);
    let attachment = outbox.attach();
    outbox.push(&sized(5000), true).unwrap();
    assert_eq!(take(&outbox, attachment, 100).unwrap().1.len(), 5000);
    assert_eq!(take(&outbox, attachment, 100), None);
    outbox.push(&sized(10), true).unwrap();
    assert_eq!(outbox.push(&sized(5000), true), Err(PushError::Full));
}

#[test]
fn a_full_outbox_drops_what_waits_and_closes_with_reconnect_allowed() {
    let outbox = outbox(1000, 0);
    let attachment = outbox.attach();
    outbox.opened(None);
    outbox.push(&sized(900), true).unwrap();
    assert_eq!(outbox.push(&sized(900), true), Err(PushError::Full));
    assert_eq!(outbox.push(&sized(1), true), Err(PushError::Closed));
    outbox.closed().now_or_never().expect("it is closed");
    assert_eq!(take_texts(&outbox, attachment), [CLOSE_WITH_RECONNECT]);
    assert_eq!(take(&outbox, attachment, LARGE), Some((Taken::Closed, Vec::new())));
}

#[test]
fn a_full_outbox_of_messagepack_says_so_in_messagepack() {
    let outbox = outbox(1000, 0);
    let attachment = outbox.attach();
    outbox.set_format(Format::Binary);
    outbox.opened(None);
    outbox.push(&sized(900), true).unwrap();
    outbox.push(&sized(900), true).unwrap_err();
    let close = vec![4, 0x93, 7, 0xc0, 0xc3];
    assert_eq!(take(&outbox, attachment, LARGE), Some((Taken::Messages(Format::Binary), close)));
}

#[test]
fn before_the_handshake_a_full_outbox_says_nothing() {
    let outbox = outbox(1000, 0);
    let attachment = outbox.attach();
    outbox.push(&sized(900), true).unwrap();
    outbox.push(&sized(900), true).unwrap_err();
    assert_eq!(take(&outbox, attachment, LARGE), Some((Taken::Closed, Vec::new())));
}

#[test]
fn text_and_binary_are_taken_apart() {
    let outbox = outbox(LARGE, 0);
    let attachment = outbox.attach();
    outbox.push(&message("{}"), false).unwrap();
    outbox.set_format(Format::Binary);
    outbox.push(&message("b"), true).unwrap();
    assert_eq!(take_texts(&outbox, attachment), ["{}"]);
    assert_eq!(
        take(&outbox, attachment, LARGE).unwrap(),
        (Taken::Messages(Format::Binary), b"b\x1e".to_vec())
    );
}

#[test]
fn what_waits_is_sent_before_the_last_message() {
    let outbox = outbox(LARGE, 0);
    let attachment = outbox.attach();
    outbox.push(&message("a"), true).unwrap();
    outbox.close(Some(message("last")));
    outbox.close(Some(message("later")));
    assert_eq!(take_texts(&outbox, attachment), ["a", "last"]);
    assert_eq!(take(&outbox, attachment, LARGE), Some((Taken::Closed, Vec::new())));
}

#[test]
fn the_latest_of_a_key_replaces_what_waits_in_its_place() {
    let outbox = outbox(LARGE, 0);
    let attachment = outbox.attach();
    let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
    outbox.push_latest(&a, &message("a1")).unwrap();
    outbox.push(&message("between"), true).unwrap();
    outbox.push_latest(&b, &message("b1")).unwrap();
    outbox.push_latest(&a, &message("a2, longer")).unwrap();
    assert_eq!(take_texts(&outbox, attachment), ["a2, longer", "between", "b1"]);
    outbox.push_latest(&a, &message("a3")).unwrap();
    assert_eq!(take_texts(&outbox, attachment), ["a3"]);
    assert_eq!(take(&outbox, attachment, LARGE), None);
    assert_eq!(outbox.lock().bytes_for_test(), 0);
}

#[test]
fn the_latest_of_few_keys_never_fills_an_outbox() {
    let outbox = outbox(1000, 0);
    let keys: [Arc<str>; 3] = ["a".into(), "b".into(), "c".into()];
    for count in 0..10_000 {
        outbox.push_latest(&keys[count % 3], &sized(1 + count % 100)).unwrap();
    }
}

#[test]
fn a_later_attachment_ends_the_earlier_one() {
    let outbox = outbox(LARGE, 0);
    let first = outbox.attach();
    let second = outbox.attach();
    outbox.push(&message("a"), true).unwrap();
    assert_eq!(take(&outbox, first, LARGE), Some((Taken::Superseded, Vec::new())));
    assert_eq!(take_texts(&outbox, second), ["a"]);
}

#[test]
fn countable_messages_wait_until_they_are_released_and_others_do_not() {
    let outbox = outbox(LARGE, 1000);
    let attachment = outbox.attach();
    outbox.push(&message("{}"), false).unwrap();
    outbox.number_messages();
    outbox.push(&message("counted"), true).unwrap();
    outbox.push(&message("ping"), false).unwrap();
    assert_eq!(take_texts(&outbox, attachment), ["{}", "ping"]);
    assert_eq!(take(&outbox, attachment, LARGE), None);
    outbox.release_countable();
    assert_eq!(take_texts(&outbox, attachment), ["counted"]);
}

#[test]
fn what_is_not_acknowledged_is_sent_again_after_its_sequence() {
    let outbox = outbox(LARGE, 1000);
    let first = outbox.attach();
    outbox.number_messages();
    outbox.release_countable();
    for text in ["a", "b", "c"] {
        outbox.push(&message(text), true).unwrap();
    }
    assert_eq!(take_texts(&outbox, first), ["a", "b", "c"]);
    outbox.acknowledge(1).unwrap();
    outbox.push(&message("d"), true).unwrap();
    let second = outbox.attach();
    outbox.push(&message("e"), true).unwrap();
    assert_eq!(take_texts(&outbox, second), [r#"{"type":9,"sequenceId":2}"#, "b", "c", "d", "e"]);
    outbox.acknowledge(5).unwrap();
    let third = outbox.attach();
    assert_eq!(take_texts(&outbox, third), [r#"{"type":9,"sequenceId":6}"#]);
}

#[test]
fn the_last_message_is_sent_again_when_another_socket_comes_for_it() {
    let outbox = outbox(LARGE, 1000);
    let first = outbox.attach();
    outbox.number_messages();
    outbox.release_countable();
    outbox.push(&message("a"), true).unwrap();
    outbox.close(Some(message("last")));
    assert_eq!(take_texts(&outbox, first), ["a", "last"]);
    let second = outbox.attach();
    assert_eq!(take_texts(&outbox, second), [r#"{"type":9,"sequenceId":1}"#, "a", "last"]);
    assert_eq!(take(&outbox, second, LARGE), Some((Taken::Closed, Vec::new())));
}

#[test]
fn a_stateful_client_that_does_not_acknowledge_costs_both_bounds_and_is_closed() {
    let outbox = outbox(1000, 1000);
    let attachment = outbox.attach();
    outbox.opened(None);
    outbox.number_messages();
    outbox.release_countable();
    let mut pushed = 0;
    while outbox.push(&sized(100), true).is_ok() {
        pushed += 100;
        let _ = take(&outbox, attachment, LARGE);
    }
    assert!((1000..=2000).contains(&pushed), "{pushed}");
    assert_eq!(take_texts(&outbox, attachment), [CLOSE_WITH_RECONNECT]);
}

#[tokio::test]
async fn who_waits_for_room_goes_on_when_there_is_some_and_nothing_is_lost() {
    let outbox = outbox(1000, 0);
    let attachment = outbox.attach();
    let senders: Vec<_> = (0..10)
        .map(|_| {
            let outbox = outbox.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    outbox.push_when_room(&sized(300), true).await.unwrap();
                }
            })
        })
        .collect();
    let mut received = 0;
    while received < 10 * 20 * 300 {
        let mut into = Vec::new();
        let taken = outbox.take(attachment, LARGE, &mut into).await;
        assert_eq!(taken, Taken::Messages(Format::Text));
        assert!(into.len() <= 1000);
        received += into.len();
    }
    for sender in senders {
        sender.await.unwrap();
    }
}

#[tokio::test]
async fn who_waits_for_room_learns_that_the_connection_has_ended() {
    let outbox = outbox(1000, 0);
    outbox.push(&sized(900), true).unwrap();
    let waits = tokio::spawn({
        let outbox = outbox.clone();
        async move { outbox.push_when_room(&sized(300), true).await }
    });
    tokio::task::yield_now().await;
    outbox.close(None);
    assert_eq!(waits.await.unwrap(), Err(PushError::Closed));
}

#[tokio::test(start_paused = true)]
async fn messages_gather_until_the_window_ends_and_the_first_after_a_pause_does_not_wait() {
    let gather = Gather::new(Duration::from_millis(20)).unwrap();
    gather.start();
    let outbox = outbox(LARGE, 0);
    let attachment = outbox.attach();
    outbox.push(&message("{}"), false).unwrap();
    outbox.opened(Some(gather.clone()));
    assert_eq!(take_texts(&outbox, attachment), ["{}"], "the handshake's answer does not gather");
    tokio::time::sleep(Duration::from_millis(105)).await;

    outbox.push(&message("a"), true).unwrap();
    let begin = tokio::time::Instant::now();
    let mut into = Vec::new();
    outbox.take(attachment, LARGE, &mut into).await;
    assert_eq!((texts(&into), begin.elapsed()), (vec!["a".to_owned()], Duration::ZERO));

    outbox.push(&message("b"), true).unwrap();
    assert_eq!(take(&outbox, attachment, LARGE), None);
    outbox.push(&message("c"), true).unwrap();
    let mut into = Vec::new();
    outbox.take(attachment, LARGE, &mut into).await;
    assert_eq!(texts(&into), ["b", "c"]);
    assert!(begin.elapsed() <= Duration::from_millis(21), "{:?}", begin.elapsed());
}

#[test]
fn a_batch_for_which_nothing_waits_is_shared_and_others_keep_their_order() {
    let outbox = outbox(LARGE, 0);
    let attachment = outbox.attach();
    let batch = |texts: &[&str]| {
        let mut gathering = Gathering::default();
        texts.iter().for_each(|text| gathering.push(&message(text)));
        gathering.finish()
    };
    outbox.push_batch(&batch(&["a", "b"]), true);
    assert_eq!(outbox.lock().tail_for_test(), 0, "nothing is copied");
    outbox.push(&message("c"), true).unwrap();
    outbox.push_batch(&batch(&["d"]), true);
    assert_eq!(outbox.lock().bytes_for_test(), 8);
    assert_eq!(take_texts(&outbox, attachment), ["a", "b", "c", "d"]);
    assert_eq!(take(&outbox, attachment, LARGE), None);
    assert_eq!(outbox.lock().bytes_for_test(), 0);
}

#[tokio::test]
async fn the_end_does_not_wait_for_a_window() {
    let gather = Gather::new(Duration::from_secs(3600)).unwrap();
    let outbox = outbox(LARGE, 0);
    let attachment = outbox.attach();
    outbox.opened(Some(gather));
    outbox.push(&message("a"), true).unwrap();
    assert_eq!(take(&outbox, attachment, LARGE), None);
    outbox.close(Some(message("last")));
    assert_eq!(take_texts(&outbox, attachment), ["a", "last"]);
}

#[test]
fn an_idle_outbox_keeps_no_memory_for_what_has_gone() {
    let outbox = outbox(LARGE, 0);
    let attachment = outbox.attach();
    for _ in 0..500 {
        outbox.push(&sized(900), true).unwrap();
    }
    while take(&outbox, attachment, LARGE).is_some() {}
    assert!(outbox.lock().kept_for_test() <= 1024);
}
