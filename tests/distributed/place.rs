//! Where the processes of a test meet: a virtual host and a database of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::database;
use crate::http::send;
use crate::server::Server;
use crate::servers::Servers;

/// `guest` with the password `guest`.
const GUEST: &str = "Basic Z3Vlc3Q6Z3Vlc3Q=";
/// The exchange of an event that every user that is created causes.
const USER_CREATED: &str = "Orchard.Contracts:UserCreated";
/// A queue that gets all that is published there.
const WITNESS: &str = "witness";

/// A virtual host, a database, and a folder with the configuration that all processes have.
pub(crate) struct Place<'a> {
    pub(crate) servers: &'a Servers,
    vhost: String,
    database: String,
    folder: TempDir,
    begun: Instant,
    /// The broker's nodes.
    nodes: usize,
    /// The program that has the role `services`, where it is another one.
    services: Option<fn(&Command) -> Command>,
}

impl<'a> Place<'a> {
    /// With these lines more in the configuration, which ends in the section of the broker.
    pub(crate) fn new(servers: &'a Servers, name: &str, broker: &str) -> Self {
        let database = database::create(servers.url("POSTGRES"), name);
        let folder = tempfile::tempdir().unwrap();
        let place = Self {
            servers,
            vhost: name.to_owned(),
            database,
            folder,
            begun: Instant::now(),
            nodes: 1,
            services: None,
        };
        place.ask("PUT", &format!("/api/vhosts/{name}"), &Value::Null);
        let amqp = place.amqp(1);
        let config = format!(
            "captures = \"tests/data\"\ndatabase = \"{}\"\n\n[gateway]\nlisten = \"127.0.0.1:0\"\n\n\
             [broker]\nurls = [\"{amqp}\"]\n{broker}",
            place.database
        );
        std::fs::write(place.config(), config).unwrap();
        place
    }

    /// The broker is a cluster of so many nodes: each process uses one of them, and another when that is lost.
    pub(crate) fn on_nodes(self, nodes: usize) -> Self {
        Self { nodes, ..self }
    }

    /// Another program has the role `services`, which is started as this one would be.
    pub(crate) fn with_services(self, program: fn(&Command) -> Command) -> Self {
        Self { services: Some(program), ..self }
    }

    /// The virtual host at a node, counted from 1.
    pub(crate) fn amqp(&self, node: usize) -> String {
        let (amqp, _) = self.servers.url(&format!("AMQP_{node}")).rsplit_once('/').unwrap();
        format!("{amqp}/{}", self.vhost)
    }

    /// Says what the test is at, and how long it took until then.
    pub(crate) fn say(&self, what: &str) {
        println!("{:5.1} s  {what}", self.begun.elapsed().as_secs_f64());
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("orchard.toml")
    }

    /// A file or folder of the test's own.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The database.
    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    /// How a process with this role is started, the number'th of them.
    pub(crate) fn command(&self, role: &str, number: usize) -> Command {
        let state = self.path(&format!("{role}{number}"));
        let mut command = Command::new(crate::PROGRAM);
        command.args(["serve", "--config"]).arg(self.config()).arg("--state").arg(state);
        command.env("ORCHARD_SERVE__ROLES", role).env_remove("ORCHARD_KEY");
        // Each begins with another node.
        let nodes = (0..self.nodes).map(|place| self.amqp((number + place) % self.nodes + 1));
        command.env("ORCHARD_SERVE__BROKER__URLS", json!(nodes.collect::<Vec<_>>()).to_string());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts it; it is ready when this returns.
    pub(crate) fn start(&self, role: &str, number: usize) -> Server {
        let mut command = self.command(role, number);
        if let Some(other) = self.services.filter(|_| role == "services") {
            command = other(&command);
        }
        let started = Server::launch(&mut command);
        started.unwrap_or_else(|said| panic!("{role} {number} ended before it was ready: {said:#?}"))
    }

    /// Makes a queue for the event of each user that is created, before anybody publishes any.
    pub(crate) fn listen(&self) {
        let vhost = &self.vhost;
        let replicated = json!({ "durable": true, "arguments": { "x-queue-type": "quorum" } });
        self.ask("PUT", &format!("/api/queues/{vhost}/{WITNESS}"), &replicated);
        let fanout = json!({ "durable": true, "type": "fanout" });
        self.ask("PUT", &format!("/api/exchanges/{vhost}/{USER_CREATED}"), &fanout);
        self.ask("POST", &format!("/api/bindings/{vhost}/e/{USER_CREATED}/q/{WITNESS}"), &json!({}));
    }

    /// Whether gateways get copies of what goes to these endpoints.
    pub(crate) fn is_followed(&self, endpoints: &[&str]) -> bool {
        let bindings = self.ask("GET", &format!("/api/bindings/{}", self.vhost), &Value::Null);
        let bindings = bindings.as_array().cloned().unwrap_or_default();
        let is_copy = |binding: &Value, endpoint: &str| {
            binding["source"] == endpoint && binding["destination"] == "orchard-gateway"
        };
        endpoints.iter().all(|endpoint| bindings.iter().any(|binding| is_copy(binding, endpoint)))
    }

    /// The message ids of the events that were published so far and not given before.
    pub(crate) fn heard(&self) -> Vec<String> {
        // Of many the broker cuts its answer off.
        let take =
            json!({ "count": 2_000, "ackmode": "ack_requeue_false", "encoding": "auto", "truncate": 1 });
        let taken = self.ask("POST", &format!("/api/queues/{}/{WITNESS}/get", self.vhost), &take);
        let id = |message: &Value| message["properties"]["message_id"].as_str().unwrap().to_owned();
        taken.as_array().unwrap().iter().map(id).collect()
    }

    /// What the management API answers.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let management = self.servers.url("MANAGEMENT").trim_start_matches("http://");
        let headers = [("authorization", GUEST), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = send(management, method, path, &headers, body.as_bytes());
        assert!(answer.status < 300, "{method} {path}: {} {}", answer.status, answer.text());
        serde_json::from_str(&answer.text()).unwrap_or_default()
    }
}

/// Ends a process in good order, with nothing that has to be cut off.
pub(crate) fn stop(server: Server) {
    let said = server.stop();
    assert!(!said.contains("cut off"), "{said}");
}

/// Makes a gateway's documents anew of all events: they are as those that it had.
pub(crate) fn check_rebuilt(place: &Place<'_>, number: usize) {
    let live = place.path(&format!("live{number}"));
    let state = place.path(&format!("gateway{number}"));
    crate::documents::copy_state(&state, &live);
    let started = Server::launch(place.command("gateway", number).arg("--rebuild"));
    let server = started.unwrap_or_else(|said| panic!("{said:#?}"));
    server.wait_said("Rebuilt");
    stop(server);
    crate::documents::assert_same_documents(&live, Path::new(&state));
}
