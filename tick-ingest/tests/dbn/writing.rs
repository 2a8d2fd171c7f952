//! DBN files in the making.

use crate::*;

/// A DBN file in the making.
pub(crate) struct File(pub(crate) dbn::encode::dbn::Encoder<Vec<u8>>);

impl File {
    pub(crate) fn new(metadata: &Metadata) -> Self {
        Self(dbn::encode::dbn::Encoder::new(Vec::new(), metadata).unwrap())
    }

    pub(crate) fn with<R: dbn::encode::DbnEncodable>(mut self, record: &R) -> Self {
        self.0.encode_record(record).unwrap();
        self
    }

    pub(crate) fn with_all<R: dbn::encode::DbnEncodable>(mut self, records: &[R]) -> Self {
        self.0.encode_records(records).unwrap();
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.get_ref().clone()
    }
}

pub(crate) fn file(schema: impl Into<Option<Schema>>) -> File {
    File::new(&metadata(schema.into(), Vec::new()))
}

pub(crate) fn metadata(schema: Option<Schema>, mappings: Vec<SymbolMapping>) -> Metadata {
    Metadata::builder()
        .dataset("GLBX.MDP3")
        .schema(schema)
        .start(MONDAY)
        .stype_in(Some(SType::RawSymbol))
        .stype_out(SType::InstrumentId)
        .mappings(mappings)
        .build()
}

/// `raw` stands for `symbol` on the day that begins at `day`.
pub(crate) fn mapping(raw: &str, day: u64, symbol: &str) -> SymbolMapping {
    let date = |ts| dbn::record::ts_to_dt(ts).unwrap().date();
    let (start_date, end_date) = (date(day), date(day + 86_400 * ONE));
    let intervals = vec![MappingInterval { start_date, end_date, symbol: symbol.to_owned() }];
    SymbolMapping { raw_symbol: raw.to_owned(), intervals }
}

/// Instrument 7 trades at 100 (in 1e-9).
pub(crate) fn trade(at: u64, side: char, size: u32) -> TradeMsg {
    TradeMsg {
        hd: RecordHeader::new::<TradeMsg>(rtype::MBP_0, 1, 7, at.wrapping_sub(7)),
        price: 100,
        size,
        action: b'T' as c_char,
        side: side as c_char,
        ts_recv: at,
        ..TradeMsg::default()
    }
}

pub(crate) fn mbo(at: u64, action: char) -> MboMsg {
    MboMsg {
        hd: RecordHeader::new::<MboMsg>(rtype::MBO, 1, 7, at - 7),
        price: 100,
        size: 1,
        action: action as c_char,
        ts_recv: at,
        ..MboMsg::default()
    }
}

/// `quote` is bid price and size, ask price and size.
pub(crate) fn mbp1(at: u64, action: char, [bid_px, bid_sz, ask_px, ask_sz]: [i64; 4]) -> Mbp1Msg {
    let (bid_sz, ask_sz) = (bid_sz as u32, ask_sz as u32);
    Mbp1Msg {
        hd: RecordHeader::new::<Mbp1Msg>(rtype::MBP_1, 1, 7, at - 7),
        price: 100,
        size: 1,
        action: action as c_char,
        ts_recv: at,
        levels: [BidAskPair { bid_px, bid_sz, ask_px, ask_sz, ..BidAskPair::default() }],
        ..Mbp1Msg::default()
    }
}

pub(crate) fn cmbp1(
    rtype: u8,
    at: u64,
    action: char,
    [bid_px, bid_sz, ask_px, ask_sz]: [i64; 4],
) -> Cmbp1Msg {
    let (bid_sz, ask_sz) = (bid_sz as u32, ask_sz as u32);
    Cmbp1Msg {
        hd: RecordHeader::new::<Cmbp1Msg>(rtype, 1, 7, at - 7),
        price: 100,
        size: 1,
        action: action as c_char,
        ts_recv: at,
        levels: [ConsolidatedBidAskPair { bid_px, bid_sz, ask_px, ask_sz, ..Default::default() }],
        ..Cmbp1Msg::default_for_schema(Schema::Cmbp1)
    }
}

pub(crate) fn bbo(rtype: u8, at: u64, [bid_px, bid_sz, ask_px, ask_sz]: [i64; 4]) -> BboMsg {
    let (bid_sz, ask_sz) = (bid_sz as u32, ask_sz as u32);
    BboMsg {
        hd: RecordHeader::new::<BboMsg>(rtype, 1, 7, at - 7),
        price: 100,
        size: 1,
        ts_recv: at,
        levels: [BidAskPair { bid_px, bid_sz, ask_px, ask_sz, ..BidAskPair::default() }],
        ..BboMsg::default_for_schema(Schema::Bbo1S)
    }
}

/// The first level is `quote`; nine more lie behind it.
pub(crate) fn mbp10(at: u64, action: char, quote: [i64; 4]) -> Mbp10Msg {
    let top = &mbp1(at, action, quote).levels[0];
    let deeper = |price: i64, by: i64| if price == UNDEF_PRICE { price } else { price + by };
    let level = |depth: i64| BidAskPair {
        bid_px: deeper(top.bid_px, -depth),
        ask_px: deeper(top.ask_px, depth),
        ..top.clone()
    };
    Mbp10Msg {
        hd: RecordHeader::new::<Mbp10Msg>(rtype::MBP_10, 1, 7, at - 7),
        price: 100,
        size: 1,
        action: action as c_char,
        ts_recv: at,
        levels: std::array::from_fn(|depth| level(depth as i64)),
        ..Mbp10Msg::default()
    }
}

pub(crate) fn cbbo(rtype: u8, at: u64, [bid_px, bid_sz, ask_px, ask_sz]: [i64; 4]) -> CbboMsg {
    let (bid_sz, ask_sz) = (bid_sz as u32, ask_sz as u32);
    CbboMsg {
        hd: RecordHeader::new::<CbboMsg>(rtype, 1, 7, at - 7),
        price: 100,
        size: 1,
        ts_recv: at,
        levels: [ConsolidatedBidAskPair { bid_px, bid_sz, ask_px, ask_sz, ..Default::default() }],
        ..CbboMsg::default_for_schema(Schema::Cbbo1S)
    }
}
