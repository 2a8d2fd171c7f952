//! Databento's binary encoding, versions 1 to 3.
//!
//! | schema | ticks of one record, in this order |
//! |---|---|
//! | `trades` | trade |
//! | `mbo` | trade, of action T alone: a fill (F) gives the resting side of a trade that T has reported |
//! | `mbp-1`, `cmbp-1` | trade of action T, then the quote (the book after it) |
//! | `tbbo`, `tcbbo` | the quote (the book before it), then trade of action T |
//! | `mbp-10` | as `mbp-1`, of its first level |
//! | `bbo-1s`, `bbo-1m`, `cbbo-1s`, `cbbo-1m` | the quote; both times are `ts_recv`, for `ts_event` is the last trade's |
//! | none (a live stream) | as above by type of record; one of `mbp-1` or `tbbo` is taken as `mbp-1` |
//!
//! Every other schema is an error that names it.
//!
//! **Quote.** A record whose best bid or best ask differs in price or size from the last one sent of
//! that instrument yields a bid and then an ask tick, also of the side that stayed as it was: a source
//! quote is both sides, as in every other format, and whoever evaluates at [`Flags::LAST`] sees the
//! same number of quotes as the source sent changes. A side that has become empty (price undefined, size
//! then 0) yields one tick with [`UNDEFINED_PRICE`], and none while it stays empty. The last tick of
//! the quote has LAST, and so has each trade. What changes only order counts yields nothing and is counted
//! as `unchanged quote`.
//!
//! A side of price 0 and size 0 is empty, too.
//!
//! **Trade.** Side A is a seller who took, B a buyer, anything else unknown. An undefined size is 0; every
//! other one fits, so none saturates. An undefined price makes it no trade; it is counted as
//! `trade without price`. Two kinds of trade are left out and counted, for the format marks them, by publisher, as
//! made beside the venue's book: `off-market trade (XOFF)`, blocks and the like that ICE, NDEX, Eurex, EEX and CFE
//! publish so, and `off-exchange trade (FINRA TRF)`. Auctions, implied and odd lots are not marked.
//!
//! **Flags.** Records marked BAD_TS_RECV or MAYBE_BAD_BOOK are read; a note says that there are some.
//!
//! **Times.** A record without `ts_recv` takes its `ts_event`, and the other way round; one with neither
//! is malformed.
//!
//! **Symbols** are the file's own mappings, for the record's `ts_recv`, and then those of symbol mapping
//! records as they come. An instrument that neither maps at that time has its number as its symbol. The
//! market is the dataset; the venues of one dataset share its symbols.
//!
//! **Skipped**, and counted by name: actions that are not trades where the schema has no quotes, and records
//! of other types than the schema's (`system`, `error`, `symbol-mapping`, `status`, …).
//!
//! **Damage.** The format has no checksum, so a flipped bit in a price is another price. A length that no
//! record can have, or an end within a record, stops the source, with `--on-bad-line skip` as well:
//! where the next record would begin is unknown. The ticks before it are handed on first. A plain file
//! that was cut between two records cannot be distinguished from a whole one.
//!
//! **Joined files.** Where another file's header stands instead of a record, the error says so: each has symbols
//! of its own.
//!
//! [`Flags::LAST`]: tick_sdk::Flags::LAST
//! [`UNDEFINED_PRICE`]: tick_sdk::decimal::UNDEFINED_PRICE

use std::io::{ErrorKind, Read};

use ::dbn::VersionUpgradePolicy;
use ::dbn::decode::dbn::fsm::{DbnFsm, ProcessResult};

use self::malformed::{Malformed, Reason};
use self::records::Records;
use crate::{Batch, ReadError, ReadOptions, Reader};

pub(super) mod event;
mod header;
mod malformed;
pub(super) mod plan;
mod records;
mod symbols;
pub(super) mod tally;

/// Reads DBN records into ticks; see the [module](self) for which ones.
pub struct DbnReader {
    input: Box<dyn Read + Send>,
    file: String,
    decoder: DbnFsm,
    records: Records,
    schema: Option<&'static str>,
    /// Whole records in the decoder's buffer that are still to be decoded.
    ready: usize,
    /// What is wrong with the record after those.
    damage: Option<String>,
    /// Bytes read that no batch has counted.
    bytes: u64,
    /// What stopped the source while a batch still had ticks to hand on.
    failure: Option<ReadError>,
    ended: bool,
}

/// How many bytes are read and decoded at once: few enough to stay in a core's cache.
const BUFFER: usize = 64 << 10;

/// How many records are decoded between two looks at the batch.
const GROUP: usize = 64;

/// How many groups one read decodes at most, so that a source of few trades lets its caller
/// show progress and stop.
const GROUPS: usize = 1024;

impl DbnReader {
    /// Reads the header of `input`, which is not compressed; `name` is how the user named it.
    ///
    /// Nothing in `options` applies: symbols come from the file, and a malformed record always stops.
    ///
    /// # Errors
    /// The input cannot be read, is not DBN of version 1 to 3, has a schema without ticks, or its
    /// header is damaged.
    pub fn open(name: &str, mut input: Box<dyn Read + Send>, _: &ReadOptions) -> Result<Self, ReadError> {
        let (metadata, bytes) = header::read(name, &mut input)?;
        let decoder = DbnFsm::builder()
            .skip_metadata(true)
            .input_dbn_version(Some(metadata.version))
            // The records that yield ticks are the same in versions 1 to 3: nothing is to be converted.
            .map(|builder| builder.upgrade_policy(VersionUpgradePolicy::AsIs))
            .and_then(|builder| builder.ts_out(metadata.ts_out).buffer_size(BUFFER).build())
            .map_err(|error| header::damaged(name, &error))?;
        let records = Records::new(name, &metadata)?;
        Ok(Self {
            input,
            file: name.to_owned(),
            decoder,
            records,
            schema: metadata.schema.map(|schema| schema.as_str()),
            ready: 0,
            damage: None,
            bytes,
            failure: None,
            ended: false,
        })
    }

    /// The schema's name, as `mbp-1`; `None` where the source is a live stream of several.
    pub fn schema(&self) -> Option<&'static str> {
        self.schema
    }

    /// Reads more bytes and counts the whole records among them; `false` at the end of the input.
    fn fill(&mut self) -> Result<bool, ReadError> {
        while self.ready == 0 {
            if let Some(damage) = self.damage.take() {
                return Err(self.malformed(damage.into()));
            }
            // Lets go of what was decoded: only then is there space.
            self.decoder.skip(0);
            let count = match self.input.read(self.decoder.space()) {
                Ok(0) => return self.end(),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(source) => {
                    return Err(ReadError::Io { file: self.file.clone(), doing: "reading DBN", source });
                }
            };
            self.decoder.fill(count);
            self.bytes += count as u64;
            (self.ready, self.damage) = whole_records(self.decoder.data());
        }
        Ok(true)
    }

    /// What is left at the end of the input has to be nothing.
    fn end(&self) -> Result<bool, ReadError> {
        match self.decoder.data() {
            [] => Ok(false),
            [b'D', b'B', b'N', version, ..] if *version < b' ' => {
                Err(self.malformed(Malformed::another_file()))
            }
            left => Err(self.malformed(format!("ends after {} bytes", left.len()).into())),
        }
    }

    /// Decodes the next records that are in the buffer.
    fn decode(&mut self, out: &mut Batch) -> Result<(), ReadError> {
        let mut group = [None; GROUP];
        let count = self.ready.min(GROUP);
        match self.decoder.process_many(&mut group[..count]) {
            ProcessResult::Record(records) => {
                self.ready -= records.len();
                self.records.decode(records, out).map_err(|malformed| self.malformed(malformed))
            }
            ProcessResult::Err(error) => Err(self.malformed(format!("cannot be decoded: {error}").into())),
            // `ready` counts whole records, and the header is behind: the two counts would disagree.
            ProcessResult::ReadMore(_) | ProcessResult::Metadata(_) => {
                Err(self.malformed("is not whole for the decoder".to_owned().into()))
            }
        }
    }

    fn read_groups(&mut self, out: &mut Batch) -> Result<bool, ReadError> {
        for _ in 0..GROUPS {
            if out.is_full() {
                break;
            }
            if self.ready == 0 && !self.fill()? {
                return Ok(false);
            }
            self.decode(out)?;
        }
        Ok(true)
    }

    #[cold]
    fn malformed(&self, malformed: Malformed) -> ReadError {
        let Reason { reason, advice } = malformed.reason();
        ReadError::Format {
            file: self.file.clone(),
            reason: format!("record {} {reason}", self.records.decoded() + 1),
            advice: advice.to_owned(),
        }
    }
}

impl Reader for DbnReader {
    fn read(&mut self, out: &mut Batch) -> Result<bool, ReadError> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if self.ended {
            return Ok(false);
        }
        let more = self.read_groups(out);
        out.counts.bytes += std::mem::take(&mut self.bytes);
        self.records.count(&mut out.counts);
        self.ended = !matches!(more, Ok(true));
        match more {
            Err(failure) if !out.ticks.is_empty() => {
                self.failure = Some(failure);
                Ok(true)
            }
            more => more,
        }
    }
}

/// How many whole records `bytes` begins with, and what is wrong with the one after them.
///
/// The decoder takes any length above a header's, and would then look at records where no record of
/// this machine may lie; all have lengths that are multiples of 8.
fn whole_records(bytes: &[u8]) -> (usize, Option<String>) {
    const WORD: usize = 4;
    const HEADER: usize = size_of::<::dbn::RecordHeader>();
    let (mut count, mut at, mut usual) = (0, 0, HEADER);
    while let Some(&words) = bytes.get(at) {
        let length = usize::from(words) * WORD;
        // Most records are as long as the one before. Going on by that length, which is known and was
        // checked, instead of the one just read lets the processor look at several records at once.
        if length == usual {
            at += usual;
        } else if length < HEADER || !length.is_multiple_of(8) {
            return (count, Some(format!("says that it is {length} bytes long, which no record is")));
        } else {
            usual = length;
            at += length;
        }
        if at > bytes.len() {
            break;
        }
        count += 1;
    }
    (count, None)
}
