//! What is to be published, and how.

use std::path::PathBuf;
use std::time::Duration;

use tick_feed::budget::Budget;
use tick_feed::frame::wire::MAX_FRAME_BYTES;
use tick_feed::rabbitmq::{BrokerUrl, Durability};
use tick_sdk::Tick;
use tick_sdk::groups::Groups;
use tick_sdk::names::{FeedName, RunId, StrategyName};

use super::IngestError;
use crate::ReadOptions;
use crate::feed::{self, Pace, SourceSpec, TickSelection};

/// Everything that decides what is published. [`IngestPlan::new`] has the usual values.
#[derive(Clone, Debug)]
pub struct IngestPlan {
    /// The feed.
    pub feed: FeedName,
    /// The brokers' nodes, at most one a shard; every host names them in the same order.
    pub brokers: Vec<BrokerUrl>,
    /// The strategies that take part from the run's first tick on.
    pub strategies: Vec<FeedStrategy>,
    /// Where ticks come from, in the order in which equal times are taken.
    pub sources: Vec<SourceSpec>,
    /// How each source is read. Its `stopped` is the run's own.
    pub read: ReadOptions,
    /// Which ticks are taken.
    pub selection: TickSelection,
    /// The text of a groups file, one `NAME = SYMBOL SYMBOL` a line; empty for none.
    pub groups: String,
    /// How fast.
    pub pace: Pace,
    /// How many shards instruments are split over, 1 to 1024.
    pub shards: u16,
    /// What the broker does with frames.
    pub durability: Durability,
    /// A strategy's queue of one shard holds at most so many bytes; then the shard waits.
    pub queue_bytes: u64,
    /// A full queue of an optional strategy is waited for so long, and at the end of the run its progress.
    pub abandon_after: Duration,
    /// Messages a second for each node. With `None` a run that begins has the usual one, and one that is
    /// resumed its own.
    pub budget: Option<Budget>,
    /// How long a tick may wait for others while the budget allows no message.
    pub linger: Duration,
    /// Always so many ticks a frame, for measuring; with `None` as many as the budget asks for.
    pub frame_ticks: Option<u32>,
    /// A frame is at most so many bytes.
    pub frame_bytes: u64,
    /// The folder in which the run's position is kept; one ingester at a time has it.
    pub state: PathBuf,
    /// Which run is published.
    pub begin: Begin,
    /// When the run counts as ended.
    pub at_end: AtEnd,
}

/// A strategy that the feed has from the run's first tick on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedStrategy {
    /// Its instance name.
    pub name: StrategyName,
    /// Whether its full queues stall the feed, and the run's end waits for it without a limit. One that is
    /// optional is abandoned when it does not get on for [`IngestPlan::abandon_after`].
    pub is_required: bool,
}

/// Which run is published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Begin {
    /// A new one; that an earlier one has not ended is an error.
    #[default]
    New,
    /// A new one; an earlier one that has not ended is abandoned.
    Replace,
    /// This one, which was interrupted, with the same sources and options.
    Resume(RunId),
}

/// When the run counts as ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtEnd {
    /// When every required strategy has committed to the end, and the optional ones as long as they get on.
    #[default]
    AwaitStrategies,
    /// When the broker has confirmed everything. The run stays open, so that it can be resumed.
    Detach,
}

/// A frame's prefix and what goes around its ticks, with some names.
const FRAME_OVERHEAD: usize = 256;
/// Half of what the wire allows: the rest is for the names of instruments.
const MAX_FRAME_TICKS: usize = MAX_FRAME_BYTES / 2 / size_of::<Tick>();

impl IngestPlan {
    /// All ticks of these sources in one shard, as fast as they are taken, without any strategy. The run's
    /// position is kept in `.orchard/FEED`.
    pub fn new(feed: FeedName, brokers: Vec<BrokerUrl>, sources: Vec<SourceSpec>) -> Self {
        Self {
            state: Self::usual_state(&feed),
            feed,
            brokers,
            strategies: Vec::new(),
            sources,
            read: ReadOptions::default(),
            selection: TickSelection::default(),
            groups: String::new(),
            pace: Pace::default(),
            shards: 1,
            durability: Durability::Memory,
            queue_bytes: 256 << 20,
            abandon_after: Duration::from_secs(60),
            budget: None,
            linger: Duration::from_millis(5),
            frame_ticks: None,
            frame_bytes: 512 << 10,
            begin: Begin::default(),
            at_end: AtEnd::default(),
        }
    }

    /// The folder in which the position of a feed's run is kept unless another is named.
    pub fn usual_state(feed: &FeedName) -> PathBuf {
        PathBuf::from(".orchard").join(feed.to_string())
    }

    /// Ticks a frame, at most.
    pub(super) fn max_frame_ticks(&self) -> usize {
        let room = (self.frame_bytes as usize).saturating_sub(FRAME_OVERHEAD) / size_of::<Tick>();
        self.frame_ticks.map_or(room, |ticks| ticks as usize).clamp(1, MAX_FRAME_TICKS)
    }

    /// Bytes a frame, at most, except for one with the names of many instruments. Hosts derive from it how
    /// many frames they may have unacknowledged.
    pub(super) fn max_frame_bytes(&self) -> usize {
        FRAME_OVERHEAD + self.max_frame_ticks() * size_of::<Tick>()
    }

    /// Refuses what cannot be carried out; the groups, read.
    pub(super) fn check(&self) -> Result<Groups, IngestError> {
        if self.sources.is_empty() {
            return Err(IngestError::NoSources);
        }
        if self.brokers.is_empty() {
            return Err(IngestError::NoBrokers);
        }
        if !(1..=1024).contains(&self.shards) {
            return Err(IngestError::Shards { shards: self.shards });
        }
        for (place, strategy) in self.strategies.iter().enumerate() {
            if self.strategies[..place].iter().any(|other| other.name == strategy.name) {
                return Err(IngestError::StrategyTwice { name: strategy.name.clone() });
            }
        }
        if self.brokers.len() > usize::from(self.shards) {
            return Err(IngestError::TooManyBrokers { brokers: self.brokers.len(), shards: self.shards });
        }
        feed::check(&self.sources, &self.selection)?;
        self.groups.parse().map_err(IngestError::Groups)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::GenerateOptions;

    fn plan() -> IngestPlan {
        let market = SourceSpec::Generated(GenerateOptions::default());
        IngestPlan::new("f".parse().unwrap(), vec!["amqp://127.0.0.1:1".parse().unwrap()], vec![market])
    }

    #[test]
    fn a_plan_that_cannot_be_carried_out_is_refused() {
        assert!(plan().check().is_ok());
        let apple = FeedStrategy { name: "apple".parse().unwrap(), is_required: true };
        let twice = IngestPlan { strategies: vec![apple.clone(), apple], ..plan() };
        let brokers = IngestPlan { brokers: [plan().brokers, plan().brokers].concat(), ..plan() };
        let wrong = [
            (IngestPlan { sources: Vec::new(), ..plan() }, "no source"),
            (IngestPlan { brokers: Vec::new(), ..plan() }, "no broker"),
            (IngestPlan { shards: 0, ..plan() }, "0 shards"),
            (twice, "names apple twice"),
            (brokers, "2 --broker for --shards 1"),
            (IngestPlan { groups: "no groups".to_owned(), ..plan() }, "groups"),
        ];
        for (plan, said) in wrong {
            let error = plan.check().unwrap_err();
            assert!(error.is_usage() && error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn a_frame_has_room_for_a_tick_at_least() {
        let tiny = IngestPlan { frame_bytes: 1, ..plan() };
        assert_eq!(tiny.max_frame_ticks(), 1);
        let fixed = IngestPlan { frame_ticks: Some(100), ..plan() };
        assert_eq!(fixed.max_frame_bytes(), FRAME_OVERHEAD + 100 * size_of::<Tick>());
        let huge = IngestPlan { frame_bytes: u64::MAX, ..plan() };
        assert_eq!(huge.max_frame_ticks(), MAX_FRAME_TICKS);
    }
}
