//! Whatever ticks are written in whatever types come back exactly.

use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int64Type};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;
use tick_ingest::Format;
use tick_sdk::decimal::UNDEFINED_PRICE;
use tick_sdk::{Kind, Tick};

use super::{options, read_all};

/// A price of a side, or none, and its size.
type Side = (Option<i64>, u32);

/// How prices are written.
#[derive(Clone, Copy, Debug)]
enum Prices {
    /// As decimals of this scale, in 64 bits.
    Whole { scale: u32 },
    /// As decimals of 1e-9 in so many bytes.
    Bytes(usize),
    /// As text.
    Text,
}

fn prices() -> impl Strategy<Value = Prices> {
    prop_oneof![
        (0..=9u32).prop_map(|scale| Prices::Whole { scale }),
        (9usize..=20).prop_map(Prices::Bytes),
        Just(Prices::Text),
    ]
}

fn schema(prices: Prices, unit: usize) -> String {
    let price = |name: &str| match prices {
        Prices::Whole { scale } => format!("optional int64 {name} (DECIMAL(18,{scale}));"),
        Prices::Bytes(bytes) => {
            format!(
                "optional fixed_len_byte_array({bytes}) {name} (DECIMAL({},9));",
                (bytes * 8 - 1) * 30 / 100
            )
        }
        Prices::Text => format!("optional binary {name} (UTF8);"),
    };
    let unit = ["MILLIS", "MICROS", "NANOS"][unit];
    format!(
        "message table {{ required int64 time (TIMESTAMP({unit},true)); optional binary sym (UTF8); \
         {} required int64 bid_size; {} required int64 ask_size; }}",
        price("bid"),
        price("ask"),
    )
}

fn write_column<T: parquet::data_type::DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: &[T::T],
    levels: Option<&[i16]>,
) {
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<T>().write_batch(values, levels, None).unwrap();
    column.close().unwrap();
}

fn write_prices(group: &mut SerializedRowGroupWriter<'_, File>, values: &[Option<i64>], prices: Prices) {
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let values = values.iter().flatten().copied();
    let levels = Some(&levels[..]);
    match prices {
        Prices::Whole { .. } => write_column::<Int64Type>(group, &values.collect::<Vec<_>>(), levels),
        Prices::Bytes(length) => {
            let bytes = |value: i64| {
                let mut bytes = vec![if value < 0 { 0xff } else { 0 }; length];
                bytes[length - 8..].copy_from_slice(&value.to_be_bytes());
                FixedLenByteArray::from(ByteArray::from(Bytes::from(bytes)))
            };
            write_column::<FixedLenByteArrayType>(group, &values.map(bytes).collect::<Vec<_>>(), levels);
        }
        Prices::Text => {
            let text = |value: i64| {
                let sign = if value < 0 { "-" } else { "" };
                let value = value.unsigned_abs();
                ByteArray::from(
                    format!("{sign}{}.{:09}", value / 1_000_000_000, value % 1_000_000_000).into_bytes(),
                )
            };
            write_column::<ByteArrayType>(group, &values.map(text).collect::<Vec<_>>(), levels);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn quotes_come_back(
        rows in proptest::collection::vec(
            (1u64..4_000_000_000, "[A-Z,\"é]{1,4}", side(), side()), 1..60),
        prices in prices(),
        unit in 0usize..3,
        codec in 0usize..6,
        group_rows in 1usize..40,
        version in any::<bool>(),
    ) {
        let codec = [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::GZIP(Default::default()),
            Compression::BROTLI(Default::default()),
            Compression::LZ4_RAW,
            Compression::ZSTD(Default::default()),
        ][codec];
        let version = if version { WriterVersion::PARQUET_2_0 } else { WriterVersion::PARQUET_1_0 };
        let file = tempfile::NamedTempFile::new().unwrap();
        let properties = WriterProperties::builder().set_compression(codec).set_writer_version(version).build();
        let schema = Arc::new(parse_message_type(&schema(prices, unit)).unwrap());
        let mut writer = SerializedFileWriter::new(file.reopen().unwrap(), schema, Arc::new(properties)).unwrap();
        for rows in rows.chunks(group_rows) {
            let mut group = writer.next_row_group().unwrap();
            let group_writer = &mut group;
            let times: Vec<i64> = rows.iter().map(|row| row.0 as i64).collect();
            write_column::<Int64Type>(group_writer, &times, None);
            let symbols: Vec<ByteArray> = rows.iter().map(|row| row.1.as_str().into()).collect();
            write_column::<ByteArrayType>(group_writer, &symbols, Some(&vec![1; symbols.len()]));
            for of in [|row: &(u64, String, Side, Side)| row.2, |row: &(u64, String, Side, Side)| row.3] {
                write_prices(group_writer, &rows.iter().map(|row| of(row).0).collect::<Vec<_>>(), prices);
                let sizes: Vec<i64> = rows.iter().map(|row| of(row).1.into()).collect();
                write_column::<Int64Type>(group_writer, &sizes, None);
            }
            group.close().unwrap();
        }
        writer.close().unwrap();

        let unit_name = ["ms", "us", "ns"][unit];
        let mapping = format!("time=time:{unit_name},symbol=sym,bid=bid,bid_size=bid_size,ask=ask,ask_size=ask_size");
        let (format, read) = read_all(file.path().to_str().unwrap(), &options(None, Some(&mapping)));
        prop_assert_eq!(format, Format::Parquet);
        let price_scale = match prices {
            Prices::Whole { scale } => 10i64.pow(9 - scale),
            _ => 1,
        };
        let mut expected = Vec::new();
        for (time, symbol, bid, ask) in &rows {
            let time = time * [1_000_000, 1_000, 1][unit];
            let symbol = read.symbols.iter().position(|named| named.symbol == *symbol).unwrap() as u32;
            let tick = |kind, (price, size): Side| match price {
                Some(price) => Tick::quote(kind, time, time, price * price_scale, u64::from(size) * 1_000_000_000),
                None => Tick::quote(kind, time, time, UNDEFINED_PRICE, 0),
            };
            expected.push(tick(Kind::BID, *bid).of(symbol));
            expected.push(tick(Kind::ASK, *ask).of(symbol).last());
        }
        prop_assert_eq!(read.ticks, expected);
    }
}

fn side() -> impl Strategy<Value = Side> {
    // A price of 0 may stand for an absent side, which is no matter here.
    (proptest::option::weighted(0.8, prop_oneof![1..9_000_000_000i64, -9_000_000_000..-1i64]), any::<u32>())
}
