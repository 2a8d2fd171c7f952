//! Who serves a context, and notes of what may end a process. That a process has ended, only other processes can show:
//! `tests/aborts/`.

use super::*;

pub(super) fn who_ends_as_it_should_leaves_no_suspicion(store: &dyn Store) {
    for _ in 0..2 {
        assert!(!store.begin_serving().unwrap());
        assert!(!store.begin_serving().unwrap(), "it is the same process");
        store.end_serving().unwrap();
    }
}

pub(super) fn a_note_is_kept_until_it_is_settled(store: &dyn Store) {
    let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let settle = |message, deaths| {
        let mut transaction = store.begin().unwrap();
        transaction.settle_note(message, deaths).unwrap();
        transaction
    };
    assert!(!store.is_noted(one).unwrap());
    assert_eq!(store.note(one).unwrap(), Note::Begun);
    assert_eq!(store.note(one).unwrap(), Note::Begun, "this process lives");
    assert_eq!([one, other].map(|message| store.is_noted(message).unwrap()), [true, false]);
    drop(settle(one, None));
    assert!(store.is_noted(one).unwrap(), "nothing was committed");
    settle(one, Some(3)).commit().unwrap();
    store.forget_note(one).unwrap();
    assert!(store.is_noted(one).unwrap(), "it is no longer this process's own");
    assert_eq!(store.note(one).unwrap(), Note::Begun, "nobody was at it");
    settle(one, None).commit().unwrap();
    assert!(!store.is_noted(one).unwrap());
    settle(other, None).commit().unwrap();
    settle(other, Some(1)).commit().unwrap();
    assert!(!store.is_noted(other).unwrap(), "there was nothing to keep");
    assert_eq!(store.note(other).unwrap(), Note::Begun);
    store.forget_note(other).unwrap();
    assert!(!store.is_noted(other).unwrap());
    assert_eq!(names(store), [""; 0], "no event says so");
}
