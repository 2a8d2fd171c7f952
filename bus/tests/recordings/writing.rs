//! What the recorded services wrote, and what this program writes for the same contract with the same ids, line by
//! line.

use std::time::Duration;

use bus::store::{NewCommand, StoredEvent};
use bus::wire::{
    Exception, Failure, Home, Incoming, Original, Properties, Publication, Reader, Stamp, Table, Value,
    Writer,
};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use tick_sdk::contracts::envelope::{Envelope, JsonText};
use tick_sdk::contracts::{CommandId, ConversationId};

use crate::contracts::{GetUser, UserFound, UserNotFound, one_answer};
use crate::data::{Published, messages, urns};
use crate::outcome::{Decision, Set, decided, differs};

fn decisions() -> Vec<Decision> {
    const NOT_WRITTEN: &[&str] = &["this is not written"];
    let names: Vec<_> = (1..=12).map(|count| format!("names {count}")).collect();
    [
        decided(
            "Orchard has no nested, generic, internal, renamed and derived contracts",
            NOT_WRITTEN,
            names.iter().map(String::as_str),
        ),
        decided(
            "every contract of Orchard's is a command, an event, a request or an answer, and this is none",
            NOT_WRITTEN,
            [
                "direct-exchange 1",
                "properties-and-headers 1",
                "properties-and-headers 2",
                "schedule 1",
                "skipped 1",
                "values-set 1",
                "values-unset 1",
            ],
        ),
        decided(
            "Orchard writes envelopes only",
            NOT_WRITTEN,
            ["raw-json 1", "raw-json 2", "raw-json 3", "raw-json-fault 1", "raw-json-fault 2"],
        ),
        decided(
            "an event of Orchard's that has a correlationId was raised in the handler of that command, so it is the initiatorId, too",
            &["\"initiatorId\""],
            [
                "consume-event 1",
                "consume-marker-interface 1",
                "publish-event 1",
                "replay-contracts 2",
                "temporary-endpoint 1",
            ],
        ),
        decided(
            "as before; and what a consumer of raw JSON adds of its own delivery is of no use to anybody",
            &["\"initiatorId\"", "RabbitMQ-", "headers"],
            ["both-serializers 3"],
        ),
        decided(
            "headers of an application's own are kept with the delivery, and passed on to answers and faults only",
            &["tenant", "MT-private", "headers"],
            ["chain 1", "chain 2"],
        ),
        decided(
            "as before; and Orchard sends to `exchange:NAME`, which declares no queue",
            &["tenant", "headers", "\"destinationAddress\""],
            ["chain 3"],
        ),
        decided(
            "Orchard writes no trace ids",
            &["MT-Activity-", "traceparent", "tracestate", "baggage", "headers", "\"who\"", "\"zoe\"", "      {",
"      }", "    ]"],
            ["trace 1", "trace 2"],
        ),
        decided(
            "a command of Orchard's has no end of its time, and no headers of an application",
            &["tenant", "headers", "expiration"],
            ["fault 3"],
        ),
        decided(
            "Orchard's commands ask for no faults: it finds them where they are published",
            &["\"faultAddress\""],
            ["fault-address 1"],
        ),
        decided(
            "Orchard sends to `exchange:NAME`, which declares no queue",
            &["?bind=true", "\"destinationAddress\""],
            ["send-command 5", "send-to-nobody 2"],
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn what_is_written_equals_what_was_recorded() {
    let mut set = Set::new("masstransit, written", decisions());
    let messages = messages();
    let published: Vec<_> = messages.iter().filter(|message| message.is_published).collect();
    for message in &published {
        let differences = match Recorded::of(message, &messages).ours() {
            Some(ours) => message_differs(&ours, message),
            None => vec!["this is not written".to_owned()],
        };
        set.case(&message.case, differences);
    }
    set.finish(published.len());
}

/// A recorded message with all that it was made of.
struct Recorded<'a> {
    message: &'a Published,
    all: &'a [Published],
    envelope: Envelope,
    writer: Writer,
    stamp: Stamp,
}

impl<'a> Recorded<'a> {
    fn of(message: &'a Published, all: &'a [Published]) -> Self {
        let envelope = Envelope::decode(&message.body).unwrap_or_default();
        let source = envelope.source_address.as_ref();
        let virtual_host =
            source.and_then(|address| address.virtual_host()).unwrap_or(message.scenario.clone());
        let endpoint = match source {
            Some(address) => address.name().to_owned(),
            None => message.exchange.split('_').next().unwrap().to_owned(),
        };
        let home = Home::new("localhost:5672", &virtual_host, false);
        let writer = Writer::new(home, endpoint, host_of(message, &envelope));
        let sent_ms =
            envelope.sent_time.map_or(1_769_860_800_000, |time| u64::try_from(time.unix_ms()).unwrap());
        let message_id = envelope.message_id.unwrap_or_default();
        let stamp = Stamp { message_id, ..Stamp::new(sent_ms) };
        Self { message, all, envelope, writer, stamp }
    }

    /// The same as this program writes it; `None` where it never writes such a message.
    fn ours(&self) -> Option<Publication> {
        let exchange = self.message.exchange.as_str();
        let urns = urns(self.message);
        let first = urns.first().map_or("", String::as_str);
        if exchange.ends_with("_error") {
            return Some(self.error());
        }
        if exchange.ends_with("_skipped") {
            return Some(self.of_endpoint(exchange).skipped(self.original().delivery()));
        }
        if self.message.properties.content_type.as_deref() == Some("application/json") {
            return None;
        }
        if first == "urn:message:MassTransit:ReceiveFault" {
            let failed = self.receive_fault_of();
            let written = self.writer.receive_fault(&failed.delivery(), &self.failure(), self.stamp).unwrap();
            return Some(self.in_recorded_tree(written));
        }
        if first.starts_with("urn:message:MassTransit:Fault") {
            return Some(self.fault());
        }
        let name = first.strip_prefix("urn:message:Orchard.Contracts:")?;
        match (name, urns.get(1).map(String::as_str)) {
            (_, Some("urn:message:Orchard.Contracts:IEvent")) => {
                self.writer.event(&self.event(name)).unwrap()
            }
            (_, Some("urn:message:Orchard.Contracts:ICommand")) => {
                Some(self.writer.command(&self.command(name), self.stamp).unwrap())
            }
            ("GetUser", _) => Some(self.request()),
            ("UserFound" | "UserNotFound", _) => Some(self.answer(name)),
            _ => None,
        }
    }

    fn event(&self, name: &str) -> StoredEvent {
        StoredEvent {
            position: 7,
            message_id: self.stamp.message_id,
            name: name.to_owned(),
            version: 1,
            command_id: self.envelope.correlation_id,
            conversation_id: self.envelope.conversation_id,
            initiator_id: None,
            at_ms: u64::try_from(self.stamp.at.unix_ms()).unwrap(),
            body: self.envelope.message.as_str().to_owned(),
        }
    }

    fn command(&self, name: &str) -> NewCommand {
        let destination = self.envelope.destination_address.as_ref().unwrap();
        NewCommand {
            command_id: self.envelope.correlation_id.unwrap(),
            conversation_id: self.envelope.conversation_id.unwrap(),
            initiator_id: self.envelope.initiator_id,
            name: name.to_owned(),
            version: 1,
            endpoint: destination.name().to_owned(),
            caller: String::new(),
            body: self.envelope.message.as_str().to_owned(),
            original: None,
        }
    }

    fn request(&self) -> Publication {
        let (id, timeout) = (self.envelope.request_id.unwrap(), Duration::from_secs(30));
        let response = self.envelope.response_address.as_ref().unwrap().name().to_owned();
        let asked: GetUser = self.envelope.read().unwrap();
        let accepted: Vec<String> = self.envelope.headers.read("MT-Request-AcceptType").unwrap();
        let written = match accepted.len() {
            1 => {
                let asked = one_answer::GetUser { user_id: asked.user_id };
                self.writer.request(&asked, id, &response, timeout, self.stamp)
            }
            _ => self.writer.request(&asked, id, &response, timeout, self.stamp),
        }
        .unwrap();
        self.in_recorded_tree(written)
    }

    /// What begins a tree of causes has a new id for it.
    fn in_recorded_tree(&self, mut written: Publication) -> Publication {
        let tree = Envelope::decode(&written.body).unwrap().conversation_id.unwrap();
        let recorded = self.envelope.conversation_id.unwrap();
        let line = |id: ConversationId| format!("  \"conversationId\": \"{id}\",");
        let text = String::from_utf8(written.body).unwrap();
        written.body = text.replace(&line(tree), &line(recorded)).into_bytes();
        written
    }

    fn answer(&self, name: &str) -> Publication {
        let Incoming::Request(request) = self.read_request() else { panic!("{}", self.message.case) };
        let written = match name {
            "UserFound" => {
                let answer: UserFound = self.envelope.read().unwrap();
                self.writer.answer::<GetUser, _>(&request, &answer, self.stamp)
            }
            _ => {
                let answer: UserNotFound = self.envelope.read().unwrap();
                self.writer.answer::<GetUser, _>(&request, &answer, self.stamp)
            }
        };
        written.unwrap()
    }

    fn read_request(&self) -> Incoming {
        let asked = self.all.iter().find(|other| {
            let is_request = other.exchange == "Orchard.Contracts:GetUser";
            is_request && Envelope::decode(&other.body).unwrap().request_id == self.envelope.request_id
        });
        Reader::of_endpoint("get-user").read(asked.unwrap().delivery(), CommandId::new())
    }

    fn fault(&self) -> Publication {
        let failed = self.envelope.message.read::<Json>().unwrap();
        if self.envelope.message_type[0].ends_with("GetUser]]") {
            let Incoming::Request(request) = self.read_request() else { panic!("{}", self.message.case) };
            return self.writer.fault_of_request(&request, &self.failure(), self.stamp).unwrap();
        }
        let id = failed["faultedMessageId"].as_str().unwrap();
        let failed = self.all.iter().find(|other| {
            other.scenario == self.message.scenario && other.properties.message_id.as_deref() == Some(id)
        });
        let original = Original { delivery: failed.unwrap().delivery() };
        let command_id = self.envelope.correlation_id.unwrap();
        self.writer.fault("CreateUser", command_id, &original, &self.failure(), self.stamp).unwrap()
    }

    fn error(&self) -> Publication {
        let headers = &self.message.properties.headers;
        let text = |name: &str| headers.text(name).map(str::to_owned);
        let exception = Exception {
            kind: text("MT-Fault-ExceptionType").unwrap(),
            message: text("MT-Fault-Message").unwrap(),
            // The blanks that it begins with are its own.
            stack_trace: match headers.get("MT-Fault-StackTrace").unwrap() {
                Value::Text(text) => text.clone(),
                other => panic!("{other:?}"),
            },
            ..Exception::default()
        };
        let retries = headers.integer("MT-Fault-RetryCount").unwrap_or_default();
        let failure = Failure {
            exception: Exception { inner: Some(Box::new(exception)), ..Exception::default() },
            handler: text("MT-Fault-ConsumerType"),
            retries: u32::try_from(retries).unwrap(),
        };
        let contract = text("MT-Fault-MessageType");
        let contract = contract.as_deref().and_then(|name| name.strip_prefix("Orchard.Contracts."));
        let writer = self.of_endpoint(&self.message.exchange);
        writer.error(self.original().delivery(), contract, &failure, self.stamp)
    }

    /// What the endpoint beside whose queue this one is writes.
    fn of_endpoint(&self, queue: &str) -> Writer {
        let (endpoint, _) = queue.rsplit_once('_').unwrap();
        let host = host_of(self.message, &self.envelope);
        Writer::new(Home::new("localhost", &self.message.scenario, false), endpoint, host)
    }

    /// The delivery that was moved.
    fn original(&self) -> &Published {
        let is_it = |other: &&Published| {
            let is_moved = other.exchange.ends_with("_error") || other.exchange.ends_with("_skipped");
            !is_moved && other.scenario == self.message.scenario && other.body == self.message.body
        };
        self.all.iter().find(is_it).unwrap()
    }

    /// The delivery that a fault of what could not be read is of: the first is of what is no JSON.
    fn receive_fault_of(&self) -> &Published {
        let is_json = !self.envelope.message.as_str().contains("this is no JSON");
        let is_it = |other: &&Published| {
            other.scenario == self.message.scenario
                && !other.is_published
                && other.json().is_null() != is_json
        };
        self.all.iter().find(is_it).unwrap()
    }

    fn failure(&self) -> Failure {
        let message: Json = serde_json::from_str(self.envelope.message.as_str()).unwrap();
        let retries = self.envelope.headers.read("MT-Fault-RetryCount").unwrap_or_default();
        Failure { exception: exception(&message["exceptions"][0]), handler: None, retries }
    }
}

fn exception(recorded: &Json) -> Exception {
    let text = |name: &str| recorded[name].as_str().unwrap_or_default().to_owned();
    let inner = &recorded["innerException"];
    let data = &recorded["data"];
    Exception {
        kind: text("exceptionType"),
        inner: (!inner.is_null()).then(|| Box::new(exception(inner))),
        stack_trace: text("stackTrace"),
        message: text("message"),
        source: text("source"),
        data: (!data.is_null()).then(|| {
            // In the order in which they were recorded.
            let [email, attempt] = ["email", "attempt"].map(|name| data[name].to_string());
            JsonText::parse(&format!("{{\"email\":{email},\"attempt\":{attempt}}}")).unwrap()
        }),
    }
}

/// The program that wrote it, as its envelope or its headers say.
fn host_of(message: &Published, envelope: &Envelope) -> tick_sdk::contracts::envelope::Host {
    let mut host = envelope.host.clone();
    let headers = &message.properties.headers;
    let text = |name: &str| headers.text(&format!("MT-Host-{name}")).map(str::to_owned);
    if let Some(process_id) = text("ProcessId") {
        host.process_id = process_id.parse().unwrap();
        host.machine_name = text("MachineName");
        host.process_name = text("ProcessName");
        host.assembly = text("Assembly");
        host.assembly_version = text("AssemblyVersion");
        host.framework_version = text("FrameworkVersion");
        host.mass_transit_version = text("MassTransitVersion");
        host.operating_system_version = text("OperatingSystemVersion");
    }
    host
}

/// How our message differs from the recorded one, but for what varies from run to run.
fn message_differs(ours: &Publication, theirs: &Published) -> Vec<String> {
    let target = (ours.target.exchange(), ours.target.key().to_owned());
    let recorded = (theirs.exchange.clone(), theirs.key.clone());
    let mut differences: Vec<_> = differs("exchange and key", &target, &recorded).into_iter().collect();
    differences.extend(properties_differ(&ours.properties, &theirs.properties));
    differences.extend(body_differs(&ours.body, &theirs.body));
    differences
}

fn properties_differ(ours: &Properties, theirs: &Properties) -> Vec<String> {
    let form = |expiration: &Option<String>| expiration.as_ref().map(|_| "some".to_owned());
    let [mut left, mut right] = [ours, theirs].map(|properties| {
        let headers = Table::default();
        Properties { headers, expiration: form(&properties.expiration), ..properties.clone() }
    });
    let expiration = differs("expiration", &left.expiration.take(), &right.expiration.take());
    let mut differences: Vec<_> =
        differs("properties", &left, &right).into_iter().chain(expiration).collect();
    let names: BTreeSet<_> = ours.headers.iter().chain(theirs.headers.iter()).map(|(name, _)| name).collect();
    // The first is RabbitMQ.Client's own, the others are this program's own.
    let is_beside = |name: &str| name == "x-dotnet-pub-seq-no" || name.starts_with("MT-Orchard-");
    for name in names.into_iter().filter(|name| !is_beside(name)) {
        let [left, right] = [ours, theirs].map(|properties| match properties.headers.get(name) {
            Some(Value::Text(time)) if name == "MT-Fault-Timestamp" => Some(Value::Text(form_of_time(time))),
            value => value.cloned(),
        });
        differences.extend(differs(name, &left, &right));
    }
    differences
}

/// `2026-11-29T10:58:41.5033220Z` with zeros for digits.
fn form_of_time(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect()
}

/// Line by line: order of fields, indents, escapes and all. Lines that only one has, and whether the others stand in
/// one order.
fn body_differs(ours: &[u8], theirs: &[u8]) -> Vec<String> {
    let (Ok(ours), Ok(theirs)) = (std::str::from_utf8(ours), std::str::from_utf8(theirs)) else {
        return differs("body", ours, theirs).into_iter().collect();
    };
    let varies = |line: &&str| line.contains("_bus_") && line.contains("\"sourceAddress\"");
    let bus = theirs.lines().find(varies).is_some();
    let lines = |text: &str| -> Vec<String> {
        let kept = text.lines().filter(|line| !(bus && line.starts_with("  \"sourceAddress\"")));
        kept.map(form_of_line).collect()
    };
    let (ours, theirs) = (lines(ours), lines(theirs));
    let only_in = |lines: &[String], other: &[String]| -> Vec<String> {
        lines.iter().filter(|line| !other.contains(line)).cloned().collect()
    };
    let only_here = only_in(&ours, &theirs);
    let only_there = only_in(&theirs, &ours);
    let of_both = |lines: Vec<String>, only: &[String]| -> Vec<String> {
        // Brackets that end what only one has are no lines of both.
        lines
            .into_iter()
            .filter(|line| !only.contains(line) && !line.trim().starts_with(['}', ']']))
            .collect()
    };
    let is_whole = only_here.is_empty() && only_there.is_empty();
    let mut differences: Vec<_> = only_here.iter().map(|line| format!("only here: {line}")).collect();
    differences.extend(only_there.iter().map(|line| format!("only recorded: {line}")));
    if is_whole {
        differences.extend(differs("body", &ours, &theirs));
    } else {
        differences.extend(differs(
            "order of lines",
            &of_both(ours, &only_here),
            &of_both(theirs, &only_there),
        ));
    }
    differences
}

/// A line of a body, without the value of a field that varies from run to run where it has one.
fn form_of_line(line: &str) -> String {
    let varies = ["\"sentTime\"", "\"expirationTime\"", "\"faultId\"", "\"timestamp\""];
    match line.split_once(": ") {
        Some((name, value)) if varies.contains(&name.trim()) && value.starts_with('"') => {
            format!("{name}: some")
        }
        _ => line.to_owned(),
    }
}

/// Without this, nothing above could be believed.
#[test]
fn a_changed_byte_is_seen() {
    let messages = messages();
    let message = messages.iter().find(|message| message.case == "send-command 1").unwrap();
    let ours = Publication {
        target: bus::wire::Target::Endpoint { name: message.exchange.clone() },
        properties: message.properties.clone(),
        body: message.body.clone(),
    };
    assert_eq!(message_differs(&ours, message), Vec::<String>::new());
    for at in 0..message.body.len() {
        let mut changed = message.clone();
        changed.body[at] ^= 1;
        let line_begin = message.body[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let line = String::from_utf8_lossy(&message.body[line_begin..]).into_owned();
        // Within what varies, and in the quotes around it, one byte may be any.
        let varies =
            ["\"sentTime\"", "\"sourceAddress\""].iter().any(|name| line.trim_start().starts_with(name));
        if !varies {
            assert_ne!(message_differs(&ours, &changed), Vec::<String>::new(), "byte {at}");
        }
    }
}
