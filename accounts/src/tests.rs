//! The context as its clients see it.

use bus::testing::{Ended, TestBus};
use tick_sdk::contracts::accounts::{CreateUser, DisableUser, RenameUser, UserCreated, UserRenamed};

fn create(email: &str, name: &str) -> CreateUser {
    CreateUser { email: email.to_owned(), name: name.to_owned() }
}

fn bus() -> TestBus {
    TestBus::new("accounts", super::TABLES)
}

#[test]
fn a_user_is_created_renamed_and_disabled() {
    let mut bus = bus();
    let created = bus.send(&create("Ann@example.org", " Ann "));
    bus.settle();
    let user_id = created.0;
    let event = UserCreated { user_id, email: "Ann@example.org".to_owned(), name: "Ann".to_owned() };
    assert_eq!(bus.published::<UserCreated>(), [event]);
    assert_eq!(bus.ended(created), Some(Ended::Completed(serde_json::json!({ "userId": user_id }))));

    bus.send(&RenameUser { user_id, name: "Anna".to_owned() });
    bus.settle();
    assert_eq!(bus.published::<UserRenamed>()[0].name, "Anna");

    bus.send(&DisableUser { user_id });
    bus.settle();
    let renamed = bus.send(&RenameUser { user_id, name: "Ann".to_owned() });
    bus.settle();
    let reason = format!("there is no user {user_id} that is not disabled");
    assert_eq!(bus.ended(renamed), Some(Ended::Failed(reason, 1)));
}

#[test]
fn of_two_users_with_one_address_one_is_created_in_any_order() {
    for seed in 0..20 {
        let mut bus = bus().seed(seed);
        let commands =
            [create("a@example.org", "A"), create("A@EXAMPLE.org", "B"), create("c@example.org", "C")];
        let sent: Vec<_> = commands.iter().map(|command| bus.send(command)).collect();
        bus.settle();
        let ended: Vec<_> = sent.iter().map(|id| bus.ended(*id).expect("it has ended")).collect();
        assert!(matches!(ended[0], Ended::Completed(_)), "{ended:?}");
        assert_eq!(
            ended[1],
            Ended::Failed("another user has the e-mail address A@EXAMPLE.org".to_owned(), 1)
        );
        assert!(matches!(ended[2], Ended::Completed(_)), "{ended:?}");
        assert_eq!(bus.published::<UserCreated>().len(), 2);
    }
}

#[test]
fn what_is_no_address_or_name_is_refused_by_name() {
    for (email, name, reason) in [
        ("ann", "Ann", "email \"ann\" is no e-mail address"),
        ("ann@", "Ann", "is no e-mail address"),
        ("a b@example.org", "Ann", "is no e-mail address"),
        ("a@b@c", "Ann", "is no e-mail address"),
        ("ann@example.org", "  ", "name has 0 characters"),
        ("ann@example.org", "A\u{0}", "control characters"),
    ] {
        let mut bus = bus();
        let sent = bus.send(&create(email, name));
        bus.settle();
        let Some(Ended::Failed(found, 1)) = bus.ended(sent) else { panic!("{email}: {:?}", bus.ended(sent)) };
        assert!(found.contains(reason), "{found}");
        assert!(bus.published::<UserCreated>().is_empty());
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn accounts_are_kept_alike_on_postgresql() {
    bus::testing::on_postgres(&[
        a_user_is_created_renamed_and_disabled,
        of_two_users_with_one_address_one_is_created_in_any_order,
        what_is_no_address_or_name_is_refused_by_name,
    ]);
}
