//! Requeueing, moving and discarding.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use broker::{Message, QueueOptions, Table};
use serde_json::Value as Json;
use triage::{Acted, Action, Filter, Kind, Names, Record, Selection};

use crate::endpoint::{Endpoint, envelope, quorum, recorded, run};

const ALL: u64 = u64::MAX;

async fn act(endpoint: &Endpoint, filter: Filter, limit: u64, action: &Action) -> Acted {
    let selection = Selection { filter, limit, ..Selection::default() };
    let stop = AtomicBool::new(false);
    endpoint.triage.act(&endpoint.queues().await, &selection, action, &stop).await.unwrap()
}

fn by_reason(reason: &str) -> Filter {
    Filter { reason: Some(reason.to_owned()), ..Filter::default() }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_requeued_message_is_the_one_that_was_sent() {
    run(async {
        for arguments in [Table::default(), quorum(5)] {
            let endpoint = Endpoint::new(arguments).await;
            let (properties, body) = recorded("fault", 0);
            // It failed at an endpoint of that name, and this one is another.
            let to = Action::Requeue { to: Some(endpoint.name.clone()) };
            endpoint.fail(&Message { body: body.as_bytes(), properties: properties.clone() }).await;
            let acted = act(&endpoint, Filter::default(), ALL, &to).await;
            assert_eq!((acted.selected, acted.done, acted.stayed), (1, 1, 0));
            let taken = endpoint.take(&endpoint.name).await;
            assert_eq!(taken.len(), 1);
            assert_eq!(taken[0].body, body.as_bytes());
            assert_eq!(taken[0].properties.message_id, properties.message_id);
            assert_eq!(taken[0].properties.correlation_id, properties.correlation_id);
            assert_eq!(taken[0].properties.content_type, properties.content_type);
            assert!(taken[0].properties.is_persistent);
            let names: Vec<_> = taken[0].properties.headers.iter().map(|(name, _)| name.to_owned()).collect();
            assert!(names.iter().all(|name| name == "tenant" || name.starts_with("MT-Host-")), "{names:?}");
            endpoint.wait_count(&endpoint.error(), 0).await;
            endpoint.end().await;
        }
    });
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn many_are_requeued_by_filter_and_the_others_stay() {
    run(async {
        for arguments in [Table::default(), quorum(5)] {
            let endpoint = Endpoint::new(arguments).await;
            endpoint.fail_numbered(0..500).await;
            let acted = act(&endpoint, by_reason("reason 4"), ALL, &Action::Requeue { to: None }).await;
            // 4, 40 to 49, 400 to 499.
            assert_eq!(
                (acted.looked_at, acted.selected, acted.done, acted.first.len()),
                (500, 111, 111, 100)
            );
            endpoint.wait_count(&endpoint.name, 111).await;
            endpoint.wait_count(&endpoint.error(), 389).await;
            let acted = act(&endpoint, Filter::default(), 9, &Action::Requeue { to: None }).await;
            assert_eq!((acted.selected, acted.done), (9, 9));
            endpoint.wait_count(&endpoint.error(), 380).await;
            endpoint.end().await;
        }
    });
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn what_has_nowhere_to_go_stays_and_says_why() {
    run(async {
        for arguments in [Table::default(), quorum(5)] {
            let endpoint = Endpoint::new(arguments).await;
            endpoint.fail_numbered(0..2).await;
            let gone = Action::Requeue { to: Some("triage-never-was".to_owned()) };
            let acted = act(&endpoint, Filter::default(), ALL, &gone).await;
            assert_eq!((acted.done, acted.stayed), (0, 2));
            assert!(acted.stays[0].reason.contains("triage-never-was is not there"), "{:?}", acted.stays);
            endpoint.channel.unbind_queue(&endpoint.name, &endpoint.name, "").await.unwrap();
            let acted = act(&endpoint, Filter::default(), ALL, &Action::Requeue { to: None }).await;
            assert_eq!((acted.done, acted.stayed), (0, 2));
            assert!(acted.stays[0].reason.contains("leads to no queue"), "{:?}", acted.stays);
            let nowhere = Action::Move { to: "triage-never-was".to_owned() };
            assert_eq!(act(&endpoint, Filter::default(), ALL, &nowhere).await.stayed, 2);
            endpoint.wait_count(&endpoint.error(), 2).await;
            endpoint.end().await;
        }
    });
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn what_is_moved_still_says_how_it_failed_and_can_be_requeued_from_there() {
    run(async {
        let endpoint = Endpoint::new(Table::default()).await;
        let parked = format!("{}-parked", endpoint.name);
        endpoint.channel.declare_queue(&parked, &QueueOptions::durable()).await.unwrap();
        endpoint.fail_numbered(0..3).await;
        let acted = act(&endpoint, by_reason("reason 1"), ALL, &Action::Move { to: parked.clone() }).await;
        assert_eq!(acted.done, 1);
        endpoint.wait_count(&endpoint.error(), 2).await;

        let names = Names { queues: vec![parked.clone()], ..Names::default() };
        let queues = endpoint.triage.find(&names).await.unwrap().queues;
        let all = Selection::default();
        let entries = endpoint.triage.entries(&queues, &all).await.unwrap().entries;
        assert_eq!((entries[0].kind, entries[0].reason.as_str()), (Kind::Error, "reason 1"));
        let requeue = Action::Requeue { to: None };
        let acted = endpoint.triage.act(&queues, &all, &requeue, &AtomicBool::new(false)).await.unwrap();
        assert_eq!(acted.done, 1);
        endpoint.wait_count(&endpoint.name, 1).await;
        endpoint.channel.delete_queue(&parked).await.unwrap();
        endpoint.end().await;
    });
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn what_is_discarded_is_written_down_whole() {
    run(async {
        let endpoint = Endpoint::new(Table::default()).await;
        let (properties, body) = recorded("fault", 0);
        endpoint.fail(&Message { body: body.as_bytes(), properties }).await;
        endpoint.fail(&Message::persistent(&[0xff, 0, 1])).await;
        endpoint.fail_numbered(7..8).await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("discarded.jsonl");
        let discard = || Action::Discard { record: Record::open(&path).unwrap() };
        assert_eq!(act(&endpoint, Filter::default(), 2, &discard()).await.done, 2);
        assert_eq!(act(&endpoint, Filter::default(), ALL, &discard()).await.done, 1);
        endpoint.wait_count(&endpoint.error(), 0).await;

        let written = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Json> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0]["body"], body);
        assert_eq!(lines[0]["headers"]["tenant"]["S"], "eu");
        assert_eq!(lines[0]["headers"]["x-dotnet-pub-seq-no"]["l"], 2);
        assert_eq!(lines[0]["properties"]["deliveryMode"], 2);
        assert_eq!(lines[0]["entry"]["reason"], "e-mail is taken (Parameter 'email')");
        assert_eq!(lines[1]["body"]["base64"], "/wAB");
        assert_eq!(lines[2]["entry"]["reason"], "reason 7");
        endpoint.end().await;
    });
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_record_that_cannot_be_written_keeps_the_messages() {
    run(async {
        let endpoint = Endpoint::new(Table::default()).await;
        endpoint.fail_numbered(0..1).await;
        assert!(Record::open(std::path::Path::new("/nowhere/discarded.jsonl")).is_err());
        // A device that is always full.
        let record = Record::open(std::path::Path::new("/dev/full")).unwrap();
        let (queues, all, stop) = (endpoint.queues().await, Selection::default(), AtomicBool::new(false));
        let discard = Action::Discard { record };
        let error = endpoint.triage.act(&queues, &all, &discard, &stop).await.unwrap_err().to_string();
        assert!(error.contains("/dev/full"), "{error}");
        // It is back in its queue when the channel has closed, which nobody waits for after a failure.
        let back = async {
            while endpoint.count(&endpoint.error()).await == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), back).await.expect("it is back");
        endpoint.end().await;
    });
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_dead_letter_goes_back_to_the_queue_it_was_in() {
    run(async {
        let endpoint = Endpoint::new(Table::default()).await;
        let (feed, frames) = (endpoint.name.clone(), format!("orchard.{}.apple.0", endpoint.name));
        let dead = format!("orchard.{feed}.dead");
        endpoint.channel.declare_queue(&dead, &QueueOptions::durable()).await.unwrap();
        endpoint.channel.declare_queue(&frames, &QueueOptions::durable()).await.unwrap();
        let letters = [("no frame", frames.as_str(), 1_723_075_200_000_000_000_i64), ("lost", "", 0)];
        for (reason, queue, at) in letters {
            let headers = Table::default()
                .with("x-orchard-reason", reason)
                .with("x-orchard-queue", queue)
                .with("x-orchard-at", at);
            let message = Message::persistent(b"a frame").with_headers(headers);
            endpoint.channel.publish_confirmed("", &dead, &message).await.unwrap();
        }
        let names = Names { feeds: vec![feed], ..Names::default() };
        let queues = endpoint.triage.find(&names).await.unwrap().queues;
        let all = Selection::default();
        let entries = endpoint.triage.entries(&queues, &all).await.unwrap().entries;
        assert_eq!((entries[0].kind, entries[0].reason.as_str()), (Kind::DeadLetter, "no frame"));
        assert_eq!(entries[0].failed_at.as_deref(), Some("2024-08-08T00:00:00Z"));
        assert_ne!(entries[0].id, entries[1].id);
        let requeue = Action::Requeue { to: None };
        let acted = endpoint.triage.act(&queues, &all, &requeue, &AtomicBool::new(false)).await.unwrap();
        assert_eq!((acted.done, acted.stayed), (1, 1));
        let taken = endpoint.take(&frames).await;
        assert_eq!(taken[0].body, b"a frame");
        assert!(taken[0].properties.headers.is_empty());
        for queue in [dead, frames] {
            endpoint.channel.delete_queue(&queue).await.unwrap();
        }
        endpoint.end().await;
    });
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn headers_as_large_as_the_broker_takes_are_requeued() {
    run(async {
        let endpoint = Endpoint::new(Table::default()).await;
        let body = envelope("00000000-0000-0000-0000-000000000001");
        let headers = crate::endpoint::failed(&"r".repeat(100 << 10), &endpoint.name);
        endpoint.fail(&Message::persistent(body.as_bytes()).with_headers(headers)).await;
        assert_eq!(act(&endpoint, Filter::default(), ALL, &Action::Requeue { to: None }).await.done, 1);
        assert_eq!(endpoint.take(&endpoint.name).await.len(), 1);
        endpoint.end().await;
    });
}
