//! The values of one column in one row group, as fields of text.

use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::{
    BoolType, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType, Int32Type, Int64Type,
    Int96, Int96Type,
};
use ::parquet::errors::ParquetError;

use super::column::{Leaf, Meaning};
use super::text::{push, push_clock, push_date, push_decimal, push_double, push_local_time, push_text};

/// Decodes a column chunk some rows at a time.
pub(super) struct Cells {
    leaf: Leaf,
    values: Values,
    /// The definition level of each row, where there are nulls.
    levels: Vec<i16>,
    row: usize,
    next_value: usize,
}

/// A chunk's decoder, and the values of it that are not null and not yet text.
enum Values {
    Bool(ColumnReaderImpl<BoolType>, Vec<bool>),
    Int32(ColumnReaderImpl<Int32Type>, Vec<i32>),
    Int64(ColumnReaderImpl<Int64Type>, Vec<i64>),
    Int96(ColumnReaderImpl<Int96Type>, Vec<Int96>),
    Float(ColumnReaderImpl<FloatType>, Vec<f32>),
    Double(ColumnReaderImpl<DoubleType>, Vec<f64>),
    Bytes(ColumnReaderImpl<ByteArrayType>, Vec<<ByteArrayType as DataType>::T>),
    Fixed(ColumnReaderImpl<FixedLenByteArrayType>, Vec<<FixedLenByteArrayType as DataType>::T>),
}

impl Cells {
    pub(super) fn new(leaf: Leaf, reader: ColumnReader) -> Self {
        let values = match reader {
            ColumnReader::BoolColumnReader(reader) => Values::Bool(reader, Vec::new()),
            ColumnReader::Int32ColumnReader(reader) => Values::Int32(reader, Vec::new()),
            ColumnReader::Int64ColumnReader(reader) => Values::Int64(reader, Vec::new()),
            ColumnReader::Int96ColumnReader(reader) => Values::Int96(reader, Vec::new()),
            ColumnReader::FloatColumnReader(reader) => Values::Float(reader, Vec::new()),
            ColumnReader::DoubleColumnReader(reader) => Values::Double(reader, Vec::new()),
            ColumnReader::ByteArrayColumnReader(reader) => Values::Bytes(reader, Vec::new()),
            ColumnReader::FixedLenByteArrayColumnReader(reader) => Values::Fixed(reader, Vec::new()),
        };
        Self { leaf, values, levels: Vec::new(), row: 0, next_value: 0 }
    }

    /// Decodes the next `rows` rows, or as many as there are, which is their number.
    ///
    /// # Errors
    /// The chunk is damaged, or packed in a way that is not known.
    pub(super) fn decode(&mut self, rows: usize) -> Result<usize, ParquetError> {
        self.levels.clear();
        self.row = 0;
        self.next_value = 0;
        let levels = &mut self.levels;
        match &mut self.values {
            Values::Bool(reader, values) => decode(reader, rows, levels, values),
            Values::Int32(reader, values) => decode(reader, rows, levels, values),
            Values::Int64(reader, values) => decode(reader, rows, levels, values),
            Values::Int96(reader, values) => decode(reader, rows, levels, values),
            Values::Float(reader, values) => decode(reader, rows, levels, values),
            Values::Double(reader, values) => decode(reader, rows, levels, values),
            Values::Bytes(reader, values) => decode(reader, rows, levels, values),
            Values::Fixed(reader, values) => decode(reader, rows, levels, values),
        }
    }

    /// Appends the field of the next row, which is empty where the value is null.
    pub(super) fn push_next(&mut self, line: &mut Vec<u8>) {
        let level = self.levels.get(self.row).copied().unwrap_or(self.leaf.defined);
        self.row += 1;
        if level < self.leaf.defined {
            return;
        }
        let value = self.next_value;
        self.next_value += 1;
        let meaning = self.leaf.meaning;
        match &self.values {
            Values::Bool(_, values) => values.get(value).map(|value| push(value, line)),
            Values::Int32(_, values) => values.get(value).map(|value| push_int32(*value, meaning, line)),
            Values::Int64(_, values) => values.get(value).map(|value| push_int64(*value, meaning, line)),
            Values::Int96(_, values) => values.get(value).map(|value| push_int96(value, line)),
            Values::Float(_, values) => values.get(value).map(|value| push_double(*value, line)),
            Values::Double(_, values) => values.get(value).map(|value| push_double(*value, line)),
            Values::Bytes(_, values) => {
                values.get(value).map(|value| push_bytes(value.data(), meaning, line))
            }
            Values::Fixed(_, values) => {
                values.get(value).map(|value| push_bytes(value.data(), meaning, line))
            }
        };
    }
}

fn decode<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    levels: &mut Vec<i16>,
    values: &mut Vec<T::T>,
) -> Result<usize, ParquetError> {
    values.clear();
    let (records, found, _) = reader.read_records(rows, Some(levels), None, values)?;
    if found > values.len() {
        return Err(ParquetError::General("has fewer values than it says".to_owned()));
    }
    Ok(records)
}

fn push_int32(value: i32, meaning: Meaning, line: &mut Vec<u8>) {
    match meaning {
        Meaning::Unsigned => push(value as u32, line),
        Meaning::Date => push_date(value.into(), line),
        _ => push_int64(value.into(), meaning, line),
    }
}

fn push_int64(value: i64, meaning: Meaning, line: &mut Vec<u8>) {
    match meaning {
        Meaning::Unsigned => push(value as u64, line),
        Meaning::Decimal { scale } => push_decimal(value.into(), scale, line),
        Meaning::LocalTimestamp(unit) => push_local_time(value, unit, line),
        Meaning::Clock(unit) => push_clock(value, unit, line),
        Meaning::NautilusNumber { .. } => push_nautilus(&value.to_le_bytes(), meaning, line),
        _ => push(value, line),
    }
}

/// Nanoseconds since 1970.
fn push_int96(value: &Int96, line: &mut Vec<u8>) {
    const JULIAN_DAY_OF_1970: i128 = 2_440_588;
    let [low, high, day] = [0, 1, 2].map(|i| i128::from(value.data()[i]));
    let nanoseconds = high << 32 | low;
    push((day - JULIAN_DAY_OF_1970) * 86_400_000_000_000 + nanoseconds, line);
}

fn push_bytes(value: &[u8], meaning: Meaning, line: &mut Vec<u8>) {
    match meaning {
        Meaning::Decimal { scale } => match big_endian(value) {
            Some(value) => push_decimal(value, scale, line),
            None => line.extend_from_slice(b"(a decimal number of more than 38 digits)"),
        },
        Meaning::NautilusNumber { .. } => push_nautilus(value, meaning, line),
        Meaning::NautilusAggressor => line.extend_from_slice(match value {
            b"BUYER" | b"BUY" => b"buy",
            b"SELLER" | b"SELL" => b"sell",
            b"NO_AGGRESSOR" | b"UNKNOWN" => b"unknown",
            other => return push_text(other, line),
        }),
        _ => push_text(value, line),
    }
}

/// A number with its highest byte first, in two's complement; `None` beyond 16 bytes.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    let negative = bytes.first().is_some_and(|first| *first >= 0x80);
    let fill = if negative { 0xff } else { 0 };
    let (sign, value) = bytes.split_at(bytes.len().saturating_sub(16));
    let fits = sign.iter().all(|byte| *byte == fill)
        && (sign.is_empty() || value.first().is_some_and(|first| (*first >= 0x80) == negative));
    let mut whole = [fill; 16];
    whole[16 - value.len()..].copy_from_slice(value);
    fits.then_some(i128::from_be_bytes(whole))
}

/// The largest number that the bytes can hold means that there is none.
fn push_nautilus(bytes: &[u8], meaning: Meaning, line: &mut Vec<u8>) {
    let Meaning::NautilusNumber { scale, signed } = meaning else { return };
    let (value, largest) = match (<[u8; 8]>::try_from(bytes), <[u8; 16]>::try_from(bytes), signed) {
        (Ok(bytes), _, true) => (i64::from_le_bytes(bytes).into(), i64::MAX.into()),
        (Ok(bytes), _, false) => (u64::from_le_bytes(bytes).into(), u64::MAX.into()),
        (_, Ok(bytes), true) => (i128::from_le_bytes(bytes), i128::MAX),
        // Sizes end far below the sign bit; -1 is all bits set.
        (_, Ok(bytes), false) => (i128::from_le_bytes(bytes), -1),
        _ => return line.extend_from_slice(b"(neither 8 nor 16 bytes)"),
    };
    if value != largest {
        push_decimal(value, scale, line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_decimals_have_any_length() {
        assert_eq!(big_endian(&[]), Some(0));
        assert_eq!(big_endian(&[0xff]), Some(-1));
        assert_eq!(big_endian(&[0x01, 0x00]), Some(256));
        assert_eq!(big_endian(&(-5_i128).to_be_bytes()), Some(-5));
        let mut wide = [0xff; 32];
        wide[16..].copy_from_slice(&(-5_i128).to_be_bytes());
        assert_eq!(big_endian(&wide), Some(-5));
        wide[0] = 0;
        assert_eq!(big_endian(&wide), None);
        let mut overflow = [0; 17];
        overflow[1] = 0x80;
        assert_eq!(big_endian(&overflow), None);
    }
}
