//! Commands that are handled in the transaction that accepts them.

use super::*;

fn due(number: u128) -> DueCommand {
    DueCommand { command: command(number, "H"), attempts: 0, accepted_ms: NOW, is_suspect: false }
}

/// Handles them in one transaction, with an event in between; whether they were new.
fn handle(store: &dyn Store, numbers: &[u128], is_beside: bool) -> bool {
    let commands: Vec<_> = numbers.iter().map(|number| due(*number)).collect();
    let ends = ["CommandCompleted", "CommandProcessing"].map(|name| {
        let events = commands.iter().map(|due| NewEvent::of_command(&due.command, name, "{}".to_owned()));
        events.collect::<Vec<_>>()
    });
    // The last of them goes on elsewhere.
    let changes: Vec<_> = (0..commands.len())
        .map(|at| {
            let is_last = at + 1 == commands.len();
            let to = if is_last { CommandState::Processing } else { CommandState::Completed };
            change(numbers[at], StateKind::Waiting, 0, to, &ends[usize::from(is_last)][at])
        })
        .collect();
    let mut transaction = if is_beside { store.begin_beside() } else { store.begin() }.unwrap();
    let are_new = transaction.handle_new(&commands, &changes, &[event("Between")], NOW).unwrap();
    if are_new {
        transaction.commit().unwrap();
    }
    are_new
}

pub(crate) fn what_is_handled_at_once_is_known_and_stands_in_order(store: &dyn Store) {
    append(store, &["Before"]);
    assert!(handle(store, &[1, 2], false));
    let expected =
        ["Before", "CommandAccepted", "CommandAccepted", "Between", "CommandCompleted", "CommandProcessing"];
    assert_eq!(names(store), expected);
    let log = log(store);
    let commands: Vec<_> = log.iter().map(|event| event.command_id).collect();
    assert_eq!(commands[1..3], [Some(id(1)), Some(id(2))]);
    assert_eq!(commands[4..6], [Some(id(1)), Some(id(2))]);
    assert_eq!(positions(store), [1, 2, 3, 4, 5, 6]);
    assert_eq!(store.state(id(1)).unwrap(), Some(CommandState::Completed));
    assert_eq!(store.state(id(2)).unwrap(), Some(CommandState::Processing));
    assert_eq!(store.due("H", NOW + 9, 9).unwrap(), []);
    let known = [command(1, "H"), NewCommand { body: "{}".to_owned(), ..command(2, "H") }];
    assert_eq!(store.accept(&known, NOW).unwrap(), [Acceptance::Known, Acceptance::OtherBody]);
    // One that is known, ended or waiting, keeps all of them from being stored.
    store.accept(&[command(3, "H")], NOW).unwrap();
    assert!(!handle(store, &[4, 1], false));
    assert!(!handle(store, &[4, 3], true));
    assert_eq!(store.state(id(4)).unwrap(), None);
    // What goes on elsewhere has all that its end needs.
    let mut transaction = store.begin().unwrap();
    let found = transaction.find(id(2)).unwrap().unwrap();
    assert_eq!((found.command, found.attempts), (command(2, "H"), 1));
    drop(transaction);
    assert_eq!(store.head().unwrap(), 7);
}

pub(crate) fn what_is_handled_beside_others_has_no_holes_and_its_order(store: &dyn Store) {
    const LANES: u128 = 4;
    const EACH: u128 = 20;
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES)
            .map(|lane| {
                scope.spawn(move || {
                    (0..EACH)
                        .all(|at| handle(store, &[1_000 * lane + 2 * at, 1_000 * lane + 2 * at + 1], true))
                })
            })
            .collect();
        // Others append meanwhile, and a reader never passes a position.
        let (mut seen, mut appended) = (0, 0);
        while !is_over.load(Ordering::Acquire) {
            store.number().unwrap();
            append(store, &["Other"]);
            appended += 1;
            let page = store.look(seen, 1_000, None).unwrap();
            let positions: Vec<_> = page.events.iter().map(|event| event.position).collect();
            assert_eq!(positions, (seen + 1..=page.looked_to).collect::<Vec<_>>());
            seen = page.looked_to;
            if lanes.iter().all(|lane| lane.is_finished()) {
                is_over.store(true, Ordering::Release);
            }
        }
        assert!(lanes.into_iter().all(|lane| lane.join().unwrap()));
        store.number().unwrap();
        assert!(!store.number().unwrap());
        let log = log(store);
        assert_eq!(log.len() as u128, 5 * LANES * EACH + appended);
        assert_eq!(positions(store), (1..=log.len() as u64).collect::<Vec<_>>());
        for number in (0..LANES).flat_map(|lane| (0..2 * EACH).map(move |at| 1_000 * lane + at)) {
            let of_command = log
                .iter()
                .filter(|event| event.command_id == Some(id(number)) && event.name.starts_with("Command"));
            let names: Vec<_> = of_command.map(|event| event.name.as_str()).collect();
            let end = if number % 2 == 0 { "CommandCompleted" } else { "CommandProcessing" };
            assert_eq!(names, ["CommandAccepted", end], "{number}");
        }
    });
    // Its end is appended at once, and comes after it.
    assert!(handle(store, &[9_000, 9_001], true));
    let ended = NewEvent { command_id: Some(id(9_001)), ..event("CommandFailed") };
    assert!(change_now(store, &change(9_001, StateKind::Processing, 1, CommandState::Failed, &ended), NOW));
    let last: Vec<_> = names(store).into_iter().rev().take(2).collect();
    assert_eq!(last, ["CommandFailed", "CommandProcessing"]);
    // Its status events are found when it is forgotten.
    let before = log(store).len();
    assert_eq!(sweep(store, NOW + 1, NOW + 1, 10_000).unwrap() as u128, LANES * EACH + 2);
    let left = log(store);
    assert!(left.iter().all(|event| event.name != "CommandCompleted"), "{before}");
}
