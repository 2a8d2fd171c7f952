//! The hubs over real sockets, with a real bus behind them.

mod generated;
