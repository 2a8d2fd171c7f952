//! DBN files to ticks: the same counts as the `dbn` crate, the order promised, and errors that name the place.

mod damage;
mod own_csv;
mod reading;
mod schemas;
mod shared_files;
mod symbols;
mod writing;

pub(crate) use std::ffi::c_char;
pub(crate) use std::io::Read;

pub(crate) use dbn::decode::DecodeRecordRef;
pub(crate) use dbn::encode::EncodeRecord;
pub(crate) use dbn::{
    BboMsg, BidAskPair, CbboMsg, Cmbp1Msg, ConsolidatedBidAskPair, MappingInterval, MboMsg, Mbp1Msg,
    Mbp10Msg, Metadata, RecordHeader, SType, Schema, SymbolMapping, SymbolMappingMsg, SystemMsg, TradeMsg,
    UNDEF_PRICE, UNDEF_TIMESTAMP, WithTsOut, rtype, v1,
};
pub(crate) use proptest::prelude::*;
pub(crate) use reading::*;
pub(crate) use tick_ingest::formats::dbn::DbnReader;
pub(crate) use tick_ingest::{Batch, Counts, NamedSymbol, ReadError, ReadOptions, Reader};
pub(crate) use tick_sdk::decimal::UNDEFINED_PRICE;
pub(crate) use tick_sdk::{Kind, Side, Tick};
pub(crate) use writing::*;

pub(crate) const ONE: u64 = 1_000_000_000;
/// 2020-12-28 and the day after, 00:00 UTC.
pub(crate) const MONDAY: u64 = 1_609_113_600 * ONE;
pub(crate) const TUESDAY: u64 = MONDAY + 86_400 * ONE;
