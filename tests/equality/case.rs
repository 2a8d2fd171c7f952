//! One case: a feed of its own with an ingester and five instances, and what must hold at its end.

use std::io::Write;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tick_feed::rabbitmq::FeedState;
use tick_sdk::names::RunId;

use crate::database;
use crate::disturber::Disturber;
use crate::input::{Input, SHARDS, input, is_long};
use crate::management::Management;
use crate::program::Program;
use crate::servers::{Servers, Turn};
use crate::waiting::{LOOK_EVERY, pause, wait_for, wait_until};

/// What starts does so within this time.
pub(crate) const STARTS: Duration = Duration::from_secs(30);

/// A feed, and everything that works on it.
pub(crate) struct Case<'a> {
    pub(crate) name: String,
    pub(crate) feed: String,
    pub(crate) servers: &'a Servers,
    pub(crate) brokers: Vec<String>,
    pub(crate) ledger: String,
    pub(crate) input: &'static Input,
    /// What `ingest` reads, where it is not the input of all cases.
    pub(crate) sources: Option<Vec<String>>,
    /// Options that pace the ingester.
    pub(crate) pace: Vec<String>,
    /// Options of `ingest` beside those that every case has.
    pub(crate) ingest_options: Vec<String>,
    pub(crate) ingester: Option<Program>,
    pub(crate) instances: Vec<Instance>,
    folder: TempDir,
    run: Option<RunId>,
}

/// One `orchard run`.
pub(crate) struct Instance {
    pub(crate) strategy: String,
    pub(crate) program: Program,
}

/// The end of a run is reached within this time after the last disturbance.
fn ends() -> Duration {
    Duration::from_secs(if is_long() { 600 } else { 120 })
}

impl<'a> Case<'a> {
    /// A feed of its own on these servers, with a ledger of its own; nothing runs yet.
    pub(crate) fn new(servers: &'a Servers, name: &str, durability: &str) -> Self {
        Self::of(input(), servers, name, durability)
    }

    /// As [`Case::new`], with this input.
    pub(crate) fn of(input: &'static Input, servers: &'a Servers, name: &str, durability: &str) -> Self {
        let feed = format!("{name}-{durability}-{}", &RunId::random().to_string()[..8]);
        let ledger = database::create(servers.url("POSTGRES"), &feed.replace('-', "_"));
        Self {
            name: format!("{name}, {durability}"),
            feed,
            servers,
            brokers: vec![servers.url("AMQP").to_owned()],
            ledger,
            input,
            sources: None,
            pace: input.pace.clone(),
            ingest_options: vec!["--durability".to_owned(), durability.to_owned()],
            ingester: None,
            instances: Vec::new(),
            folder: tempfile::tempdir().expect("a temporary folder"),
            run: None,
        }
    }

    /// As [`Case::new`], with the ingester and all instances at work.
    pub(crate) fn start(_turn: &Turn, servers: &'a Servers, name: &str, durability: &str) -> Self {
        let mut case = Self::new(servers, name, durability);
        case.start_all();
        case
    }

    /// Paces the ingester so that undisturbed it takes so long.
    pub(crate) fn last_for(&mut self, seconds: u64) {
        self.pace = vec!["--rate".to_owned(), (self.input.ticks / seconds).to_string()];
    }

    /// Kills the ingester, and goes on with the run at the pace of all cases: what is paced so that
    /// every disturbance finds it at work need not be waited for.
    pub(crate) fn hurry(&mut self, disturber: &mut Disturber) {
        self.ingester.as_mut().expect("it runs").kill();
        disturber.note("killed the ingester", None);
        self.pace = self.input.pace.clone();
        self.start_ingester();
    }

    /// Starts the ingester and all instances.
    pub(crate) fn start_all(&mut self) {
        self.start_ingester();
        self.start_instances();
    }

    pub(crate) fn start_instances(&mut self) {
        for strategy in self.input.instances {
            self.start_instance(strategy, &[]);
        }
    }

    /// How many shards an instance has, as its last line of progress says.
    pub(crate) fn shards_of(&self, place: usize) -> usize {
        let said = self.instances[place].program.said();
        let behind = format!(" of {SHARDS} shards");
        let count = |line: &str| line.split_once(&behind)?.0.rsplit(' ').next()?.parse().ok();
        said.lines().rev().find_map(count).unwrap_or(0)
    }

    /// The instance with the most shards among all of one strategy, once they have every shard between them.
    pub(crate) fn busiest(&self, instances: std::ops::Range<usize>) -> usize {
        wait_for("every shard has an instance", STARTS, || {
            let shards = instances.clone().map(|place| (self.shards_of(place), place));
            let all: usize = shards.clone().map(|(count, _)| count).sum();
            shards.max().filter(|_| all == usize::from(SHARDS)).map(|(_, place)| place)
        })
    }

    /// Waits until every instance takes part and every lane is claimed: an instance that is still starting
    /// ends with an error where the ledger or the broker is away.
    #[track_caller]
    pub(crate) fn wait_claimed(&mut self, disturber: &Disturber) {
        let takes_part = format!("run {}", self.run());
        for instance in &mut self.instances {
            instance.program.wait_for_line(&takes_part, STARTS);
        }
        let lanes = self.input.strategies().len() * usize::from(SHARDS);
        let what = format!("{}: every lane is claimed", self.name);
        wait_until(&what, STARTS, || disturber.cursors().len() == lanes);
    }

    /// Adds options of `ingest`, each with its value, in place of what they were before.
    pub(crate) fn options(&mut self, options: &[&str]) {
        for option in options.chunks(2) {
            if let Some(place) = self.ingest_options.iter().position(|before| before == option[0]) {
                self.ingest_options.drain(place..place + 2);
            }
            self.ingest_options.extend(option.iter().map(|text| (*text).to_owned()));
        }
    }

    /// Starts the ingester: the first time a new run, then the same one again.
    pub(crate) fn start_ingester(&mut self) {
        let mut args = self.ingest_args();
        if let Some(run) = self.run {
            args.extend(["--resume".to_owned(), run.to_string()]);
        }
        let mut program = self.program("ingest", &args);
        let line = program.wait_for_line("run ", STARTS);
        let named = line.split_whitespace().find_map(|part| part.parse::<RunId>().ok());
        let named = named.unwrap_or_else(|| panic!("'{line}' names a run"));
        assert!(self.run.is_none_or(|run| run == named), "{named} is the run that was to be resumed");
        self.run = Some(named);
        self.ingester = Some(program);
    }

    /// `orchard ingest` with everything that each start of it has.
    pub(crate) fn ingest_args(&self) -> Vec<String> {
        let mut args = vec!["ingest".to_owned()];
        let sources = self.sources.as_ref().unwrap_or(&self.input.args);
        args.extend(sources.iter().chain(&self.pace).cloned());
        let own = |text: &str| text.to_owned();
        args.extend([own("--feed"), self.feed.clone(), own("--shards"), SHARDS.to_string()]);
        if !self.ingest_options.iter().any(|option| option == "--strategies") {
            args.extend([own("--strategies"), self.input.strategies().join(",")]);
        }
        args.extend(self.brokers.iter().flat_map(|broker| [own("--broker"), broker.clone()]));
        args.extend(self.ingest_options.iter().cloned());
        args
    }

    /// Starts one instance more; gives its place.
    pub(crate) fn start_instance(&mut self, strategy: &str, options: &[&str]) -> usize {
        let name = format!("run {strategy} ({})", self.instances.len());
        let program = self.program(&name, &self.instance_args(strategy, options));
        self.instances.push(Instance { strategy: strategy.to_owned(), program });
        self.instances.len() - 1
    }

    pub(crate) fn instance_args(&self, strategy: &str, options: &[&str]) -> Vec<String> {
        let mut args =
            vec!["run", "--once", "--feed", &self.feed, "--strategy", strategy, "--state", &self.ledger];
        args.extend(self.brokers.iter().flat_map(|broker| ["--broker", broker]));
        args.extend(options);
        args.into_iter().map(str::to_owned).collect()
    }

    /// Kills an instance as `kill -9` does, and starts another in its place.
    pub(crate) fn replace_instance(&mut self, place: usize) {
        self.instances[place].program.kill();
        let strategy = self.instances[place].strategy.clone();
        let name = format!("run {strategy} ({place}, again)");
        let program = self.program(&name, &self.instance_args(&strategy, &[]));
        self.instances[place].program = program;
    }

    pub(crate) fn ingester_is_running(&mut self) -> bool {
        self.ingester.as_mut().is_some_and(Program::is_running)
    }

    /// Starts the input's program in the case's folder.
    fn program(&self, name: &str, args: &[String]) -> Program {
        Program::start_of(&self.input.program, name, self.folder.path(), args)
    }

    /// The ingester and all instances.
    pub(crate) fn programs(&self) -> impl Iterator<Item = &Program> {
        self.ingester.iter().chain(self.instances.iter().map(|instance| &instance.program))
    }

    /// How the feed stands, as the ingester has left it on the broker; `None` while that is in other hands.
    pub(crate) fn feed_state(&self) -> Option<FeedState> {
        let body = self.management().peek(&format!("orchard.{}.run", self.feed))?;
        serde_json::from_slice(&body).ok()
    }

    pub(crate) fn run(&self) -> RunId {
        self.run.expect("the ingester has named its run")
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) fn management(&self) -> Management {
        Management::new(self.servers.url("MANAGEMENT"))
    }

    /// The queue of one strategy's frames.
    pub(crate) fn queue(&self, strategy: &str, shard: u16) -> String {
        format!("orchard.{}.{strategy}.{shard}", self.feed)
    }

    pub(crate) fn disturber(&self) -> Disturber {
        Disturber::new(&self.ledger, self.run())
    }

    /// Waits until so much of all the work is committed, as a share of 1.
    #[track_caller]
    pub(crate) fn wait_committed(&self, disturber: &Disturber, share: f64) {
        let strategies = self.input.strategies().len() as u64;
        let expected = (self.input.ticks * strategies) as f64 * share;
        let what = format!("{}: {share} of the ticks are committed", self.name);
        wait_until(&what, ends(), || disturber.committed() as f64 >= expected);
    }

    /// Waits for the end, and checks all that must hold there. Gives what the instances have said.
    #[track_caller]
    pub(crate) fn finish(self, disturber: Disturber) -> Vec<String> {
        let strategies = self.input.strategies();
        self.finish_with(disturber, &strategies)
    }

    /// As [`Case::finish`], where only these strategies are compared.
    #[track_caller]
    pub(crate) fn finish_with(mut self, mut disturber: Disturber, strategies: &[&str]) -> Vec<String> {
        let counts = self.wait_for_end(strategies);
        self.expect_empty_queues();
        let (disturbed, recovered) = (disturber.disturbed, disturber.recovered());
        say(&format!("{}: {counts}, recovered {recovered} of {disturbed}", self.name));
        assert_eq!(recovered, disturbed, "{}", self.name);
        self.remove_queues();
        self.instances.iter().map(|instance| instance.program.said()).collect()
    }

    /// Waits until every program has ended well, and compares the signals of these strategies.
    #[track_caller]
    pub(crate) fn wait_for_end(&mut self, strategies: &[&str]) -> String {
        self.wait_for_ingester();
        let programs = self.instances.iter_mut().map(|instance| &mut instance.program);
        for program in self.ingester.iter_mut().chain(programs) {
            let ended = program.wait(ends());
            assert_eq!(ended.code, Some(0), "{}: {}: {}", self.name, program.name(), ended.said);
        }
        self.verify(strategies)
    }

    /// Waits until the ingester has ended; what every instance said is shown where it does not.
    #[track_caller]
    fn wait_for_ingester(&mut self) {
        let started = Instant::now();
        while self.ingester.as_mut().is_some_and(Program::is_running) {
            let programs = self.instances.iter().map(|instance| &instance.program).chain(&self.ingester);
            let said = || programs.map(|program| format!("{}: {}", program.name(), program.said()));
            assert!(started.elapsed() < ends(), "{} does not end\n{}", self.name, said().collect::<String>());
            pause(LOOK_EVERY);
        }
    }

    /// What `orchard verify` counts, all of them 0.
    #[track_caller]
    pub(crate) fn verify(&self, strategies: &[&str]) -> String {
        let expected = self.input.expected.to_str().expect("UTF-8");
        let run = self.run().to_string();
        let args = ["verify", expected, "--feed", &self.feed, "--run", &run, "--state", &self.ledger];
        let strategies = strategies.join(",");
        let args = [&args[..], &["--strategies", &strategies]].concat();
        let ended = Program::run(self.folder.path(), &args, STARTS);
        assert_eq!(ended.code, Some(0), "{}: {}", self.name, ended.said);
        let counts = ended.said.lines().find(|line| line.starts_with("lost 0, duplicated 0, unexpected 0"));
        let counts = counts.unwrap_or_else(|| panic!("{}: {}", self.name, ended.said));
        counts.split(';').next().expect("a part").to_owned()
    }

    /// Every message was acknowledged.
    #[track_caller]
    fn expect_empty_queues(&self) {
        let started = Instant::now();
        loop {
            let left: Vec<_> = self.queues().into_iter().filter(|(_, messages)| *messages > 0).collect();
            if left.is_empty() {
                return;
            }
            assert!(started.elapsed() < STARTS, "{}: these queues are not empty: {left:?}", self.name);
        }
    }

    /// The queues of frames and of dead letters, each with its number of messages.
    fn queues(&self) -> Vec<(String, u64)> {
        self.counted("messages")
    }

    /// The same queues, each with the number of messages that no host has been sent.
    pub(crate) fn waiting(&self) -> Vec<(String, u64)> {
        self.counted("messages_ready")
    }

    /// `column` is what `rabbitmqctl list_queues` is to count.
    fn counted(&self, column: &str) -> Vec<(String, u64)> {
        let list = self.servers.ctl("1", &["list_queues", "--no-table-headers", "name", column]);
        let prefix = format!("orchard.{}.", self.feed);
        let rows = list.lines().filter_map(|line| line.split_once('\t'));
        rows.filter(|(name, _)| name.starts_with(&prefix) && !name.ends_with(".run"))
            .filter_map(|(name, messages)| Some((name.to_owned(), messages.trim().parse().ok()?)))
            .collect()
    }

    /// Later cases need the broker's memory.
    pub(crate) fn remove_queues(&self) {
        let management = self.management();
        for (queue, _) in self.queues() {
            management.delete_queue(&queue);
        }
    }
}

impl Drop for Case<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        say(&format!("{}: what its programs said last", self.name));
        for program in self.programs() {
            say(&format!("== {}\n{}", program.name(), program.said()));
        }
    }
}

/// Says something even where the test's own output is kept back.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
