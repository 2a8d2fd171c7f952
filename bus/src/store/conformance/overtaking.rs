//! Writers at the same time: no reader passes an event that is seen later.

use overlapping::OverlappingStore;

use super::*;

mod overlapping;

/// Reads on and on from its cursor, as a projection does, and asserts that nothing is missing on the way.
fn read_until(store: &dyn Store, is_done: &AtomicBool) -> Vec<StoredEvent> {
    let mut seen: Vec<StoredEvent> = Vec::new();
    loop {
        // Looked at before the read, so that what was committed before it is read, too.
        let is_last = is_done.load(Ordering::Acquire);
        let head = store.head().unwrap();
        let cursor = seen.last().map_or(0, |event| event.position);
        let events = store.events_after(cursor, 10).unwrap();
        assert!(
            !events.is_empty() || head <= cursor,
            "the head is {head}, and there is nothing after {cursor}"
        );
        for event in &events {
            let before = seen.last().map_or(0, |event| event.position);
            assert_eq!(event.position, before + 1, "a reader passed an event");
            seen.push(event.clone());
        }
        if is_last && events.is_empty() {
            return seen;
        }
    }
}

/// Event N takes its place first, and N + 1 tries to be committed first, again and again.
///
/// A store with one writer at a time makes the second wait until the first has ended; one that lets transactions
/// overlap commits the second first. Both are right as long as nobody reads what comes after a place that may
/// still be filled.
pub(in crate::store) fn nobody_passes_an_event_that_commits_later(store: &dyn Store) {
    overtake(store);
}

/// How often the second was committed first.
fn overtake(store: &dyn Store) -> usize {
    const ROUNDS: usize = 25;
    let is_done = AtomicBool::new(false);
    let mut overtaken = 0;
    let seen = std::thread::scope(|scope| {
        let reader = scope.spawn(|| read_until(store, &is_done));
        for round in 0..ROUNDS {
            let mut first = store.begin().unwrap();
            first.append(&[event("first")], NOW).unwrap();
            let (sender, committed) = std::sync::mpsc::channel();
            let second = scope.spawn(move || {
                append(store, &["second", "second"]);
                // Nobody listens any more where the store made this one wait for the other.
                let _ = sender.send(());
            });
            // Time enough for a store that lets the second one overtake; for others this waits in vain.
            overtaken += usize::from(committed.recv_timeout(Duration::from_millis(5)).is_ok());
            if round % 3 == 2 {
                drop(first);
            } else {
                first.commit().unwrap();
            }
            second.join().unwrap();
        }
        is_done.store(true, Ordering::Release);
        reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    let count = |name| seen.iter().filter(|event| event.name == name).count();
    assert_eq!(count("second"), 2 * ROUNDS);
    assert_eq!(count("first"), ROUNDS - ROUNDS / 3);
    assert_eq!(seen, log(store), "what was read on the way is what is there");
    overtaken
}

pub(in crate::store) fn many_writers_leave_no_holes(store: &dyn Store) {
    const WRITERS: u128 = 4;
    const EACH: u128 = 25;
    let is_done = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let reader = scope.spawn(|| read_until(store, &is_done));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                scope.spawn(move || {
                    for number in 0..EACH {
                        let mut transaction = store.begin().unwrap();
                        transaction.append(&[event("own")], NOW).unwrap();
                        transaction.accept(&command(writer * EACH + number, "A"), NOW).unwrap();
                        // Every fifth is dropped, and its places are taken by others.
                        if number % 5 == 4 {
                            drop(transaction);
                        } else {
                            transaction.commit().unwrap();
                        }
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        is_done.store(true, Ordering::Release);
        reader.join().unwrap()
    });
    let committed = (WRITERS * EACH * 4 / 5) as usize;
    assert_eq!(seen.len(), 2 * committed);
    // What one transaction appended stands together.
    for pair in seen.chunks(2) {
        assert_eq!([pair[0].name.as_str(), pair[1].name.as_str()], ["own", "CommandAccepted"]);
    }
    assert_eq!(store.due("A", NOW, 1000).unwrap().len(), committed);
}

/// Two gateways take the same idempotency key at the same moment.
pub(in crate::store) fn one_of_two_that_accept_the_same_is_first(store: &dyn Store) {
    for number in 0..20 {
        let start = Barrier::new(2);
        let both = std::thread::scope(|scope| {
            let accept = || {
                start.wait();
                store.accept(&[command(number, "A")], NOW).unwrap()[0]
            };
            let (first, second) = (scope.spawn(accept), scope.spawn(accept));
            [first.join().unwrap(), second.join().unwrap()]
        });
        let new = both.iter().filter(|acceptance| **acceptance == Acceptance::New).count();
        let known = both.iter().filter(|acceptance| **acceptance == Acceptance::Known).count();
        assert_eq!((new, known), (1, 1), "{both:?}");
    }
    assert_eq!(names(store).len(), 20);
}

#[test]
fn a_store_that_numbers_events_when_they_are_committed_passes() {
    assert!(overtake(&OverlappingStore::numbering_at_commit()) > 0, "transactions did overlap");
}

#[test]
#[should_panic(expected = "a reader passed an event")]
fn a_store_that_numbers_events_when_they_are_appended_is_caught() {
    overtake(&OverlappingStore::numbering_at_append());
}
