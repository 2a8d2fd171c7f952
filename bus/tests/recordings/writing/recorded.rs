//! What this program writes in place of a recorded message.

use std::time::Duration;

use bus::store::{NewCommand, StoredEvent};
use bus::wire::{Exception, Failure, Home, Incoming, Original, Publication, Reader, Stamp, Value, Writer};
use serde_json::Value as Json;
use tick_sdk::contracts::envelope::{Envelope, JsonText};
use tick_sdk::contracts::{CommandId, ConversationId};

use crate::contracts::{GetUser, UserFound, UserNotFound, one_answer};
use crate::data::{Published, urns};

/// A recorded message with all that it was made of.
pub(super) struct Recorded<'a> {
    message: &'a Published,
    all: &'a [Published],
    envelope: Envelope,
    writer: Writer,
    stamp: Stamp,
}

impl<'a> Recorded<'a> {
    pub(super) fn of(message: &'a Published, all: &'a [Published]) -> Self {
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
    pub(super) fn ours(&self) -> Option<Publication> {
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
