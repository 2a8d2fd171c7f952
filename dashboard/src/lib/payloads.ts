/** What hubs take and send, as their generated clients have it. */

export type { CommandsUpdate, CommandWatch } from "../generated/commands";
export type { CandleState, CandleWatch, MarketSnapshot, MarketWatch, QuoteState, SourceState } from "../generated/market";
export type { MarkedAccount, SignalState, SignalsUpdate, SignalWatch } from "../generated/signals";
export type {
  Attention,
  FeedState,
  LaneState,
  LatencyState,
  NodeState,
  PartState,
  RunningReplay,
  ShardState,
  StrategyState,
  SystemState,
  Takeover,
} from "../generated/system";
