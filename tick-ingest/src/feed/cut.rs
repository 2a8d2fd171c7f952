//! Cuts one stream of ticks into frames: one sequence a shard, dense ids, names at first appearance.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tick_feed::ticks_file::MappedTicks;
use tick_feed::transport::{FrameSender, TransportError};
use tick_feed::{Frame, FrameFlags, FrameHeader, NewInstrument, shard_of};
use tick_sdk::Tick;
use tick_sdk::groups::Groups;
use tick_sdk::names::RunId;

use super::{FeedError, FeedPlan, FeedReport, Gather};

pub(super) struct Cutter<'a, S: FrameSender> {
    sender: &'a S,
    run: RunId,
    groups: &'a Groups,
    frame_ticks: usize,
    gather: Gather,
    shards: Vec<Shard>,
    /// How many shards have not come to their start.
    before_start: usize,
    symbols: Vec<String>,
    /// Where each of the run's instruments goes; the local id is [`u32::MAX`] before its first tick.
    places: Vec<(u16, u32)>,
    since_flush: usize,
    watermark: u64,
    ticks: u64,
    frames: u64,
    /// The shard that is asked first at the next pause: whoever was served last is asked last, or the
    /// first shards would have the whole budget.
    turn: usize,
}

#[derive(Default)]
struct Shard {
    ticks: Vec<Tick>,
    new_instruments: Vec<NewInstrument>,
    dictionary_len: u32,
    next_seq: u64,
    /// The first sequence number to send.
    start: u64,
    /// The watermark that was sent last.
    last_sent: u64,
    /// Since when ticks wait, as far as a pause has noticed.
    waiting: Option<Instant>,
}

impl<'a, S: FrameSender> Cutter<'a, S> {
    pub(super) fn new(plan: &'a FeedPlan, sender: &'a S) -> Self {
        let start = |shard| plan.start.get(usize::from(shard)).copied().unwrap_or(0);
        let shard = |shard| Shard { start: start(shard), ..Shard::default() };
        let shards: Vec<_> = (0..plan.shards.max(1)).map(shard).collect();
        Self {
            sender,
            run: plan.run,
            groups: &plan.groups,
            frame_ticks: plan.frame_ticks.max(1),
            gather: plan.gather,
            before_start: shards.iter().filter(|shard| shard.start > 0).count(),
            shards,
            symbols: Vec::new(),
            places: Vec::new(),
            since_flush: 0,
            watermark: 0,
            ticks: 0,
            frames: 0,
            turn: 0,
        }
    }

    /// Makes the run's symbols known, of which those before are unchanged.
    pub(super) fn name(&mut self, symbols: &[String]) {
        if symbols.len() > self.symbols.len() {
            self.name_more(symbols[self.symbols.len()..].to_vec());
        }
    }

    /// Makes more of the run's symbols known.
    pub(super) fn name_more(&mut self, symbols: Vec<String>) {
        for symbol in symbols {
            let shard = shard_of(self.groups.key_of(&symbol), self.shards.len() as u16);
            self.places.push((shard, u32::MAX));
            self.symbols.push(symbol);
        }
    }

    /// How many instruments have appeared, in all shards.
    pub(super) fn instruments(&self) -> u64 {
        self.shards.iter().map(|shard| u64::from(shard.dictionary_len)).sum()
    }

    /// Sends ticks with the run's ids on, each to its shard; what does not fill a frame is kept.
    pub(super) fn send(&mut self, ticks: &[Tick]) -> Result<(), TransportError> {
        for part in ticks.chunks(self.gather.flush_ticks.max(1)) {
            for tick in part {
                let (shard, mut local) = self.places[tick.instrument as usize];
                if local == u32::MAX {
                    local = self.appear(tick.instrument);
                }
                let ticks = &mut self.shards[usize::from(shard)].ticks;
                ticks.push(tick.of(local));
                if ticks.len() == self.frame_ticks {
                    self.watermark = tick.ts_recv;
                    self.send_frame(usize::from(shard), FrameFlags::TICKS)?;
                }
            }
            self.ticks += part.len() as u64;
            self.watermark = part.last().map_or(self.watermark, |tick| tick.ts_recv);
            self.since_flush += part.len();
            if self.since_flush >= self.gather.flush_ticks {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// As long as some shard is before its start: counts the ticks before a shard's start,
    /// sends those from it on, and gives how many both were.
    pub(super) fn skip(&mut self, ticks: &[Tick]) -> Result<usize, TransportError> {
        for (done, tick) in ticks.iter().enumerate() {
            if self.before_start == 0 {
                return Ok(done);
            }
            let (index, mut local) = self.places[tick.instrument as usize];
            if local == u32::MAX {
                local = self.appear(tick.instrument);
            }
            self.ticks += 1;
            self.watermark = tick.ts_recv;
            let shard = &mut self.shards[usize::from(index)];
            if shard.next_seq < shard.start {
                shard.next_seq += 1;
                self.before_start -= usize::from(shard.next_seq == shard.start);
                continue;
            }
            shard.ticks.push(tick.of(local));
            if shard.ticks.len() == self.frame_ticks {
                self.send_frame(usize::from(index), FrameFlags::TICKS)?;
            }
        }
        Ok(ticks.len())
    }

    /// Sends every shard what it has, and how far the run is.
    pub(super) fn flush(&mut self) -> Result<(), TransportError> {
        self.since_flush = 0;
        for shard in 0..self.shards.len() {
            if !self.shards[shard].ticks.is_empty() {
                self.send_frame(shard, FrameFlags::TICKS)?;
            } else if self.shards[shard].last_sent < self.watermark {
                self.send_frame(shard, FrameFlags::HEARTBEAT)?;
            }
        }
        Ok(())
    }

    /// At a pause of the feed: sends what would leave at once and what has waited for the linger, and
    /// gives how long the rest may wait.
    pub(super) fn pause(&mut self) -> Result<Duration, TransportError> {
        let now = Instant::now();
        let mut patience = Duration::MAX;
        let (first, shards) = (self.turn, self.shards.len());
        for index in (0..shards).map(|place| (first + place) % shards) {
            let shard = &mut self.shards[index];
            if shard.ticks.is_empty() {
                if shard.last_sent < self.watermark {
                    self.send_frame(index, FrameFlags::HEARTBEAT)?;
                }
                continue;
            }
            let left = self.gather.linger.saturating_sub(now - *shard.waiting.get_or_insert(now));
            let delay = if self.gather.eager { self.sender.delay(index as u16) } else { Duration::MAX };
            match left.min(delay) {
                Duration::ZERO => {
                    self.send_frame(index, FrameFlags::TICKS)?;
                    self.turn = index + 1;
                }
                wait => patience = patience.min(wait),
            }
        }
        Ok(patience)
    }

    /// Where a feed makes no pause: sends what has waited for the linger.
    pub(super) fn hurry(&mut self) -> Result<(), TransportError> {
        let now = Instant::now();
        for index in 0..self.shards.len() {
            let shard = &mut self.shards[index];
            if !shard.ticks.is_empty() && now - *shard.waiting.get_or_insert(now) >= self.gather.linger {
                self.send_frame(index, FrameFlags::TICKS)?;
            }
        }
        Ok(())
    }

    /// Sends a mapped block of the only shard as it is; its ids are the shard's own.
    pub(super) fn send_mapped(
        &mut self,
        block: &MappedTicks,
        new_symbols: &[String],
        frame_ticks: usize,
    ) -> Result<(), TransportError> {
        for symbol in new_symbols {
            self.symbols.push(symbol.clone());
            self.places.push((0, u32::MAX));
            self.appear(self.symbols.len() as u32 - 1);
        }
        let len = block.as_slice().len();
        let shard = &mut self.shards[0];
        let skip = shard.start.saturating_sub(shard.next_seq).min(len as u64);
        shard.next_seq += skip;
        self.ticks += skip;
        if let Some(last) = (skip as usize).checked_sub(1) {
            // Ticks that were sent before count for how far the run is: its end may be all that follows.
            self.watermark = block.as_slice()[last].ts_recv;
        }
        if skip > 0 && shard.next_seq == shard.start {
            self.before_start = 0;
        }
        for start in (skip as usize..len).step_by(frame_ticks.max(1)) {
            let part = block.slice(start..len.min(start + frame_ticks));
            let ticks = part.as_slice().len() as u64;
            self.watermark = part.as_slice().last().map_or(self.watermark, |tick| tick.ts_recv);
            let shard = &mut self.shards[0];
            let header = header(self.run, 0, 1, shard.next_seq, self.watermark, FrameFlags::TICKS);
            let new = std::mem::take(&mut shard.new_instruments);
            let frame = Frame::mapped(header, part).naming(new, shard.dictionary_len);
            shard.next_seq += ticks;
            self.ticks += ticks;
            self.frames += 1;
            self.sender.send(Arc::new(frame))?;
        }
        Ok(())
    }

    /// Sends what is left, then each shard the end, unless the feed was interrupted.
    pub(super) fn finish(mut self, mut report: FeedReport) -> Result<FeedReport, FeedError> {
        if self.before_start > 0 && !report.interrupted {
            let short = |(_, shard): &(usize, &Shard)| shard.next_seq < shard.start;
            if let Some((index, shard)) = self.shards.iter().enumerate().find(short) {
                let (ticks, start) = (shard.next_seq, shard.start);
                return Err(FeedError::Short { shard: index as u16, ticks, start });
            }
        }
        if self.before_start == 0 {
            self.flush()?;
        }
        if !report.interrupted {
            for shard in 0..self.shards.len() {
                self.send_frame(shard, FrameFlags::END_OF_RUN)?;
            }
        }
        report.ticks = self.ticks;
        report.frames = self.frames;
        report.instruments = self.instruments();
        Ok(report)
    }

    fn send_frame(&mut self, index: usize, flags: FrameFlags) -> Result<(), TransportError> {
        let shards = self.shards.len() as u16;
        let shard = &mut self.shards[index];
        let room = if shard.ticks.is_empty() { 0 } else { self.frame_ticks.min(shard.ticks.len()) };
        let ticks = std::mem::replace(&mut shard.ticks, Vec::with_capacity(room));
        let header = header(self.run, index as u16, shards, shard.next_seq, self.watermark, flags);
        shard.next_seq += ticks.len() as u64;
        shard.last_sent = self.watermark;
        shard.waiting = None;
        let new = std::mem::take(&mut shard.new_instruments);
        let frame = Frame::owned(header, ticks).naming(new, shard.dictionary_len);
        self.frames += 1;
        self.sender.send(Arc::new(frame))
    }

    /// Gives an instrument its id in its shard.
    #[cold]
    fn appear(&mut self, instrument: u32) -> u32 {
        let (shard, local) = &mut self.places[instrument as usize];
        let shard = &mut self.shards[usize::from(*shard)];
        *local = shard.dictionary_len;
        shard.dictionary_len += 1;
        let symbol = self.symbols[instrument as usize].clone();
        let key = self.groups.key_of(&symbol).to_owned();
        shard.new_instruments.push(NewInstrument { id: *local, symbol, key });
        *local
    }
}

fn header(
    run: RunId,
    shard: u16,
    shards: u16,
    first_seq: u64,
    watermark: u64,
    flags: FrameFlags,
) -> FrameHeader {
    FrameHeader { run, shard, shards, attempt: 0, first_seq, published_at: 0, watermark, flags }
}
