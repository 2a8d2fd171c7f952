//! The columns of a Parquet file, and what their values mean.

use ::parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use ::parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};

use super::text::Unit;

/// A column of the table.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    /// Where its values are; or why there are none that a field of text could hold, completing
    /// "column … ".
    pub(super) values: Result<Leaf, String>,
}

/// Where the values of a column are, and how they become text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf {
    /// Its place among the file's columns of values.
    pub(super) index: usize,
    /// A value whose definition level is below this is null.
    pub(super) defined: i16,
    pub(super) physical: Type,
    pub(super) meaning: Meaning,
}

/// What a value stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// What its physical type says: a number, or text.
    Plain,
    /// A whole number without sign, kept in one with a sign.
    Unsigned,
    /// A decimal number: as a whole number, or as bytes of one, the highest first.
    Decimal { scale: u32 },
    /// A count since 1970 in UTC.
    Timestamp(Unit),
    /// A count since 1970 on a clock whose zone is not said.
    LocalTimestamp(Unit),
    /// Nanoseconds of a day, and the day in Julian count, in UTC.
    Int96,
    /// Days since 1970.
    Date,
    /// A count since midnight.
    Clock(Unit),
    /// 8 or 16 bytes of a meaning that the file does not say.
    FixedBinary { bytes: u32 },
    /// A fixed-point number of a Nautilus catalogue, its lowest byte first; its largest value is none.
    NautilusNumber { scale: u32, signed: bool },
    /// An aggressor of a Nautilus catalogue by its name there.
    NautilusAggressor,
}

/// The columns of a file; a group of columns, or a list, counts as one.
pub(super) fn columns(schema: &SchemaDescriptor) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    let mut last_root = None;
    for index in 0..schema.num_columns() {
        let root = schema.get_column_root_idx(index);
        if last_root.replace(root) == Some(root) {
            continue;
        }
        let field = schema.get_column_root(index);
        let leaf = schema.column(index);
        let values = if !field.is_primitive() {
            Err("is nested: write it out as flat columns".to_owned())
        } else if leaf.max_rep_level() > 0 {
            Err("is a list: write it out as flat columns".to_owned())
        } else {
            let (defined, physical) = (leaf.max_def_level(), leaf.physical_type());
            Meaning::of(&leaf).map(|meaning| Leaf { index, defined, physical, meaning })
        };
        columns.push(Column { name: field.name().to_owned(), values });
    }
    columns
}

impl Meaning {
    fn of(column: &ColumnDescriptor) -> Result<Self, String> {
        match column.logical_type_ref() {
            Some(logical) => Self::logical(logical, column),
            None => Self::converted(column),
        }
    }

    fn logical(logical: &LogicalType, column: &ColumnDescriptor) -> Result<Self, String> {
        match logical {
            LogicalType::Decimal(decimal) => Self::decimal(decimal.scale),
            LogicalType::Date => Ok(Self::Date),
            LogicalType::Time(time) => Ok(Self::Clock(unit(time.unit))),
            LogicalType::Timestamp(timestamp) if timestamp.is_adjusted_to_u_t_c => {
                Ok(Self::Timestamp(unit(timestamp.unit)))
            }
            LogicalType::Timestamp(timestamp) => Ok(Self::LocalTimestamp(unit(timestamp.unit))),
            LogicalType::Integer(integer) if !integer.is_signed => Ok(Self::Unsigned),
            LogicalType::Integer(_) | LogicalType::Unknown => Ok(Self::Plain),
            LogicalType::String | LogicalType::Enum | LogicalType::Json => Ok(Self::Plain),
            _ => Err(no_text(column)),
        }
    }

    /// By the older of the two ways to say what a value means.
    fn converted(column: &ColumnDescriptor) -> Result<Self, String> {
        match column.converted_type() {
            ConvertedType::DECIMAL => Self::decimal(column.type_scale()),
            ConvertedType::DATE => Ok(Self::Date),
            ConvertedType::TIME_MILLIS => Ok(Self::Clock(Unit::Millis)),
            ConvertedType::TIME_MICROS => Ok(Self::Clock(Unit::Micros)),
            ConvertedType::TIMESTAMP_MILLIS => Ok(Self::Timestamp(Unit::Millis)),
            ConvertedType::TIMESTAMP_MICROS => Ok(Self::Timestamp(Unit::Micros)),
            ConvertedType::UINT_8
            | ConvertedType::UINT_16
            | ConvertedType::UINT_32
            | ConvertedType::UINT_64 => Ok(Self::Unsigned),
            ConvertedType::BSON | ConvertedType::INTERVAL => Err(no_text(column)),
            _ => match (column.physical_type(), column.type_length()) {
                (Type::INT96, _) => Ok(Self::Int96),
                (Type::FIXED_LEN_BYTE_ARRAY, bytes @ (8 | 16)) => {
                    Ok(Self::FixedBinary { bytes: bytes.unsigned_abs() })
                }
                (Type::FIXED_LEN_BYTE_ARRAY, _) => Err(no_text(column)),
                _ => Ok(Self::Plain),
            },
        }
    }

    fn decimal(scale: i32) -> Result<Self, String> {
        const LARGEST: i32 = 76;
        if (0..=LARGEST).contains(&scale) {
            return Ok(Self::Decimal { scale: scale.unsigned_abs() });
        }
        Err(format!("is a decimal number of scale {scale}, which is not read"))
    }
}

fn no_text(column: &ColumnDescriptor) -> String {
    let physical = column.physical_type();
    match column.logical_type_ref() {
        Some(logical) => format!("is of a type that is not read ({physical}, {logical:?})"),
        None => format!("is of a type that is not read ({physical}, {})", column.converted_type()),
    }
}

fn unit(unit: TimeUnit) -> Unit {
    match unit {
        TimeUnit::MILLIS => Unit::Millis,
        TimeUnit::MICROS => Unit::Micros,
        TimeUnit::NANOS => Unit::Nanos,
    }
}
