use std::collections::BTreeMap;

use crate::shape::Form;
use crate::{shape, texts};

texts! {
    /// What one object of a strategy stands for, as [`StrategyView::scope`] has it.
    pub mod strategy_scope {
        /// One instrument.
        INSTRUMENT = "instrument";
        /// A group of instruments.
        GROUP = "group";
    }
}

shape! {
    /// A strategy that the program has.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct StrategyView {
        /// Its name.
        pub name: String,
        /// One line about it.
        pub summary: String,
        /// Its version, which identifies stored state.
        pub version: u32,
        /// What one object of it stands for.
        pub scope: String as Form::OneOf(&strategy_scope::TEXTS),
        /// The crate that it comes from.
        pub package: String,
        /// Its parameters, in the order in which they were declared.
        pub parameters: Vec<ParameterView>,
    }
}

shape! {
    /// A parameter of a strategy.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ParameterView {
        /// Its name.
        pub name: String,
        /// The type of its value: `u32`, `f64`, `bool`, `String`, …
        pub kind: String,
        /// Its documentation.
        pub docs: String,
        /// Its value where none is given, as text.
        pub default: String,
    }
}

texts! {
    /// The states of a deployment, as [`DeploymentView::state`] has them.
    pub mod deployment_state {
        /// It takes part.
        ACTIVE = "active";
        /// It takes part, and its lane has failed at a host, which starts it again after a while.
        FAILING = "failing";
        /// It was stopped; what it committed stays.
        STOPPED = "stopped";
    }
}

shape! {
    /// A strategy that takes part in replays, or in a feed.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct DeploymentView {
        /// Its name.
        pub name: String,
        /// Which strategy.
        pub strategy: String,
        /// Every parameter with its value as text.
        pub parameters: BTreeMap<String, String>,
        /// The feed whose hosts run it; replays where absent.
        pub feed: Option<String>,
        /// 1 at first, and one more at each change.
        pub revision: u32,
        /// The name that its signals carry now.
        pub lane: String,
        /// How it stands.
        pub state: String as Form::OneOf(&deployment_state::TEXTS),
        /// When it was deployed.
        pub deployed_at: String as Form::Time,
        /// When its parameters last changed, where they have.
        pub changed_at: Option<String> as Form::Time,
        /// When it was stopped, where it was.
        pub stopped_at: Option<String> as Form::Time,
        /// How its lane last failed, while it is failing.
        #[serde(default)]
        pub failure: Option<LaneFailure>,
    }
}

shape! {
    /// How a lane of a feed failed.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct LaneFailure {
        /// Why.
        pub reason: String,
        /// When.
        pub at: String as Form::Time,
        /// How often it has failed at that host since it last ran for some time.
        pub failures: u32,
        /// Whether the strategy itself failed, so that it will again at the same tick.
        pub is_of_strategy: bool,
    }
}

shape! {
    /// The body of `PATCH /api/deployments/{name}`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ChangeParametersBody {
        /// Values as text; those not named keep what they are.
        pub parameters: BTreeMap<String, String>,
    }
}
