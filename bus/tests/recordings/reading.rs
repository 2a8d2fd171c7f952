//! Every message of the scenarios, read by the endpoint that consumed it and by one who listens.

use bus::wire::{Incoming, IncomingCommand, IncomingEvent, Original, Reader};
use serde_json::Value as Json;
use tick_sdk::contracts::CommandId;

use crate::data::{Published, messages, urns};
use crate::outcome::{Set, differs};

/// Messages that are no envelope, which the recorded endpoints took as raw JSON, or failed on.
const RAW: &str = "application/json";

#[test]
fn every_recorded_message_is_read_by_who_listens() {
    let mut set = Set::new("masstransit, read by who listens", Vec::new());
    let messages = messages();
    let mut count = 0;
    for message in &messages {
        count += 1;
        let reader = Reader::listening_with(&["create-user", "rename-user", "replays"]).with_raw_json();
        set.case(&message.case, listened(message, reader.read(message.delivery(), CommandId::new())));
    }
    set.finish(count);
}

fn listened(message: &Published, incoming: Incoming) -> Vec<String> {
    let urns = urns(message);
    let carries = |name: &str| urns.iter().any(|urn| urn == name);
    let is_fault = urns.iter().any(|urn| urn.starts_with("urn:message:MassTransit:Fault"));
    match incoming {
        Incoming::Fault(fault) if is_fault => {
            let fields = Fields::of(message);
            let exceptions = &fields.message["exceptions"];
            let mut said =
                exceptions.as_array().unwrap().iter().map(|exception| exception["message"].as_str().unwrap());
            [
                differs("id", &Some(fault.message_id.to_string()), &fields.text("messageId")),
                differs("command", &fault.command_id.map(|id| id.to_string()), &fields.text("correlationId")),
                differs(
                    "tree",
                    &fault.conversation_id.map(|id| id.to_string()),
                    &fields.text("conversationId"),
                ),
                differs("reason", &said.all(|text| fault.reason.contains(text)), &true),
            ]
            .into_iter()
            .flatten()
            .collect()
        }
        Incoming::Event(event) if carries("urn:message:Orchard.Contracts:IEvent") => {
            event_differs(message, &event)
        }
        Incoming::Command(command) if carries("urn:message:Orchard.Contracts:ICommand") => {
            let mut differences = command_differs(message, &command);
            differences.extend(differs(
                "a copy has an original",
                &command.command.original.is_some(),
                &false,
            ));
            differences
        }
        Incoming::Skipped(_)
            if !is_fault && !urns.iter().any(|urn| urn.ends_with("ICommand") || urn.ends_with("IEvent")) =>
        {
            Vec::new()
        }
        // What its consumer failed on, too.
        Incoming::Unreadable { .. } if message.scenario == "receive-fault" => Vec::new(),
        Incoming::Unreadable { .. }
            if urns.is_empty() && message.properties.content_type.as_deref() == Some(RAW) =>
        {
            Vec::new()
        }
        other => vec![format!("read as {other:?}")],
    }
}

#[test]
fn every_delivered_command_is_read_by_its_endpoint() {
    let mut set = Set::new("masstransit, read by endpoints", Vec::new());
    let mut count = 0;
    for message in messages() {
        let endpoint = ["create-user", "rename-user", "replays"].into_iter().find(|endpoint| {
            let contract = match *endpoint {
                "create-user" => "urn:message:Orchard.Contracts:CreateUser",
                "rename-user" => "urn:message:Orchard.Contracts:RenameUser",
                _ => "urn:message:Orchard.Contracts:StartReplay",
            };
            urns(&message).first().is_some_and(|urn| urn == contract)
        });
        let Some(endpoint) = endpoint else { continue };
        count += 1;
        let reader = Reader::of_endpoint(endpoint).with_raw_json();
        let differences = match reader.read(message.delivery(), CommandId::new()) {
            Incoming::Command(command) => {
                let kept = command.command.original.as_deref().map(Original::of_bytes);
                let kept = kept.and_then(Result::ok).map(|original| original.delivery);
                let mut differences = command_differs(&message, &command);
                differences.extend(differs("original", &kept, &Some(message.delivery())));
                differences.extend(differs("endpoint", command.command.endpoint.as_str(), endpoint));
                differences
            }
            Incoming::Unreadable { .. } if message.scenario == "receive-fault" => Vec::new(),
            other => vec![format!("read as {other:?}")],
        };
        set.case(&message.case, differences);
    }
    set.finish(count);
}

#[test]
fn every_recorded_request_is_read_by_its_endpoint() {
    let mut set = Set::new("masstransit, requests read", Vec::new());
    let mut count = 0;
    for message in messages() {
        if !urns(&message).iter().any(|urn| urn == "urn:message:Orchard.Contracts:GetUser") {
            continue;
        }
        count += 1;
        let fields = Fields::of(&message);
        let differences = match Reader::of_endpoint("get-user").read(message.delivery(), CommandId::new()) {
            Incoming::Request(request) => {
                let envelope = &request.envelope;
                let asked: Json = serde_json::from_str(&request.message).unwrap();
                let response = envelope.response_address.as_ref().map(ToString::to_string);
                [
                    differs(
                        "request",
                        &envelope.request_id.map(|id| id.to_string()),
                        &fields.text("requestId"),
                    ),
                    differs("response", &response, &fields.text("responseAddress")),
                    differs("message", &asked, &fields.message),
                ]
                .into_iter()
                .flatten()
                .collect()
            }
            other => vec![format!("read as {other:?}")],
        };
        set.case(&message.case, differences);
    }
    set.finish(count);
}

/// What a recorded message says of itself, in its envelope or its headers.
struct Fields<'a> {
    recorded: &'a Published,
    envelope: Json,
    message: Json,
}

impl<'a> Fields<'a> {
    fn of(recorded: &'a Published) -> Self {
        let body = recorded.json();
        if recorded.properties.content_type.as_deref() == Some(RAW) {
            return Self { recorded, envelope: Json::Null, message: body };
        }
        Self { recorded, message: body["message"].clone(), envelope: body }
    }

    fn text(&self, field: &str) -> Option<String> {
        if !self.envelope.is_null() {
            return self.envelope[field].as_str().map(str::to_owned);
        }
        let header = match field {
            "messageId" => "MessageId",
            "correlationId" => "CorrelationId",
            "conversationId" => "ConversationId",
            "requestId" => "RequestId",
            "initiatorId" => "MT-InitiatorId",
            other => panic!("{other}"),
        };
        self.recorded.properties.headers.text(header).map(str::to_owned)
    }
}

fn command_differs(message: &Published, incoming: &IncomingCommand) -> Vec<String> {
    let fields = Fields::of(message);
    let command = &incoming.command;
    // Where the envelope names no id the message's own counts.
    let id = fields.text("correlationId").or_else(|| fields.message["commandId"].as_str().map(str::to_owned));
    let tree = fields.text("conversationId").or_else(|| id.clone());
    let body: Json = serde_json::from_str(&command.body).unwrap();
    [
        differs("id", &Some(command.command_id.to_string()), &id),
        differs("tree", &Some(command.conversation_id.to_string()), &tree),
        differs("initiator", &command.initiator_id.map(|id| id.to_string()), &fields.text("initiatorId")),
        differs("message", &body, &fields.message),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn event_differs(message: &Published, event: &IncomingEvent) -> Vec<String> {
    let fields = Fields::of(message);
    let id = fields.text("correlationId");
    // In a command's handler, the initiator is the command itself.
    let initiator = fields.text("initiatorId").filter(|initiator| Some(initiator) != id.as_ref());
    let mut body: Json = serde_json::from_str(&event.body).unwrap();
    // A contract of this program without these two is as good: .NET finds the id in the envelope.
    for property in ["correlationId", "createdAt"] {
        if body[property].is_null() && !fields.message[property].is_null() {
            body[property] = fields.message[property].clone();
        }
    }
    [
        differs("message id", &Some(event.message_id.to_string()), &fields.text("messageId")),
        differs("command", &event.command_id.map(|id| id.to_string()), &id),
        differs("tree", &event.conversation_id.map(|id| id.to_string()), &fields.text("conversationId")),
        differs("initiator", &event.initiator_id.map(|id| id.to_string()), &initiator),
        differs("message", &body, &fields.message),
    ]
    .into_iter()
    .flatten()
    .collect()
}
