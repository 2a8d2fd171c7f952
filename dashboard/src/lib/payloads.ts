/** What hubs take and send, until the clients that are generated from them are here. */

export interface MarketWatch { source?: string | null; symbols?: string[]; perSecond?: number | null }
export interface MarketSnapshot { group: string; sources: SourceState[]; quotes: QuoteState[] }
export interface SourceState { source: string; run: string; instruments: number; ticks: number; lastAtMs: number; hasEnded: boolean }
export interface QuoteState {
  source: string; symbol: string; version: number;
  bid: string | null; bidSize: string | null; ask: string | null; askSize: string | null;
  last: string | null; lastSize: string | null; first: string | null; ticks: number; atMs: number; seenMs: number;
}
export interface CandleWatch { source: string; symbol: string; intervalS: number; limit?: number | null }
export interface CandleState { startMs: number; open: string; high: string; low: string; close: string; volume: string; trades: number }
export interface SignalWatch { after?: number | null; runs?: string[]; strategies?: string[]; latest?: number | null }
export interface SignalsUpdate { position: number; isLatest: boolean; signals: SignalState[]; marked: MarkedAccount[] }
export interface SignalState {
  run: string; strategy: string; symbol: string; shard: number; seq: number; n: number; tsEvent: string; atMs: number;
  side: string; price: string | null; publishedMs: number;
}
export interface MarkedAccount { run: string; strategy: string; equity: string }
export interface CommandWatch { after?: Record<string, number> | null; ids?: string[]; latest?: number | null }
export interface CommandsUpdate { cursor: Record<string, number>; isLatest: boolean; commands: unknown[] }
export interface SystemState {
  atMs: number; version: string; roles: string[]; parts: PartState[]; feeds: FeedState[]; replays: RunningReplay[]; nodes: NodeState[];
  commands: Record<string, number>; takeovers: Takeover[]; attention: Attention[];
}
export interface PartState { name: string; isReady: boolean; reason: string | null }
export interface FeedState {
  feed: string; run: string; phase: string; ticksPerSecond: number; shards: ShardState[]; strategies: StrategyState[]; deadLetters: number;
}
export interface ShardState { shard: number; node: number; published: number; stalled: string | null }
export interface StrategyState {
  name: string; instances: string[]; lagTicks: number | null; lagSeconds: number | null; trend: number[];
  latencyMs: LatencyState | null; lanes: LaneState[];
}
export interface LatencyState { p50: number; p99: number; max: number }
export interface LaneState { shard: number; instance: string | null; epoch: number | null; lagTicks: number | null; hasEnded: boolean }
export interface RunningReplay { replayId: string; run: string | null; share: number | null; ticks: number; ticksPerSecond: number }
export interface NodeState { node: string; messagesPerSecond: number | null; budget: number; alarm: string | null }
export interface Takeover { atMs: number; feed: string; strategy: string; shard: number; from: string | null; to: string | null }
export interface Attention { severity: string; text: string; link: string | null }
