//! What the command line says, as requests.

use clap::Parser;

use super::*;

/// `orchard ctl` by itself.
#[derive(Debug, Parser)]
struct Ctl {
    #[command(flatten)]
    args: CtlArgs,
}

fn parse(line: &str) -> Result<CtlArgs, String> {
    let words = std::iter::once("ctl").chain(line.split(' '));
    Ctl::try_parse_from(words).map(|ctl| ctl.args).map_err(|error| error.to_string())
}

const ID: &str = "0197f0aa-0000-7000-8000-000000000001";

#[test]
fn every_route_has_a_command() {
    for line in [
        "replays start a.zst".to_owned(),
        "replays list --state failed --limit 5".to_owned(),
        format!("replays show {ID}"),
        format!("replays cancel {ID} --wait"),
        "files --all".to_owned(),
        "users create --email a@b.c --name A --wait=30s".to_owned(),
        "users list".to_owned(),
        format!("users show {ID}"),
        format!("users rename {ID} B --idempotency-key k"),
        format!("users disable {ID}"),
        "strategies".to_owned(),
        "strategies apple".to_owned(),
        "deployments create fast apple:fast=8 --feed btc".to_owned(),
        "deployments list".to_owned(),
        "deployments show fast".to_owned(),
        "deployments change fast slow=20".to_owned(),
        "deployments stop fast".to_owned(),
        "commands list --state failed".to_owned(),
        format!("commands show {ID}"),
        format!("commands tree {ID}"),
        format!("commands wait {ID} --for 5s"),
        format!("commands requeue {ID}"),
        "signals --run r --strategy a --strategy b --symbol X --side buy --csv".to_owned(),
        "signals --run r --latest 20".to_owned(),
        "positions --run r --strategy a".to_owned(),
        "instruments".to_owned(),
        "events --context ticks --position 5".to_owned(),
        "events --latest 20".to_owned(),
        "projections list".to_owned(),
        "projections skip users".to_owned(),
        "health".to_owned(),
        "openapi".to_owned(),
    ] {
        parse(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
        // How the gateway is reached can be said anywhere.
        parse(&format!("{line} --url http://h:1 --key k --json --timeout 5s --after {ID}"))
            .map(drop)
            .or_else(|error| if line.ends_with("--csv") { Ok(()) } else { Err(error) })
            .unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

#[test]
fn what_does_not_fit_is_wrong_usage() {
    for line in [
        "replays start",
        "replays show 5",
        "positions --strategy a",
        "events --position 5",
        "signals --latest 5",
        "signals --run r --latest 5 --side buy",
        "events --latest 0",
        "events --latest 5 --all",
        "signals --csv --json",
        "signals --csv --limit 5",
        "users list --all --limit 5",
        "commands wait 0197f0aa-0000-7000-8000-000000000001 --for soon",
        "deployments change fast",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn a_replay_is_asked_for_in_the_words_of_orchard_replay() {
    let line = "replays start a.zst 'b/*.csv' --strategy apple,pear --strategy fast=apple:fast=8 --symbols X,Y \
                --from 2024-08-08 --to 1723075201000000001 --speed 10x --loop 3 --tz -05:00 --reorder 1s --on-bad-line skip \
                --fill cross --slippage 0.5 --fee -1 --capital 100000";
    let What::Replays(replays::Action::Start(args)) = parse(line).unwrap().what else { panic!("another") };
    let plan = args.plan().unwrap();
    assert_eq!(plan.files, ["a.zst", "'b/*.csv'"]);
    assert_eq!(plan.symbols, ["X", "Y"]);
    assert_eq!(plan.from.as_deref(), Some("2024-08-08T00:00:00Z"));
    assert_eq!(plan.to.as_deref(), Some("2024-08-08T00:00:01.000000001Z"));
    assert_eq!((plan.speed, plan.repeats), (Some(10.0), Some(3)));
    let names: Vec<_> =
        plan.strategies.iter().map(|spec| (spec.name.as_deref(), spec.strategy.as_str())).collect();
    assert_eq!(names, [(None, "apple"), (None, "pear"), (Some("fast"), "apple")]);
    assert_eq!(plan.time_zone.as_deref(), Some("-05:00"));
    assert_eq!(plan.on_bad_line.as_deref(), Some("skip"));
    assert_eq!((plan.slippage.as_deref(), plan.fee.as_deref()), (Some("0.5"), Some("-1")));
    assert_eq!(plan.capital.as_deref(), Some("100000"));
}

#[test]
fn a_deployment_has_one_name() {
    let deployment = |line: &str| {
        let What::Deployments(deployments::Action::Create(args)) = parse(line).unwrap().what else {
            panic!("another")
        };
        args.deployment().map_err(|error| error.to_string())
    };
    let made = deployment("deployments create night apple:fast=8,slow=20").unwrap();
    assert_eq!((made.name.as_str(), made.strategy.as_str()), ("night", "apple"));
    assert_eq!(made.parameters["slow"], "20");
    assert!(
        deployment("deployments create night fast=apple:fast=8").unwrap_err().contains("name stands before")
    );
}

#[test]
fn an_address_that_cannot_be_is_wrong_usage() {
    let no_file = ("https://h --ca none.pem", "--ca none.pem: ");
    let no_certificate = ("https://h --ca Cargo.toml", "no authority can be trusted");
    let unencrypted = ("http://h --ca tick-sdk/tests/client/certificates/authority.pem", "https: only");
    let others = [("h:1", "no address"), ("http://a:b@h", "a user")];
    for (url, reason) in [no_file, no_certificate, unencrypted].into_iter().chain(others) {
        let args = parse(&format!("health --url {url}")).unwrap();
        assert!(args.gateway.client().unwrap_err().to_string().contains(reason), "{url}");
    }
    let args = parse("health --url http://h --key a\u{7f}b").unwrap();
    assert!(args.gateway.client().unwrap_err().to_string().contains("API key"));
}
