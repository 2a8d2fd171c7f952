//! The run's instruments: sources' symbols with their prefixes, each of one market.

use std::collections::{HashMap, HashSet};

use crate::{NamedSymbol, ReadError};

/// The run's instruments, by prefixed symbol.
#[derive(Default)]
pub(super) struct Symbols {
    names: Vec<String>,
    known: HashMap<String, Known>,
    only: Option<HashSet<String>>,
}

struct Known {
    id: u32,
    market: Option<String>,
    file: String,
}

impl Symbols {
    /// None yet; of those to come, only `only`.
    pub(super) fn new(only: Option<HashSet<String>>) -> Self {
        Self { only, ..Self::default() }
    }

    /// By the run's id.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The run's id of a source's symbol, `None` for one that is not selected.
    pub(super) fn id(
        &mut self,
        prefix: &str,
        named: &NamedSymbol,
        file: &str,
    ) -> Result<Option<u32>, ReadError> {
        let symbol = format!("{prefix}{}", named.symbol);
        if self.only.as_ref().is_some_and(|only| !only.contains(&symbol)) {
            return Ok(None);
        }
        if let Some(known) = self.known.get_mut(&symbol) {
            return match (&known.market, &named.market) {
                (Some(first), Some(second)) if first != second => Err(ReadError::SymbolOfTwoMarkets {
                    symbol,
                    first_file: known.file.clone(),
                    first_market: first.clone(),
                    second_file: file.to_owned(),
                    second_market: second.clone(),
                }),
                (None, Some(market)) => {
                    (known.market, known.file) = (Some(market.clone()), file.to_owned());
                    Ok(Some(known.id))
                }
                _ => Ok(Some(known.id)),
            };
        }
        let id = self.names.len() as u32;
        let known = Known { id, market: named.market.clone(), file: file.to_owned() };
        self.known.insert(symbol.clone(), known);
        self.names.push(symbol);
        Ok(Some(id))
    }
}
