//! Which type of record yields what, in a file of which schema.

use ::dbn::{Schema, rtype};

/// What to do with a file of another schema.
pub(crate) const READ_SCHEMAS: &str = "ticks come from the schemas trades, tbbo, mbp-1, mbp-10, cmbp-1, tcbbo, bbo-1s, bbo-1m, cbbo-1s, cbbo-1m \
     and mbo: ask for one of them";

/// What the records of one type yield.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Nothing; counted by the type's name.
    Skip,
    /// A trade from an order book message.
    Mbo,
    /// A trade.
    Trade,
    /// A trade, then the best bid and ask after it.
    TradeThenQuote,
    /// The best bid and ask before a trade, then the trade.
    QuoteThenTrade,
    /// Like [`Plan::TradeThenQuote`], of a record with ten levels.
    DeepTradeThenQuote,
    /// Like [`Plan::TradeThenQuote`], across venues.
    ConsolidatedTradeThenQuote,
    /// Like [`Plan::QuoteThenTrade`], across venues.
    ConsolidatedQuoteThenTrade,
    /// The best bid and ask of an interval.
    Quote,
    /// Like [`Plan::Quote`], across venues.
    ConsolidatedQuote,
    /// Nothing but the symbol of an instrument from now on.
    SymbolMapping,
}

/// The plan of every type of record, or the name of a schema without ticks.
///
/// A file of one schema takes ticks from that schema's records alone, so that nothing is sent twice.
pub(super) fn plan_of(schema: Option<Schema>) -> Result<[Plan; 256], &'static str> {
    let records: &[(u8, Plan)] = match schema {
        Some(Schema::Trades) => &[(rtype::MBP_0, Plan::Trade)],
        Some(Schema::Mbo) => &[(rtype::MBO, Plan::Mbo)],
        Some(Schema::Mbp1) => &[(rtype::MBP_1, Plan::TradeThenQuote)],
        Some(Schema::Tbbo) => &[(rtype::MBP_1, Plan::QuoteThenTrade)],
        Some(Schema::Cmbp1) => &[(rtype::CMBP_1, Plan::ConsolidatedTradeThenQuote)],
        Some(Schema::Tcbbo) => &[(rtype::TCBBO, Plan::ConsolidatedQuoteThenTrade)],
        Some(Schema::Mbp10) => &[(rtype::MBP_10, Plan::DeepTradeThenQuote)],
        Some(Schema::Cbbo1S) => &[(rtype::CBBO_1S, Plan::ConsolidatedQuote)],
        Some(Schema::Cbbo1M) => &[(rtype::CBBO_1M, Plan::ConsolidatedQuote)],
        Some(Schema::Bbo1S) => &[(rtype::BBO_1S, Plan::Quote)],
        Some(Schema::Bbo1M) => &[(rtype::BBO_1M, Plan::Quote)],
        None => &[
            (rtype::MBP_0, Plan::Trade),
            (rtype::MBO, Plan::Mbo),
            (rtype::MBP_1, Plan::TradeThenQuote),
            (rtype::MBP_10, Plan::DeepTradeThenQuote),
            (rtype::CMBP_1, Plan::ConsolidatedTradeThenQuote),
            (rtype::TCBBO, Plan::ConsolidatedQuoteThenTrade),
            (rtype::BBO_1S, Plan::Quote),
            (rtype::BBO_1M, Plan::Quote),
            (rtype::CBBO_1S, Plan::ConsolidatedQuote),
            (rtype::CBBO_1M, Plan::ConsolidatedQuote),
        ],
        Some(other) => return Err(other.as_str()),
    };
    let mut plan = [Plan::Skip; 256];
    plan[usize::from(rtype::SYMBOL_MAPPING)] = Plan::SymbolMapping;
    for (rtype, what) in records {
        plan[usize::from(*rtype)] = *what;
    }
    Ok(plan)
}
