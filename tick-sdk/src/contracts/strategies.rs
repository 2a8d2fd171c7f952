//! Deployments, signals and accounts: the context `strategies`.

use std::collections::BTreeMap;

use super::results::PerformanceFigures;
use crate::shape::Form;
use crate::{command, event, shape, texts};

/// The context's name, which is also its endpoint's.
pub const STRATEGIES: &str = "strategies";

texts! {
    /// The sides of a signal, as [`CommittedSignal::side`] has them; also what an account holds.
    pub mod side {
        /// A long position.
        BUY = "buy";
        /// A short position.
        SELL = "sell";
        /// No position.
        FLAT = "flat";
    }
}

shape! {
    /// A strategy with its parameters, under a name.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct StrategySpec {
        /// The name that its signals carry; the strategy's own where absent.
        #[serde(default)]
        pub name: Option<String>,
        /// Which strategy, as `orchard strategies` lists them.
        pub strategy: String,
        /// Values as text, by the parameter's name; the others keep their defaults.
        #[serde(default)]
        pub parameters: BTreeMap<String, String>,
    }
}

shape! {
    /// From now on this strategy takes part: in replays that name no strategies, or in a feed.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct DeployStrategy {
        /// The deployment's name, which is free.
        pub name: String,
        /// Which strategy.
        pub strategy: String,
        /// Values as text, by the parameter's name.
        #[serde(default)]
        pub parameters: BTreeMap<String, String>,
        /// The feed whose hosts run it; replays where absent.
        #[serde(default)]
        pub feed: Option<String>,
        /// Where it begins in the feed's run: `start` for its first tick, or a receive time in ISO 8601, as
        /// `2026-01-31T12:00:00Z`; at the next tick where absent.
        #[serde(default)]
        pub from: Option<String>,
    }
}
command!(DeployStrategy, version 1, endpoint STRATEGIES);

shape! {
    /// Gives a deployment other parameters: a new lane `name@revision` from then on.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ChangeParameters {
        /// The deployment.
        pub name: String,
        /// Values as text; those not named keep what they are.
        pub parameters: BTreeMap<String, String>,
    }
}
command!(ChangeParameters, version 1, endpoint STRATEGIES);

shape! {
    /// Ends a deployment; what it has committed stays.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct StopStrategy {
        /// The deployment.
        pub name: String,
    }
}
command!(StopStrategy, version 1, endpoint STRATEGIES);

shape! {
    /// A strategy is deployed.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct StrategyDeployed {
        /// The deployment's name.
        pub name: String,
        /// Which strategy.
        pub strategy: String,
        /// Every parameter with its value as text, defaults included.
        pub parameters: BTreeMap<String, String>,
        /// The feed, or none.
        pub feed: Option<String>,
        /// Where it begins in the feed's run, as [`DeployStrategy::from`] has it.
        #[serde(default)]
        pub from: Option<String>,
        /// 1 at first, and one more at each change.
        pub revision: u32,
    }
}
event!(StrategyDeployed, version 1, context STRATEGIES);

shape! {
    /// A deployment has other parameters.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ParametersChanged {
        /// The deployment's name.
        pub name: String,
        /// Every parameter with its value as text.
        pub parameters: BTreeMap<String, String>,
        /// The revision from now on: its lane is `name@revision`.
        pub revision: u32,
    }
}
event!(ParametersChanged, version 1, context STRATEGIES);

shape! {
    /// A deployment has ended.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct StrategyStopped {
        /// The deployment's name.
        pub name: String,
    }
}
event!(StrategyStopped, version 1, context STRATEGIES);

shape! {
    /// A lane has committed signals.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct SignalsCommitted {
        /// The run.
        pub run: String,
        /// The instance's name.
        pub strategy: String,
        /// The shard.
        pub shard: u16,
        /// The first seq that the batch covers.
        pub from_seq: u64,
        /// The seq after the last one.
        pub to_seq: u64,
        /// The signals, in their order.
        pub signals: Vec<CommittedSignal>,
    }
}
event!(SignalsCommitted, version 1, context STRATEGIES);

shape! {
    /// One signal, as it was committed.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct CommittedSignal {
        /// The instrument's symbol.
        pub symbol: String,
        /// The tick's place in its shard.
        pub seq: u64,
        /// Counts the signals of one (strategy, shard, seq).
        pub n: u32,
        /// The tick's event time, in ns since the UNIX epoch.
        pub ts_event: u64,
        /// The tick's receive time, in ns since the UNIX epoch.
        pub ts_recv: u64,
        /// What it asks for.
        pub side: String as Form::OneOf(&side::TEXTS),
        /// In decimal; absent where the price is undefined.
        pub price: Option<String> as Form::Decimal,
    }
}

shape! {
    /// What a strategy earned on paper in a run, as its report has it. The account is kept where the strategy
    /// runs; whoever reads this computes no money.
    #[derive(Clone, Debug, PartialEq)]
    pub struct AccountMarked {
        /// The run.
        pub run: String,
        /// The instance's name.
        pub strategy: String,
        /// Over all instruments.
        pub total: AccountFigures,
        /// By instrument, in order of symbol.
        pub instruments: Vec<InstrumentFigures>,
    }
}
event!(AccountMarked, version 1, context STRATEGIES);

shape! {
    /// A lane of a feed has failed at one of its hosts, which starts it again after a while.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct LaneFailed {
        /// The feed.
        pub feed: String,
        /// The lane's name.
        pub strategy: String,
        /// Why, in words for a user.
        pub reason: String,
        /// How often it has failed at this host since it last ran for some time.
        pub failures: u32,
        /// Whether the strategy itself failed, so that it will again at the same tick.
        pub is_of_strategy: bool,
    }
}
event!(LaneFailed, version 1, context STRATEGIES);

shape! {
    /// A lane of a feed that had failed has run for some time again.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct LaneRecovered {
        /// The feed.
        pub feed: String,
        /// The lane's name.
        pub strategy: String,
    }
}
event!(LaneRecovered, version 1, context STRATEGIES);

shape! {
    /// The signals and accounts of a run are in the log no more: whoever has made something of them removes it.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct RunForgotten {
        /// The run.
        pub run: String,
    }
}
event!(RunForgotten, version 1, context STRATEGIES);

shape! {
    /// One instrument's part of an account.
    #[derive(Clone, Debug, PartialEq)]
    pub struct InstrumentFigures {
        /// The instrument's symbol.
        pub symbol: String,
        /// What is held: `buy` is long, `sell` is short.
        pub position: String as Form::OneOf(&side::TEXTS),
        /// The figures.
        #[serde(flatten)]
        pub figures: AccountFigures,
    }
}

shape! {
    /// Figures of a paper account; money is decimal text in the quote unit, for a position of one.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct AccountFigures {
        /// Signals taken.
        pub signals: u64,
        /// Positions closed.
        pub trades: u64,
        /// Of those, with profit.
        pub wins: u64,
        /// `wins / trades`, where there are trades.
        pub hit_rate: Option<f64>,
        /// Profit of closed positions.
        pub realised: String as Form::Decimal,
        /// Of the open one, at the last price.
        pub open: String as Form::Decimal,
        /// Paid.
        pub fees: String as Form::Decimal,
        /// Realised and open, less fees.
        pub equity: String as Form::Decimal,
        /// The greatest fall of the equity from its highest.
        pub max_drawdown: String as Form::Decimal,
        /// The share of the time with a position, 0 to 1.
        pub exposure: f64,
        /// How well the account did.
        #[serde(flatten)]
        pub performance: PerformanceFigures,
    }
}
