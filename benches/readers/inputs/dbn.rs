//! DBN of 64 instruments: one in eight of mbo is a trade, and nearly each of mbp-1 changes the book of
//! one, which makes two ticks.

use std::ffi::c_char;

use dbn::encode::EncodeRecord;
use dbn::{BidAskPair, MappingInterval, MboMsg, Mbp1Msg, Metadata, RecordHeader, SType, Schema};
use dbn::{SymbolMapping, TradeMsg, rtype};

use super::Input;

const INSTRUMENTS: u64 = 64;
/// 2020-12-28, 00:00 UTC.
const START: u64 = 1_609_113_600_000_000_000;

/// Makes an input of each schema, plain, of so many records.
pub(crate) const ALL: &[fn(u64) -> Input] = &[
    |records| input(Schema::Mbo, records),
    |records| input(Schema::Mbp1, records),
    |records| input(Schema::Trades, records),
];

fn input(schema: Schema, records: u64) -> Input {
    let bytes = generate(schema, records).into();
    Input { what: schema.as_str(), file: "in memory", bytes, mapping: None }
}

fn generate(schema: Schema, records: u64) -> Vec<u8> {
    let mut encoder = dbn::encode::dbn::Encoder::new(Vec::new(), &metadata(schema)).expect("a valid header");
    let mut seed = 1_u64;
    for number in 0..records {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = seed >> 33;
        let instrument = (random % INSTRUMENTS) as u32;
        let ts_recv = START + number * 1_000 + random % 500;
        let price = 3_700_000_000_000 + (random >> 8 & 63) as i64 * 250_000_000;
        let size = (random >> 14 & 31) as u32 + 1;
        let action = if random >> 20 & 7 == 0 { b'T' } else { b"ACM"[(random % 3) as usize] } as c_char;
        let side = b"AB"[(random >> 4 & 1) as usize] as c_char;
        let written = match schema {
            Schema::Mbo => encoder.encode_record(&MboMsg {
                hd: RecordHeader::new::<MboMsg>(rtype::MBO, 1, instrument, ts_recv - 300),
                order_id: seed,
                price,
                size,
                action,
                side,
                ts_recv,
                ts_in_delta: 200,
                sequence: number as u32,
                ..MboMsg::default()
            }),
            Schema::Mbp1 => encoder.encode_record(&Mbp1Msg {
                hd: RecordHeader::new::<Mbp1Msg>(rtype::MBP_1, 1, instrument, ts_recv - 300),
                price,
                size,
                action,
                side,
                ts_recv,
                ts_in_delta: 200,
                sequence: number as u32,
                levels: [level(price, size)],
                ..Mbp1Msg::default()
            }),
            _ => encoder.encode_record(&TradeMsg {
                hd: RecordHeader::new::<TradeMsg>(rtype::MBP_0, 1, instrument, ts_recv - 300),
                price,
                size,
                action: b'T' as c_char,
                side,
                ts_recv,
                ts_in_delta: 200,
                sequence: number as u32,
                ..TradeMsg::default()
            }),
        };
        written.expect("memory takes everything");
    }
    encoder.get_ref().clone()
}

fn level(price: i64, size: u32) -> BidAskPair {
    let (bid_px, ask_px) = (price - 250_000_000, price);
    BidAskPair { bid_px, ask_px, bid_sz: size, ask_sz: size ^ 7, bid_ct: 3, ask_ct: 4 }
}

fn metadata(schema: Schema) -> Metadata {
    let date = |ts| dbn::record::ts_to_dt(ts).expect("a time").date();
    let (start_date, end_date) = (date(START), date(START + 86_400_000_000_000));
    let mappings = (0..INSTRUMENTS).map(|instrument| SymbolMapping {
        raw_symbol: format!("SYM{instrument}"),
        intervals: vec![MappingInterval { start_date, end_date, symbol: instrument.to_string() }],
    });
    Metadata::builder()
        .dataset("GLBX.MDP3")
        .schema(Some(schema))
        .start(START)
        .stype_in(Some(SType::RawSymbol))
        .stype_out(SType::InstrumentId)
        .mappings(mappings.collect())
        .build()
}
