//! Looking: what it says, and that it changes nothing that counts.

use broker::{Message, Table};
use triage::{Action, Filter, Kind, Names, Selection, Sight, Source, Triage, TriageError};

use crate::endpoint::{Endpoint, envelope, failed, management, quorum, recorded, run, url};

/// Looks in every way that there is.
async fn look(endpoint: &Endpoint, messages: usize) {
    let queues = endpoint.queues().await;
    let error = queues.iter().find(|queue| queue.kind == Kind::Error).unwrap();
    let all = Selection::default();
    let entries = endpoint.triage.entries(&queues, &all).await.unwrap().entries;
    assert_eq!(entries.len(), messages);
    assert_eq!(endpoint.triage.show(&queues, &all).await.unwrap().len(), messages);
    let first = Selection { limit: 1, ..all.clone() };
    assert_eq!(endpoint.triage.show(&queues, &first).await.unwrap().len(), 1);
    assert_eq!(endpoint.triage.survey(error, &all).await.unwrap().selected, messages as u64);
    let requeue = Action::Requeue { to: None };
    let acted = endpoint.triage.dry_run(&queues, &all, &requeue).await.unwrap();
    assert_eq!((acted.selected, acted.done), (messages as u64, 0));
}

/// What lies in the error queue, in order of id, without what a broker says of its delivery.
async fn taken(endpoint: &Endpoint) -> Vec<(Table, Vec<u8>)> {
    let taken = endpoint.take(&endpoint.error()).await;
    let mut all: Vec<_> = taken
        .into_iter()
        .map(|one| (one.properties.headers.without(|name| name == "x-delivery-count"), one.body))
        .collect();
    all.sort_by(|one, other| one.1.cmp(&other.1));
    all
}

async fn looked_at_fifty_times(arguments: Table) {
    let endpoint = Endpoint::new(arguments).await;
    endpoint.fail_numbered(0..3).await;
    let before = taken(&endpoint).await;
    endpoint.fail_numbered(0..3).await;
    for _ in 0..50 {
        look(&endpoint, 3).await;
    }
    endpoint.wait_count(&endpoint.error(), 3).await;
    assert_eq!(taken(&endpoint).await, before);
    endpoint.end().await;
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn fifty_looks_at_a_quorum_queue_with_a_delivery_limit_of_five_lose_nothing() {
    run(looked_at_fifty_times(quorum(5)));
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn fifty_looks_at_a_quorum_queue_with_the_least_limit_lose_nothing() {
    run(looked_at_fifty_times(quorum(1)));
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn fifty_looks_at_a_classic_queue_change_nothing() {
    run(looked_at_fifty_times(Table::default()));
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_quorum_queue_is_known_by_its_messages_where_the_management_api_is_not_there() {
    run(async {
        let mut endpoint = Endpoint::new(quorum(5)).await;
        endpoint.triage = Triage::open(&url(), Sight::ByName).await.unwrap();
        endpoint.fail_numbered(0..3).await;
        for _ in 0..20 {
            look(&endpoint, 3).await;
        }
        endpoint.wait_count(&endpoint.error(), 3).await;
        endpoint.end().await;
    });
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_queue_that_any_return_would_lose_from_is_not_looked_at() {
    run(async {
        let endpoint = Endpoint::new(quorum(0)).await;
        endpoint.fail_numbered(0..1).await;
        let looked = endpoint.triage.entries(&endpoint.queues().await, &Selection::default()).await;
        assert!(matches!(looked, Err(TriageError::Unsafe { limit: 0, .. })), "{looked:?}");
        endpoint.wait_count(&endpoint.error(), 1).await;
        endpoint.end().await;
    });
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_message_that_names_other_queues_is_not_copied_to_them_by_a_look() {
    run(async {
        let endpoint = Endpoint::new(quorum(5)).await;
        let body = envelope("00000000-0000-0000-0000-000000000001");
        let copies = broker::Value::List(vec![endpoint.name.as_str().into()]);
        let headers = failed("no", &endpoint.name).with("CC", copies);
        endpoint.fail(&Message::persistent(body.as_bytes()).with_headers(headers)).await;
        assert_eq!(
            endpoint.take(&endpoint.name).await.len(),
            0,
            "a fanout exchange has no queue of that key"
        );
        let all = Selection::default();
        assert_eq!(endpoint.triage.entries(&endpoint.queues().await, &all).await.unwrap().entries.len(), 1);
        assert_eq!(endpoint.take(&endpoint.name).await.len(), 0);
        endpoint.wait_count(&endpoint.error(), 1).await;
        endpoint.end().await;
    });
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn the_place_of_a_message_in_a_classic_queue_stays() {
    run(async {
        let endpoint = Endpoint::new(Table::default()).await;
        endpoint.fail_numbered(0..450).await;
        let queues = endpoint.queues().await;
        let first = Selection { limit: 3, ..Selection::default() };
        for _ in 0..2 {
            let listed = endpoint.triage.entries(&queues, &first).await.unwrap();
            let reasons: Vec<_> = listed.entries.iter().map(|entry| entry.reason.as_str()).collect();
            assert_eq!(
                (reasons.as_slice(), listed.is_cut),
                (["reason 0", "reason 1", "reason 2"].as_slice(), true)
            );
        }
        let last = Filter { reason: Some("reason 449".into()), ..Filter::default() };
        let last = Selection { filter: last, ..Selection::default() };
        let listed = endpoint.triage.entries(&queues, &last).await.unwrap();
        assert_eq!((listed.entries.len(), listed.looked_at, listed.is_cut), (1, 450, false));
        let bounded = Selection { scan: 449, ..last };
        assert_eq!(endpoint.triage.entries(&queues, &bounded).await.unwrap().entries.len(), 0);
        endpoint.end().await;
    });
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn what_masstransit_wrote_is_listed_and_shown() {
    run(async {
        let endpoint = Endpoint::new(Table::default()).await;
        for (scenario, place) in [("fault", 0), ("receive-fault", 1)] {
            let (properties, body) = recorded(scenario, place);
            endpoint.fail(&Message { body: body.as_bytes(), properties }).await;
        }
        let (properties, body) = recorded("skipped", 0);
        let message = Message { body: body.as_bytes(), properties };
        endpoint
            .channel
            .publish_confirmed("", &format!("{}_skipped", endpoint.name), &message)
            .await
            .unwrap();

        let queues = endpoint.queues().await;
        let all = Selection::default();
        let entries = endpoint.triage.entries(&queues, &all).await.unwrap().entries;
        assert_eq!(
            entries.iter().map(|entry| entry.kind).collect::<Vec<_>>(),
            [Kind::Error, Kind::Error, Kind::Skipped]
        );
        let survey = endpoint.triage.survey(&queues[0], &all).await.unwrap();
        assert_eq!((survey.selected, survey.queue.messages), (2, 2));
        assert!(survey.newest_reason.unwrap().contains("this is no JSON"));
        assert!(survey.oldest.unwrap().starts_with("2026-11-29T10:58:41"));
        let filter = Filter { ids: vec!["0197F0AA-0000-7000-8000-000000000001".into()], ..Filter::default() };
        let shown = endpoint.triage.show(&queues, &Selection { filter, ..all }).await.unwrap();
        assert_eq!(shown.len(), 1);
        assert_eq!(shown[0].entry.exception_type.as_deref(), Some("System.ArgumentException"));
        assert!(shown[0].details.stack_trace.as_deref().unwrap().contains("FailingConsumer"));
        endpoint.end().await;
    });
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn the_management_api_finds_every_queue_and_without_it_the_known_ones_are() {
    run(async {
        let endpoint = Endpoint::new(quorum(5)).await;
        let found = endpoint.triage.find(&Names::default()).await.unwrap();
        assert!(matches!(found.source, Source::Management { .. }));
        let error = found.queues.iter().find(|queue| queue.name == endpoint.error()).unwrap();
        assert_eq!((error.queue_type.as_deref(), error.delivery_limit), (Some("quorum"), Some(5)));
        assert!(!found.queues.iter().any(|queue| queue.name == endpoint.name));

        // Nobody listens on its usual port beside this broker.
        let beside = Triage::open(&url(), Sight::ManagementBeside).await.unwrap();
        let known_endpoints = vec![endpoint.name.clone(), "never-was".to_owned()];
        let found = beside.find(&Names { known_endpoints, ..Names::default() }).await.unwrap();
        assert_eq!(found.queues.len(), 2);
        assert!(matches!(found.source, Source::Known { looked_for: 4, .. }), "{:?}", found.source);

        let wrong = Triage::open(&url(), Sight::Management("http://127.0.0.1:1".into())).await.unwrap();
        let error = wrong.find(&Names::default()).await.unwrap_err().to_string();
        assert!(error.contains("127.0.0.1:1") && error.contains("rabbitmq_management"), "{error}");
        let Sight::Management(address) = management() else { panic!("it is an address") };
        let refused = Sight::Management(address.replace("://", "://guest:wrong@"));
        let refused = Triage::open(&url(), refused).await.unwrap().find(&Names::default()).await.unwrap_err();
        assert!(refused.to_string().contains("refuses the login"), "{refused}");
        endpoint.end().await;
    });
}
