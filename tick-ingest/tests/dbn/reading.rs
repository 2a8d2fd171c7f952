//! Reading a file to its end.

use crate::*;

/// Everything that one file yields.
#[derive(Debug, Default)]
pub(crate) struct Content {
    pub(crate) ticks: Vec<Tick>,
    pub(crate) symbols: Vec<NamedSymbol>,
    pub(crate) counts: Counts,
}

impl Content {
    pub(crate) fn symbol(&self, tick: &Tick) -> &str {
        &self.symbols[tick.instrument as usize].symbol
    }
}

/// Hands out at most so many bytes at once, as a pipe or a decompressor does.
pub(crate) struct Pieces(pub(crate) std::io::Cursor<Vec<u8>>, usize);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(self.1);
        self.0.read(&mut buffer[..most])
    }
}

pub(crate) fn open(bytes: &[u8], piece: usize) -> Result<DbnReader, ReadError> {
    let input = Pieces(std::io::Cursor::new(bytes.to_vec()), piece);
    DbnReader::open("some.dbn", Box::new(input), &ReadOptions::default())
}

/// What was read, and what stopped it before the end.
pub(crate) fn read_all(bytes: &[u8], piece: usize) -> (Content, Option<ReadError>) {
    let mut content = Content::default();
    let mut reader = match open(bytes, piece) {
        Ok(reader) => reader,
        Err(error) => return (content, Some(error)),
    };
    let mut batch = Batch::default();
    loop {
        batch.clear();
        let more = reader.read(&mut batch);
        content.ticks.extend(&batch.ticks);
        content.symbols.append(&mut batch.new_symbols);
        content.counts.add(&batch.counts);
        match more {
            Ok(true) => (),
            Ok(false) => return (content, None),
            Err(error) => return (content, Some(error)),
        }
    }
}

pub(crate) fn read(bytes: &[u8]) -> Result<Content, ReadError> {
    match read_all(bytes, usize::MAX) {
        (content, None) => Ok(content),
        (_, Some(error)) => Err(error),
    }
}

/// Each tick as text.
pub(crate) fn described(file: File) -> Vec<String> {
    let in_words = |tick: &Tick| {
        let price = if tick.price == UNDEFINED_PRICE { "none".to_owned() } else { tick.price.to_string() };
        format!("{} {price}{}", tick.kind.name(), if tick.is_last() { " last" } else { "" })
    };
    read(&file.bytes()).unwrap().ticks.iter().map(in_words).collect()
}

/// A shared file, decompressed as the input layer does it.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/data/dbn/{name}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).unwrap();
    if name.ends_with(".zst") { zstd::decode_all(&bytes[..]).unwrap() } else { bytes }
}
