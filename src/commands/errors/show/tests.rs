use super::*;
use triage::{Details, FailedQueue};

fn letter_of(body: &[u8]) -> Shown {
    let entry = Entry {
        id: "i".to_owned(),
        queue: "orchard.btc.dead".to_owned(),
        kind: Kind::DeadLetter,
        reason: "it does not begin with the magic of a frame".to_owned(),
        failed_at: Some("2024-08-08T00:00:00Z".to_owned()),
        endpoint: Some("orchard.btc.apple.0".to_owned()),
        bytes: body.len(),
        ..Entry::default()
    };
    let came_by = Some("abroad, routing key '0'".to_owned());
    Shown { entry, details: Details { came_by, ..Details::default() }, body: body.to_vec() }
}

#[test]
fn a_foreign_message_is_shown_with_its_first_bytes() {
    let expected = "\
Id           i
Queue        orchard.btc.dead
Why          it does not begin with the magic of a frame
Failed       2024-08-08 00:00:00
Requeued to  orchard.btc.apple.0
Came by      abroad, routing key '0'
Size         18 bytes
Frame        no: it does not begin with the magic of a frame: it is something else's message

000000  48 65 6c 6c 6f 1b 77 6f 72 6c 64 20 20 20 20 20  Hello.world     
000010  2e 2e                                            ..
";
    assert_eq!(one(&letter_of(b"Hello\x1bworld     ..")), expected);
}

#[test]
fn a_damaged_frame_says_which_one_it_claims_to_be() {
    let mut body = std::fs::read("tick-feed/tests/golden/frame-v1.bin").unwrap();
    let last = body.len() - 1;
    body[last] ^= 1;
    let text = one(&letter_of(&body));
    assert!(text.contains("attempt") && text.contains("crc32c"), "{text}");
    let value = &json_shown(&[letter_of(&body)])[0];
    assert_eq!(value["body"]["claimed"]["shard"], 1);
    assert!(value["body"]["firstBytes"].as_str().unwrap().starts_with("4f524652"));
}

#[test]
fn a_failed_command_is_shown_with_all_that_says_why() {
    let text = |text: &str| Some(text.to_owned());
    let entry = Entry {
        id: "m".to_owned(),
        queue: "create-user_error".to_owned(),
        kind: Kind::Error,
        reason: "e-mail is \u{1b}[2Jtaken".to_owned(),
        exception_type: text("System.ArgumentException"),
        sent_at: text("2026-11-29T10:58:41.4774941Z"),
        command_id: text("c"),
        bytes: 14,
        ..Entry::default()
    };
    let details = Details {
        stack_trace: text("   at A\n   at B"),
        initiator_id: text("parent"),
        conversation_id: text("root"),
        message_types: vec!["urn:message:Orchard.Contracts:CreateUser".to_owned()],
        ..Details::default()
    };
    let shown = one(&Shown { entry, details, body: b"{\n  \"a\": 1\n}".to_vec() });
    let expected = "\
Id           m
Queue        create-user_error
Why          e-mail is \\u{1b}[2Jtaken
Exception    System.ArgumentException
Type         urn:message:Orchard.Contracts:CreateUser
Sent         2026-11-29 10:58:41
Command      c
Caused by    parent
First cause  root
Size         14 bytes
Stack           at A
                at B

{
  \"a\": 1
}
";
    assert_eq!(shown, expected);
}

#[test]
fn queues_say_how_they_are_known() {
    let queue = FailedQueue { name: "a_error".to_owned(), messages: 3, ..FailedQueue::default() };
    let survey = Survey {
        queue,
        looked_at: 3,
        selected: 3,
        newest: Some("2026-01-31T12:00:00.5Z".to_owned()),
        newest_reason: Some("no\nstack".to_owned()),
        ..Survey::default()
    };
    let why = "the management API at http://h:15672 does not answer: refused\n  enable it".to_owned();
    let of = |source: Source, queues: Vec<Survey>| queues_of(source, queues);
    let known = of(Source::Known { looked_for: 2, why }, vec![survey.clone()]);
    let expected = "\
looked only for the 2 queues of Orchard's own endpoints: name others by --queue, --endpoint or --feed
  the management API at http://h:15672 does not answer: refused
queue    messages  oldest (UTC)  newest (UTC)         newest reason
a_error         3  -             2026-01-31 12:00:00  no…
";
    assert_eq!(known, expected);
    assert!(!of(Source::Named { looked_for: 1 }, vec![survey]).contains("nothing"));
    assert_eq!(of(Source::Named { looked_for: 1 }, vec![]), "nothing failed in the 1 named queue\n");
}

fn queues_of(source: Source, surveys: Vec<Survey>) -> String {
    queues(&[Queues { broker: "amqp://b".to_owned(), source, queues: surveys }])
}
