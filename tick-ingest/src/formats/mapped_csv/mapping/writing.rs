//! Writes a mapping as the text that is read as the same.

use std::fmt;

use super::text::{COLUMN_KEYS, THOUSANDS};
use super::{Aggressor, Column, EmptySide, Mapping, NumberColumn, RowFilter, Rows, TableLayout, TimeColumn};

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "#{number}"),
            Self::Name(name) => {
                f.write_str(if name.starts_with('#') { "\\" } else { "" })?;
                write_escaped(name, &[',', ':', '+', '\\'], f)
            }
        }
    }
}

fn write_escaped(text: &str, special: &[char], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    text.chars().try_for_each(|c| {
        f.write_str(if special.contains(&c) { "\\" } else { "" })?;
        write!(f, "{c}")
    })
}

impl fmt::Display for NumberColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scale {
            0 => write!(f, "{}", self.column),
            scale => write!(f, "{}:1e{scale}", self.column),
        }
    }
}

impl fmt::Display for TimeColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.column)?;
        if let Some(clock) = &self.clock {
            write!(f, "+{clock}")?;
        }
        f.write_str(":")?;
        write_escaped(&self.format.to_string(), &[',', '\\'], f)
    }
}

impl fmt::Display for RowFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.column)?;
        write_texts(&self.texts, f)
    }
}

/// `:A|B`.
fn write_texts<'a>(texts: impl IntoIterator<Item = &'a String>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (i, text) in texts.into_iter().enumerate() {
        f.write_str(if i == 0 { ":" } else { "|" })?;
        write_escaped(text, &[',', '|', '\\'], f)?;
    }
    Ok(())
}

impl fmt::Display for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for key in COLUMN_KEYS {
            let Some(column) = self.column_of(key) else { continue };
            write!(f, "{separator}{key}=")?;
            separator = ",";
            match (key, &self.recv, &self.only) {
                ("time", ..) => write!(f, "{}", self.time)?,
                ("recv", Some(recv), _) => write!(f, "{recv}")?,
                ("only", _, Some(only)) => write!(f, "{only}")?,
                _ => match self.number_of(key) {
                    Some(number) => write!(f, "{number}")?,
                    None => write!(f, "{column}")?,
                },
            }
            if let ("side", Rows::Trades { aggressor: Aggressor::SideTexts { buy, sell, .. }, .. }) =
                (key, &self.rows)
            {
                write_texts([buy, sell], f)?;
            }
        }
        if let Some(date) = self.date {
            write!(f, ",date={date}")?;
        }
        self.layout.write(self.names_columns(), f)
    }
}

impl TableLayout {
    /// Everything that is not as it is where nothing is said.
    fn write(&self, names_columns: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.delimiter {
            b',' => {}
            b'\t' => f.write_str(",delimiter=tab")?,
            b' ' => f.write_str(",delimiter=space")?,
            b'\\' => f.write_str(",delimiter=\\\\")?,
            other => write!(f, ",delimiter={}", char::from(other))?,
        }
        if self.header != names_columns {
            f.write_str(if self.header { ",header=yes" } else { ",header=no" })?;
        }
        if self.skip > 0 {
            write!(f, ",skip={}", self.skip)?;
        }
        for (key, text) in [("comment", &self.comment), ("trailer", &self.trailer)] {
            if let Some(text) = text {
                write!(f, ",{key}=")?;
                write_escaped(text, &[',', '\\'], f)?;
            }
        }
        f.write_str(if self.ragged { ",ragged=yes" } else { "" })?;
        f.write_str(if self.numbers.decimal_comma { ",decimal=comma" } else { "" })?;
        let thousands = |byte| THOUSANDS.iter().find(|(known, _)| *known == byte).map(|(_, name)| *name);
        if let Some(name) = self.numbers.thousands.and_then(thousands) {
            write!(f, ",thousands={name}")?;
        }
        f.write_str(if self.empty == EmptySide::Unchanged { ",empty=unchanged" } else { "" })
    }
}
