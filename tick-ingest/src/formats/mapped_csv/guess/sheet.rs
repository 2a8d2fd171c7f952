//! A table with what each of its columns looks like, and what it is taken for.

use super::super::mapping::{Column, NumberColumn, NumberStyle};
use super::ColumnFinding;
use super::moments::{Moment, Plausible, moment};
use super::names::plain;
use super::numbers::{is_absent, number};
use super::table::Table;

/// What one column's cells have in common.
#[derive(Debug)]
pub(super) struct Profile {
    /// Cells that are not empty, NaN or the like.
    pub(super) filled: usize,
    /// The number in each row's cell, where it is one.
    pub(super) numbers: Vec<Option<f64>>,
    /// Every filled cell is a number, but for one in ten at most.
    pub(super) is_number: bool,
    /// The different texts, at most [`Self::VALUES`] of them.
    pub(super) values: Vec<String>,
    pub(super) moment: Option<Moment>,
}

impl Profile {
    /// More different texts than a column of kinds, venues or a few instruments has.
    pub(super) const VALUES: usize = 64;

    fn of(cells: &[&str], style: NumberStyle, plausible: Plausible) -> Self {
        let filled = cells.iter().filter(|text| !is_absent(text)).count();
        let numbers: Vec<Option<f64>> = cells.iter().map(|text| number(text, style)).collect();
        let count = numbers.iter().flatten().count();
        let mut values: Vec<String> = Vec::new();
        for cell in cells.iter().filter(|text| !is_absent(text)) {
            if values.len() < Self::VALUES && !values.iter().any(|known| known == cell) {
                values.push((*cell).to_owned());
            }
        }
        Self {
            filled,
            is_number: count > 0 && (filled - count.min(filled)) * 10 <= filled,
            numbers,
            values,
            moment: moment(cells, plausible),
        }
    }

    /// Whole numbers that never fall and hardly stay: of rows, trades or orders.
    pub(super) fn is_counter(&self) -> bool {
        let known: Vec<f64> = self.numbers.iter().copied().flatten().collect();
        let whole = known.iter().all(|number| number.fract() == 0.0);
        let mut steps = known.windows(2).map(|pair| pair[1] - pair[0]);
        let by_one = steps.clone().all(|step| step == 1.0);
        let rising = steps.all(|step| step > 0.0) && known.first().is_some_and(|first| *first >= 1e5);
        self.is_number && whole && (by_one && known.len() > 2 || rising && known.len() > 1)
    }

    /// Different texts, of which there are few: kinds, venues, sides, instruments.
    pub(super) fn has_few_values(&self) -> bool {
        /// Fewer rows say little about how often a text comes again.
        const ROWS: usize = 10;
        let comes_again = self.values.len() * 2 <= self.filled;
        self.values.len() < Self::VALUES && (self.values.len() <= 3 || comes_again || self.filled < ROWS)
    }

    pub(super) fn all(&self, is: impl Fn(&str) -> bool) -> bool {
        !self.values.is_empty() && self.values.iter().all(|value| is(value))
    }
}

/// A table, its columns' profiles, and what they are taken for.
pub(super) struct Sheet<'a> {
    /// The file as the user named it.
    pub(super) file: &'a str,
    pub(super) table: Table,
    pub(super) style: NumberStyle,
    /// Names in lower case without punctuation; empty where there is no header.
    pub(super) names: Vec<String>,
    pub(super) profiles: Vec<Profile>,
    pub(super) plausible: Plausible,
    pub(super) notes: Vec<String>,
    roles: Vec<Option<(&'static str, String)>>,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(file: &'a str, table: Table, style: NumberStyle, plausible: Plausible) -> Self {
        let profile = |column| Profile::of(&table.cells(column).collect::<Vec<_>>(), style, plausible);
        let profiles = (0..table.columns).map(profile).collect();
        let names = table.header.iter().flatten().map(|name| plain(name)).collect();
        let roles = vec![None; table.columns];
        Self { file, table, style, names, profiles, plausible, notes: Vec::new(), roles }
    }

    pub(super) fn has_header(&self) -> bool {
        self.table.header.is_some()
    }

    pub(super) fn columns(&self) -> std::ops::Range<usize> {
        0..self.table.columns
    }

    pub(super) fn cells(&self, column: usize) -> Vec<&str> {
        self.table.cells(column).collect()
    }

    /// A column's name as people see it.
    pub(super) fn shown(&self, column: usize) -> String {
        self.table.name(column)
    }

    /// A column as a mapping names it: by its number where its name is not its own.
    pub(super) fn column(&self, index: usize) -> Column {
        let names = self.table.header.as_deref().unwrap_or_default();
        match names.get(index) {
            Some(name) if !name.is_empty() && names.iter().filter(|other| *other == name).count() == 1 => {
                Column::Name(name.clone())
            }
            _ => Column::Number(index + 1),
        }
    }

    pub(super) fn number_column(&self, index: usize) -> NumberColumn {
        NumberColumn { column: self.column(index), scale: 0 }
    }

    /// The columns of these names, the likeliest name first.
    pub(super) fn named<'n>(&'n self, names: &'n [&str]) -> impl Iterator<Item = usize> + 'n {
        names.iter().flat_map(move |name| self.columns().filter(move |i| self.name_is(*i, name)))
    }

    pub(super) fn name_is(&self, column: usize, name: &str) -> bool {
        self.names.get(column).is_some_and(|known| known == name)
    }

    pub(super) fn plain_name(&self, column: usize) -> &str {
        self.names.get(column).map_or("", String::as_str)
    }

    /// Whether any column's name is one of these.
    pub(super) fn has_name(&self, names: &[&str]) -> bool {
        self.named(names).next().is_some()
    }

    /// The first column whose name contains one of these parts.
    pub(super) fn name_with(&self, parts: &[&str]) -> Option<usize> {
        self.columns().find(|i| parts.iter().any(|part| self.plain_name(*i).contains(part)))
    }

    /// Says what a column is taken for, for those who look at the guess.
    pub(super) fn take(&mut self, column: usize, role: &'static str, why: impl Into<String>) {
        self.roles[column] = Some((role, why.into()));
    }

    pub(super) fn is_taken(&self, column: usize) -> bool {
        self.roles[column].is_some()
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// `column price, line 3: "x"`: where something was found that does not fit.
    pub(super) fn place(&self, column: usize, row: usize) -> String {
        let row = &self.table.rows[row];
        let text: String = row.fields[column].chars().take(40).collect();
        format!("column {}, line {}: {text:?}", self.shown(column), row.line)
    }

    /// The first row in which this column's cell is filled and `is` holds of it.
    pub(super) fn row_where(&self, column: usize, is: impl Fn(&str) -> bool) -> Option<usize> {
        self.table.cells(column).position(|text| !is_absent(text) && is(text))
    }

    /// What was found, column by column.
    pub(super) fn findings(&self) -> Vec<ColumnFinding> {
        /// A table with more is not read column by column by anybody.
        const SHOWN: usize = 200;
        let finding = |column| {
            let sample = self.table.cells(column).find(|text| !is_absent(text)).unwrap_or_default();
            let (taken_for, why) = match &self.roles[column] {
                Some((role, why)) => (*role, why.clone()),
                None => ("nothing", self.look(column)),
            };
            let name = self.table.name(column);
            ColumnFinding { name, sample: sample.chars().take(40).collect(), taken_for, why }
        };
        self.columns().take(SHOWN).map(finding).collect()
    }

    /// What a column that is not read looks like.
    fn look(&self, column: usize) -> String {
        let profile = &self.profiles[column];
        let name = self.plain_name(column);
        match () {
            () if profile.filled == 0 => "it is empty".to_owned(),
            () if super::names::is_id(name) => "an id, by its name".to_owned(),
            () if profile.moment.is_some() => "times".to_owned(),
            () if profile.is_counter() => "whole numbers that rise from row to row, as ids do".to_owned(),
            () if profile.is_number => "numbers".to_owned(),
            () if profile.values.len() == 1 => "the same text in every row".to_owned(),
            () if profile.has_few_values() => format!("texts, {} different ones", profile.values.len()),
            () => "texts".to_owned(),
        }
    }
}
