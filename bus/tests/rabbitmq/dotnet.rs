//! Beside a real MassTransit, with the contracts that `orchard contracts --csharp` writes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use broker::Properties;
use bus::rabbitmq::{Answer, BrokerUrl, NoAnswer, QueueKind, RabbitOptions};
use bus::{
    Bus, EventSource, Handled, Handler, HandlerError, Message, Retry, SendOptions, SqliteStore, StoredEvent,
    Work,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tick_sdk::contracts::CommandId;
use tick_sdk::contracts::accounts::{ACCOUNTS, CreateUser, DisableUser, RenameUser, UserCreated};
use tick_sdk::contracts::bus::{CommandCompleted, CommandFound, CommandNotFound, GetCommand};
use uuid::Uuid;

use crate::broker_of_test::Vhost;
use crate::peer::{Peer, read};
use crate::shop::options;
use crate::wait_until;
use service::{Service, is_of, program};

mod service;

macro_rules! command {
    ($Name:ident { $($field:ident),* }, $endpoint:literal) => {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        struct $Name {
            $($field: String),*
        }

        tick_sdk::command!($Name, version 1, endpoint $endpoint);
    };
}

command!(Notify { email, name }, "notifier");
command!(Greet { name }, "greeter");
command!(Stumble { name }, "stumbler");
command!(Recover { name }, "recoverer");
command!(Hang { name }, "hanger");

#[derive(Default)]
struct OnCreateUser;

impl Handler for OnCreateUser {
    type Command = CreateUser;

    async fn handle(
        &self,
        message: &Message<CreateUser>,
        work: &mut Work<'_>,
    ) -> Result<Handled, HandlerError> {
        let CreateUser { email, name } = message.body.clone();
        work.publish(&UserCreated { user_id: message.command_id.0, email, name });
        Ok(Handled::DONE)
    }
}
bus::handler!(OnCreateUser);

#[derive(Default)]
struct OnRenameUser;

impl Handler for OnRenameUser {
    type Command = RenameUser;
    const RETRY: Retry = Retry::Never;

    async fn handle(&self, message: &Message<RenameUser>, _: &mut Work<'_>) -> Result<Handled, HandlerError> {
        Err(HandlerError::refused(format!("there is no user {}", message.body.user_id)))
    }
}
bus::handler!(OnRenameUser);

#[derive(Default)]
struct OnDisableUser;

impl Handler for OnDisableUser {
    type Command = DisableUser;

    async fn handle(&self, _: &Message<DisableUser>, work: &mut Work<'_>) -> Result<Handled, HandlerError> {
        work.send(&Notify { email: "zoe@example.com".to_owned(), name: "Zoë".to_owned() });
        Ok(Handled::DONE)
    }
}
bus::handler!(OnDisableUser);

/// The accounts, which also answer what became of a command: found is what has an odd id.
struct Accounts {
    bus: Bus,
    is_hanging: Arc<AtomicBool>,
    _folder: tempfile::TempDir,
}

impl Accounts {
    fn start(url: &BrokerUrl, options: RabbitOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("accounts.db"), "").unwrap();
        let is_hanging = Arc::<AtomicBool>::default();
        let hangs = is_hanging.clone();
        let bus = Bus::builder().rabbitmq(url.clone(), options).context(ACCOUNTS, store).responder(
            move |asked: GetCommand| {
                while hangs.load(Ordering::Acquire) {
                    std::thread::sleep(crate::BETWEEN_LOOKS);
                }
                match asked.command_id.0.as_u128() % 4 {
                    0 => Ok(Answer::of(CommandNotFound { command_id: asked.command_id })),
                    1 => Ok(Answer::of(found(asked.command_id))),
                    _ => Err(NoAnswer::because("that is asked too much")),
                }
            },
        );
        let accounts = Self { bus: bus.start().unwrap(), is_hanging, _folder: folder };
        wait_until("it consumes", || {
            let status = accounts.bus.rabbitmq().unwrap();
            status.endpoints.len() == 2 && status.endpoints.iter().all(|endpoint| endpoint.is_consuming)
        });
        accounts
    }

    fn events(&self, name: &str) -> Vec<StoredEvent> {
        let events = self.bus.events_after(ACCOUNTS, 0, 100_000).unwrap();
        events.into_iter().filter(|event| event.name == name).collect()
    }

    fn send<C: tick_sdk::contracts::Command>(&self, command: &C) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let accepted = runtime.block_on(self.bus.send(command, SendOptions::default())).unwrap();
        accepted.command_id.to_string()
    }
}

fn found(command_id: CommandId) -> CommandFound {
    CommandFound {
        command_id,
        command: "CreateUser".to_owned(),
        endpoint: ACCOUNTS.to_owned(),
        state: "completed".to_owned(),
        reason: None,
        result: None,
        attempts: 1,
    }
}

fn user(id: &str) -> Value {
    json!({"commandId": id, "email": "zoe@example.com", "name": "Zoë 🦊"})
}

fn new_id() -> String {
    Uuid::now_v7().to_string()
}

/// Sends one command each way, and waits until it is handled and heard of.
fn handled_once(accounts: &Accounts, service: &Service, ways: &[Value]) {
    let ids: Vec<_> = ways.iter().map(|_| new_id()).collect();
    for (number, (way, id)) in ways.iter().zip(&ids).enumerate() {
        let mut request = way.clone();
        request["message"] = user(id);
        service.act(100 + number as u64, request);
    }
    for id in &ids {
        let created = service.consumed("UserCreated", id);
        assert_eq!(created["message"]["name"], "Zoë 🦊", "{created}");
        service.consumed("IEvent", id);
    }
    assert_eq!(accounts.events("UserCreated").len(), ids.len());
    assert!(ids.iter().all(|id| service.left("UserCreated", id) == 0));
}

const LISTENS: [&str; 4] = ["--consume", "UserCreated", "--consume", "IEvent"];

fn ways() -> [Value; 3] {
    [
        json!({"send": "CreateUser", "to": "exchange:accounts"}),
        json!({"send": "CreateUser", "to": "queue:accounts"}),
        json!({"publish": "CreateUser"}),
    ]
}

fn start(program: &Path, vhost: &Vhost, options: &[&str]) -> Service {
    Service::start(program, &vhost.text().replace("%2f", "%2F"), options)
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_service_sends_commands_by_exchange_by_queue_and_published_and_consumes_events() {
    let Some(program) = program() else { return };
    let vhost = Vhost::new("dotnet-sends");
    let accounts = Accounts::start(&vhost.url(), options());
    let service = start(&program, &vhost, &LISTENS);
    handled_once(&accounts, &service, &ways());
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn endpoints_may_be_quorum_queues() {
    let Some(program) = program() else { return };
    let vhost = Vhost::new("dotnet-quorum");
    let queue = QueueKind::Quorum { members: None };
    let accounts = Accounts::start(&vhost.url(), RabbitOptions { queue, ..options() });
    let service = start(&program, &vhost, &[&LISTENS[..], &["--quorum"]].concat());
    let [by_exchange, _, published] = ways();
    handled_once(&accounts, &service, &[by_exchange, published]);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn raw_json_is_read_where_it_is_wanted() {
    let Some(program) = program() else { return };
    let vhost = Vhost::new("dotnet-raw");
    let accounts = Accounts::start(&vhost.url(), RabbitOptions { takes_raw_json: true, ..options() });
    let service = start(&program, &vhost, &["--raw"]);
    let id = new_id();
    service.act(1, json!({"send": "CreateUser", "to": "exchange:accounts", "message": user(&id)}));
    wait_until("it is created", || accounts.events("UserCreated").len() == 1);
    assert_eq!(accounts.events("UserCreated")[0].command_id.unwrap().to_string(), id);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn faults_reach_a_service_by_type_by_marker_and_all_together() {
    let Some(program) = program() else { return };
    let vhost = Vhost::new("dotnet-faults");
    let (accounts, peer) = (Accounts::start(&vhost.url(), options()), Peer::new(&vhost.url()));
    let kinds = ["Fault<RenameUser>", "Fault<ICommand>", "Fault@all-faults", "ReceiveFault"];
    let consumed = kinds.iter().flat_map(|kind| ["--consume", kind]).collect::<Vec<_>>();
    let service = start(&program, &vhost, &consumed);
    let (id, user_id) = (new_id(), new_id());
    let message = json!({"commandId": id, "userId": user_id, "name": "Z"});
    service.act(1, json!({"send": "RenameUser", "to": "exchange:accounts", "message": message}));
    let reason = format!("there is no user {user_id}");
    for kind in ["Fault<RenameUser>", "Fault<ICommand>", "Fault"] {
        let fault = service.consumed(kind, &id);
        assert_eq!(fault["message"]["exceptions"][0]["message"], reason, "{kind}: {fault}");
    }
    let moved = peer.next("accounts_error");
    assert_eq!(read(&moved)["message"]["userId"], user_id);
    // A command that came another way fails for those who listen, too.
    let here = accounts.send(&RenameUser { user_id: Uuid::now_v7(), name: "Z".to_owned() });
    service.consumed("Fault<ICommand>", &here);

    peer.publish(ACCOUNTS, "", b"no JSON", Properties::default());
    let unread = service.wait_for("a ReceiveFault is consumed", |said| is_of(said, "ReceiveFault"));
    assert!(unread["message"]["exceptions"][0]["message"].is_string(), "{unread}");
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_request_gets_one_answer_the_other_a_fault_or_its_time_out() {
    let Some(program) = program() else { return };
    let vhost = Vhost::new("dotnet-asks");
    let accounts = Accounts::start(&vhost.url(), options());
    let service = start(&program, &vhost, &[]);
    let ask = |number: u64, rest: u128, timeout: u32| {
        let id = Uuid::from_u128(Uuid::now_v7().as_u128() & !3 | rest).to_string();
        let answers = ["CommandFound", "CommandNotFound"];
        let to = if number.is_multiple_of(2) { "queue:commands" } else { "exchange:commands" };
        let request = json!({"request": "GetCommand", "to": to, "answers": answers, "timeout": timeout,
            "message": {"commandId": id}});
        (service.request(number, request), id)
    };
    let of = |answer: &str| format!("Orchard.Contracts.{answer}");
    let (answered, id) = ask(1, 1, 20);
    assert_eq!(
        (&answered["answer"], &answered["message"]["commandId"]),
        (&json!(of("CommandFound")), &json!(id))
    );
    let (answered, id) = ask(2, 0, 20);
    assert_eq!(
        (&answered["answer"], &answered["message"]["commandId"]),
        (&json!(of("CommandNotFound")), &json!(id))
    );
    let (failed, _) = ask(3, 2, 20);
    let said = failed["fault"].to_string();
    assert!(said.contains("that is asked too much"), "{failed}");
    accounts.is_hanging.store(true, Ordering::Release);
    let (late, _) = ask(4, 1, 1);
    assert_eq!(late["timeout"], true, "{late}");
    accounts.is_hanging.store(false, Ordering::Release);
    let (answered, _) = ask(5, 1, 20);
    assert_eq!(answered["answer"], of("CommandFound"), "{answered}");
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn commands_reach_a_services_handlers_whatever_these_do() {
    let Some(program) = program() else { return };
    let vhost = Vhost::new("dotnet-handles");
    let (accounts, peer) = (Accounts::start(&vhost.url(), options()), Peer::new(&vhost.url()));
    let greeted = peer.listen("Orchard.Contracts:Greeted");
    let faults = peer.listen("MassTransit:Fault--Orchard.Contracts:Stumble--");
    let handlers = [
        "Notify@notifier=publish:CreateUser",
        "Greet@greeter=publish:Greeted",
        "Stumble@stumbler=fail",
        "Recover@recoverer=fail:2",
        "Hang@hanger=hang",
    ];
    let handles = handlers.iter().flat_map(|handler| ["--handle", handler]).collect::<Vec<_>>();
    let service =
        start(&program, &vhost, &[&handles[..], &["--retry", "3", "--consume", "UserCreated"]].concat());

    let name = || "Zoë".to_owned();
    let id = accounts.send(&Greet { name: name() });
    let event = read(&peer.next(&greeted));
    assert_eq!((&event["message"]["correlationId"], &event["message"]["name"]), (&json!(id), &json!("Zoë")));
    assert_eq!((&event["initiatorId"], &event["conversationId"]), (&json!(id), &json!(id)));

    let id = accounts.send(&Stumble { name: name() });
    assert_eq!(read(&peer.next(&faults))["correlationId"], id);
    let moved = peer.next("stumbler_error");
    assert_eq!(read(&moved)["message"]["commandId"], id);

    let id = accounts.send(&Recover { name: name() });
    for _ in 0..3 {
        service.consumed("Recover", &id);
    }
    let id = accounts.send(&Hang { name: name() });
    service.consumed("Hang", &id);

    // From here to there and back: one tree of causes.
    let id = accounts.send(&DisableUser { user_id: Uuid::now_v7() });
    wait_until("a user is created", || accounts.events("UserCreated").len() == 1);
    let created = &accounts.events("UserCreated")[0];
    assert_eq!(created.conversation_id.unwrap().to_string(), id);
    let initiator = created.initiator_id.unwrap().to_string();
    let notified = service.wait_for("it is notified", |said| is_of(said, "Notify"));
    assert_eq!((&notified["correlationId"], &notified["initiatorId"]), (&json!(initiator), &json!(id)));
    service
        .wait_for("it hears of the user", |said| is_of(said, "UserCreated") && said["conversationId"] == id);
    wait_until("all is completed", || accounts.events(CommandCompleted::NAME).len() == 2);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn commands_of_both_sides_are_handled_once_while_the_bus_is_started_again() {
    let Some(program) = program() else { return };
    let vhost = Vhost::new("dotnet-restarts");
    let service = start(&program, &vhost, &LISTENS);
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(&folder.path().join("accounts.db"), "").unwrap());
    let begin = || {
        let bus = Bus::builder().rabbitmq(vhost.url(), options()).shared_context(ACCOUNTS, store.clone());
        bus.start().unwrap()
    };
    let mut bus = begin();
    wait_until("it consumes", || {
        let endpoints = bus.rabbitmq().unwrap().endpoints;
        !endpoints.is_empty() && endpoints.iter().all(|endpoint| endpoint.is_consuming)
    });
    let ids: Vec<_> = (0..200).map(|_| new_id()).collect();
    for (number, id) in ids.iter().enumerate() {
        let request = json!({"id": 1_000 + number, "send": "CreateUser", "to": "exchange:accounts", "message": user(id)});
        service.ask(&request);
        if number % 40 == 39 {
            assert!(bus.stop(Duration::from_secs(20)));
            bus = begin();
        }
    }
    ids.iter().for_each(|id| drop(service.consumed("UserCreated", id)));
    let events = bus.events_after(ACCOUNTS, 0, 100_000).unwrap();
    let created = events.iter().filter(|event| event.name == "UserCreated").count();
    assert_eq!(created, ids.len());
}
