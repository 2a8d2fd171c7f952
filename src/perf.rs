//! `orchard perf`: the load harness.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use perf::{BudgetError, PerfArgs, PerfError};

use crate::ended::{Ended, UsageError};
use crate::sources::on_interrupt;

pub(crate) fn run(args: &PerfArgs) -> Result<Ended> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    on_interrupt(move || stopped.store(true, Ordering::Release))?;
    match perf::run(args, &stop) {
        Ok(()) if stop.load(Ordering::Acquire) => Ok(Ended::Interrupted),
        Ok(()) => Ok(Ended::Done),
        Err(error @ PerfError::Budget(BudgetError::Interrupted)) => {
            eprintln!("{error}");
            Ok(Ended::Interrupted)
        }
        Err(PerfError::Usage(problem)) => Err(UsageError(problem).into()),
        Err(error) => Err(error.into()),
    }
}
