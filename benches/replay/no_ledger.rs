//! A ledger that keeps nothing: what is left is everything but the ledger.

use strategy_host::ledger::{
    Claim, Commit, Identity, LaneId, LaneRow, Ledger, LedgerError, MemberRow, OpenedRun, RunRow, StoredBatch,
};
use tick_feed::NewInstrument;
use tick_feed::run::Manifest;
use tick_sdk::names::{RunId, StrategyName};

/// Takes commits and forgets them.
pub(crate) struct NoLedger;

impl Ledger for NoLedger {
    fn id(&self) -> &str {
        "none"
    }
    fn open_run(&mut self, _: &Manifest) -> Result<OpenedRun, LedgerError> {
        Ok(OpenedRun { run: RunId::random(), resumed: false })
    }
    fn identify(&mut self, _: RunId, _: &Identity) -> Result<(), LedgerError> {
        Ok(())
    }
    fn record_run(&mut self, _: RunId, _: &str, _: &Manifest) -> Result<(), LedgerError> {
        Ok(())
    }
    fn runs(&self, _: &str) -> Result<Vec<RunRow>, LedgerError> {
        Ok(Vec::new())
    }
    fn claim(&mut self, _: &LaneId, _: u64) -> Result<Claim, LedgerError> {
        Ok(Claim::default())
    }
    fn commit(&mut self, _: &[Commit]) -> Result<Vec<usize>, LedgerError> {
        Ok(Vec::new())
    }
    fn lanes(&self, _: RunId) -> Result<Vec<LaneRow>, LedgerError> {
        Ok(Vec::new())
    }
    fn batch_at(&self, _: &LaneId, _: u64) -> Result<Option<u64>, LedgerError> {
        Ok(None)
    }

    fn batches(&self, _: &LaneId, _: u64, _: usize) -> Result<Vec<StoredBatch>, LedgerError> {
        Ok(Vec::new())
    }
    fn dictionary(&self, _: RunId, _: u16) -> Result<Vec<NewInstrument>, LedgerError> {
        Ok(Vec::new())
    }
    fn beat(&mut self, _: RunId, _: &StrategyName, member: &str) -> Result<Vec<String>, LedgerError> {
        Ok(vec![member.to_owned()])
    }
    fn leave(&mut self, _: RunId, _: &StrategyName, _: &str) -> Result<(), LedgerError> {
        Ok(())
    }
    fn members(&self, _: RunId) -> Result<Vec<MemberRow>, LedgerError> {
        Ok(Vec::new())
    }
}
