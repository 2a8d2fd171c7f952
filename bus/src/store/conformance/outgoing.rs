//! What transactions send: commands, and messages for a broker.

use super::*;

pub(super) fn message(number: u8, bytes: usize) -> OutgoingMessage {
    OutgoingMessage {
        exchange: format!("exchange {number}"),
        key: if number.is_multiple_of(2) { String::new() } else { "key".to_owned() },
        is_mandatory: number.is_multiple_of(2),
        properties: vec![0, 0xff, number],
        body: vec![number; bytes],
    }
}

fn send_messages(store: &dyn Store, messages: &[OutgoingMessage]) {
    let mut transaction = store.begin().unwrap();
    transaction.send_messages(messages).unwrap();
    transaction.commit().unwrap();
}

pub(in crate::store) fn outgoing_commands_are_kept_until_forgotten(store: &dyn Store) {
    for number in 1..=3 {
        let mut transaction = store.begin().unwrap();
        transaction.send(&[command(number, "A")]).unwrap();
        transaction.commit().unwrap();
    }
    let all = store.outgoing(9).unwrap();
    assert_eq!(
        all.iter().map(|(_, sent)| sent.clone()).collect::<Vec<_>>(),
        [1, 2, 3].map(|n| command(n, "A"))
    );
    assert_eq!(store.outgoing(2).unwrap(), all[..2]);
    store.forget_outgoing(all[1].0).unwrap();
    assert_eq!(store.outgoing(9).unwrap(), all[2..]);
    store.forget_outgoing(all[2].0).unwrap();
    // A place is not given again: whoever forgets late forgets nothing new.
    let mut transaction = store.begin().unwrap();
    transaction.send(&[command(4, "A")]).unwrap();
    transaction.commit().unwrap();
    store.forget_outgoing(all[2].0).unwrap();
    assert_eq!(store.outgoing(9).unwrap().len(), 1);
}

pub(in crate::store) fn messages_and_commands_do_not_wait_for_each_other(store: &dyn Store) {
    let messages = [1, 2, 3].map(|number| message(number, 10));
    let mut transaction = store.begin().unwrap();
    transaction.send(&[command(1, "A")]).unwrap();
    transaction.send_messages(&messages).unwrap();
    transaction.commit().unwrap();
    let all = store.outgoing_messages(9).unwrap();
    assert!(all.is_sorted_by_key(|(place, _)| *place));
    assert_eq!(all.iter().map(|(_, sent)| sent.clone()).collect::<Vec<_>>(), messages);
    assert_eq!(store.outgoing_messages(2).unwrap(), all[..2]);
    assert_eq!(names(store), [""; 0], "no event says so");
    store.forget_outgoing_messages(all[2].0).unwrap();
    assert_eq!(store.outgoing_messages(9).unwrap(), []);
    assert_eq!(store.outgoing(9).unwrap().len(), 1);
    // A place is not given again: whoever forgets late forgets nothing new.
    send_messages(store, &messages[..1]);
    store.forget_outgoing_messages(all[2].0).unwrap();
    store.forget_outgoing(u64::from(u32::MAX)).unwrap();
    assert_eq!(store.outgoing_messages(9).unwrap().len(), 1);
}

pub(in crate::store) fn outgoing_messages_are_bounded_in_bytes(store: &dyn Store) {
    let large = [1, 2, 3, 4].map(|number| message(number, LARGEST_READ / 2));
    send_messages(store, &large);
    assert_eq!(store.outgoing_messages(9).unwrap().len(), 2);
    let larger = message(5, LARGEST_READ + 1);
    store.forget_outgoing_messages(u64::from(u32::MAX)).unwrap();
    send_messages(store, &[larger.clone(), larger]);
    assert_eq!(store.outgoing_messages(9).unwrap().len(), 1, "one in any case");
}
