//! Files and variables, and what they ask for.

use gateway::{Limits, RateLimit};

use super::*;
use crate::serve::{self, DocumentsPlan};

fn read(text: &str, variables: &[(&str, &str)]) -> Result<ServeConfig, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orchard.toml");
    std::fs::write(&file, text).unwrap();
    let variables = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    ServeConfig::read(Some(&file), variables).map_err(|error| error.to_string())
}

#[test]
fn the_environment_wins_over_the_file() {
    let text = "roles = [\"gateway\", \"hosts\"]\n[broker]\nurls = \"amqp://a\"\nqueues = \"quorum\"\n";
    let config = read(
        text,
        &[
            ("ORCHARD_SERVE__BROKER__URLS", "[\"amqp://b\", \"amqp://c\"]"),
            ("ORCHARD_SERVE__GATEWAY__LISTEN", "127.0.0.1:0"),
            ("ORCHARD_SERVE__INGESTER__REPLAYS", "3"),
            ("ORCHARD_KEY", "elsewhere"),
        ],
    )
    .unwrap();
    assert_eq!(config.roles, [Role::Gateway, Role::Hosts]);
    assert_eq!(config.broker.urls, [Secret("amqp://b".to_owned()), Secret("amqp://c".to_owned())]);
    assert_eq!((config.broker.queues, config.ingester.replays), (Queues::Quorum, Some(3)));
    assert_eq!(config.gateway.listen, [SocketAddr::from(([127, 0, 0, 1], 0))]);
}

#[test]
fn documents_are_shared_where_a_process_makes_them_for_others() {
    let plan = |text: &str, variables: &[(&str, &str)]| {
        let text = format!("state = \"x\"\n{text}");
        read(&text, variables).unwrap().into_plan().unwrap()
    };
    let database = "database = \"postgres://db/orchard\"\n";
    let role = [("ORCHARD_SERVE__ROLES", "projections")];
    let shared = plan(database, &role);
    assert_eq!(
        (shared.documents, shared.roles.to_string()),
        (DocumentsPlan::Shared, "projections".to_owned())
    );
    assert_eq!(plan(database, &[]).documents, DocumentsPlan::Own);
    assert_eq!(plan("", &[]).roles.to_string(), "gateway, projections, services, ingester");
    let wanted = plan(&format!("{database}documents = \"shared\"\n"), &[("ORCHARD_SERVE__ROLES", "gateway")]);
    assert_eq!(wanted.documents, DocumentsPlan::Shared);
    let refused = |plan| serve::start(plan).err().unwrap().to_string();
    let error = refused(plan("", &role));
    assert!(error.contains("database"), "{error}");
    let error = refused(plan(&format!("{database}documents = \"own\"\n"), &role));
    assert!(error.contains("role projections") && error.contains("documents = \"shared\""), "{error}");
    let error = refused(plan("documents = \"shared\"\ncaptures = \"tests/data\"\n", &[]));
    assert!(error.contains("documents = \"shared\"") && error.contains("give its URL"), "{error}");
}

#[test]
fn limits_are_as_they_are_set_and_as_usual_otherwise() {
    let text = "state = \"x\"\n[gateway]\nlocal_requests_per_s = 5\nkey_requests_per_s = 0\n";
    let limits = read(text, &[]).unwrap().into_plan().unwrap().limits;
    assert_eq!((limits.local, limits.key), (RateLimit::per_second(5), RateLimit::NONE));
    assert_eq!(limits.address, Limits::default().address);
}

#[test]
fn commands_go_by_the_nodes_in_their_order() {
    let text = "state = \"x\"\nbroker.urls = [\"amqp://a\", \"amqp://b\", \"amqp://c\"]\n";
    let broker = read(text, &[]).unwrap().into_plan().unwrap().broker.unwrap();
    let others: Vec<_> = broker.options.other_nodes.iter().map(ToString::to_string).collect();
    assert!(broker.url.to_string().contains("//a"), "{}", broker.url);
    assert!(others.len() == 2 && others[0].contains("//b") && others[1].contains("//c"), "{others:?}");
}

#[test]
fn the_example_for_operators_is_a_plan() {
    let config = read(include_str!("../../../deploy/orchard.toml"), &[]).unwrap();
    let plan = config.into_plan().unwrap();
    assert_eq!(plan.roles.to_string(), "gateway");
    assert!(plan.broker.is_some() && plan.database.is_some() && plan.is_key_required);
}

#[test]
fn what_is_not_known_is_named_with_its_line() {
    let error = read("state = \"x\"\nrole = \"gateway\"\n", &[]).unwrap_err();
    assert!(error.contains("line 2") && error.contains("role"), "{error}");
    // Each wrong value is named with its key and where it is.
    for (text, line, key) in [
        ("state = \"x\"\nroles = [\"gatway\"]\n", "line 2", "gatway"),
        ("\n\n[gateway]\nkey_requests_per_s = -1\n", "line 4", "key_requests_per_s"),
        ("[broker]\nqueues = \"mirrored\"\n", "line 2", "queues"),
        ("documents = \"ours\"\n", "line 1", "documents"),
        ("[gateway]\nlisten = \"8090\"\n", "line 2", "listen"),
        ("[ingester]\nreplays = \"many\"\n", "line 2", "replays"),
        ("state = \n", "line 1", "state"),
        ("[broker]\nqueues = \"quorum\"\nurls = [\n  \"http://x:secret@y\"]\n", "line 3", "broker.urls"),
        ("hosts.feeds = \"no feed\"\n", "line 1", "hosts.feeds"),
    ] {
        let error = read(text, &[]).unwrap_err();
        assert!(error.contains("orchard.toml") && error.contains(line) && error.contains(key), "{error}");
    }
    let error = read("", &[("ORCHARD_SERVE__BROKER__URLS", "http://x:secret@y")]).unwrap_err();
    assert!(error.contains("ORCHARD_SERVE__BROKER__URLS") && !error.contains("secret"), "{error}");
    let error = read("", &[("ORCHARD_SERVE__ROLES", "gatway")]).unwrap_err();
    assert!(error.contains("ORCHARD_SERVE__ROLES") && error.contains("gatway"), "{error}");
    let error = read("", &[("ORCHARD_SERVE__GATEWAY__LISTN", "1")]).unwrap_err();
    assert!(error.contains("ORCHARD_SERVE__GATEWAY__LISTN") && error.contains("listn"), "{error}");
    let error = read("", &[("ORCHARD_SERVE__STATE__X", "1")]).unwrap_err();
    assert!(error.contains("ORCHARD_SERVE__STATE__X"), "{error}");
}
