//! Which columns of an unknown table are what, and which tables are refused.

mod given;
mod no_ticks;
mod properties;
mod vendors;

use tick_ingest::formats::mapped_csv::{Guess, NoGuess, Refusal, guess};
use tick_ingest::{Batch, ReadOptions, Reader, detect};

/// The guess at a table, of which there must be one.
fn guessed(name: &str, text: &str) -> Guess {
    match guess(name, text.as_bytes(), &ReadOptions::default()) {
        Ok(guess) => guess,
        Err(NoGuess::NoTable) => panic!("{name} is no table:\n{text}"),
        Err(NoGuess::Refused(refusal)) => panic!("{name}: {refusal}\n{:#?}\n{text}", refusal.columns),
    }
}

/// Why a table is refused.
fn refused(name: &str, text: &str) -> Refusal {
    match guess(name, text.as_bytes(), &ReadOptions::default()) {
        Ok(guess) => panic!("{name} is guessed: {}\n{text}", guess.mapping),
        Err(NoGuess::NoTable) => panic!("{name} is no table:\n{text}"),
        Err(NoGuess::Refused(refusal)) => *refusal,
    }
}

/// All ticks of a text, and their symbols, read as a guess says.
fn read_by(guess: &Guess, name: &str, text: &str) -> Batch {
    let symbol = guess.symbol.clone().or_else(|| Some("SYMBOL".to_owned()));
    let symbol = symbol.filter(|_| guess.mapping.symbol.is_none());
    let mapping = Some(guess.mapping.clone());
    let options = ReadOptions { symbol, mapping, ..ReadOptions::default() };
    let content = Box::new(std::io::Cursor::new(text.as_bytes().to_vec()));
    let mut reader: Box<dyn Reader> = detect::open_reader(name, content, &options).expect(name).reader;
    let mut batch = Batch::default();
    while reader.read(&mut batch).unwrap_or_else(|error| panic!("{error}\n{}\n{text}", guess.mapping)) {}
    batch
}
