//! What the path is held against: plain loops over the same mapped ticks, which compute both strategies
//! with no frames, cursor, trait, CRC or ledger.

use std::hint::black_box;
use std::path::Path;

use tick_feed::ticks_file::TicksFile;
use tick_sdk::Tick;

use crate::INSTRUMENTS;
use crate::plain_loop::{PlainApple, PlainPear};

/// Every block's ticks through `work`, on this thread, straight from the map: nothing is checked.
pub(crate) fn for_blocks(path: &Path, mut work: impl FnMut(&[Tick])) {
    let file = TicksFile::open(path).expect("the file is whole");
    for index in 0..file.blocks() {
        work(file.block_unchecked(index).as_slice());
    }
}

/// The least that anybody does who reads the ticks.
pub(crate) fn read(path: &Path) {
    let mut sum = 0u64;
    for_blocks(path, |ticks| {
        for tick in ticks {
            sum = sum.wrapping_add(tick.price as u64 ^ tick.ts_recv);
        }
    });
    black_box(sum);
}

/// What the path does where bytes enter, alone.
pub(crate) fn check(path: &Path) {
    let file = TicksFile::open(path).expect("the file is whole");
    for index in 0..file.blocks() {
        black_box(file.block(index).expect("the block is whole"));
    }
}

pub(crate) fn apple(path: &Path) -> u64 {
    counted(path, |apple, _, tick| apple.on_tick(tick))
}

pub(crate) fn pear(path: &Path) -> u64 {
    counted(path, |_, pear, tick| pear.on_tick::<false>(tick))
}

fn pear_with_shortcut(path: &Path) -> u64 {
    counted(path, |_, pear, tick| pear.on_tick::<true>(tick))
}

pub(crate) fn both(path: &Path) -> u64 {
    counted(path, |apple, pear, tick| apple.on_tick(tick) + pear.on_tick::<false>(tick))
}

pub(crate) fn by_strategy(path: &Path) -> u64 {
    on_two_threads(|| apple(path), || pear(path))
}

/// The shortcut is part of the strategy and not of the path, so this is no limit for the path, but worth
/// knowing.
pub(crate) fn by_strategy_with_shortcut(path: &Path) -> u64 {
    on_two_threads(|| apple(path), || pear_with_shortcut(path))
}

pub(crate) fn by_instrument(path: &Path) -> u64 {
    let half = |rest: u32| {
        counted(path, move |apple, pear, tick| {
            let is_own = tick.instrument % 2 == rest;
            if is_own { apple.on_tick(tick) + pear.on_tick::<false>(tick) } else { 0 }
        })
    };
    on_two_threads(|| half(0), || half(1))
}

/// Counts the signals that `on_tick` makes of all ticks.
#[inline(always)]
fn counted(path: &Path, on_tick: impl Fn(&mut PlainApple, &mut PlainPear, &Tick) -> u64) -> u64 {
    let mut apples = [PlainApple::default(); INSTRUMENTS as usize];
    let mut pears = [PlainPear::default(); INSTRUMENTS as usize];
    let mut signals = 0;
    for_blocks(path, |ticks| {
        for tick in ticks {
            let place = tick.instrument as usize;
            signals += on_tick(&mut apples[place], &mut pears[place], tick);
        }
    });
    signals
}

fn on_two_threads(one: impl FnOnce() -> u64 + Send, other: impl FnOnce() -> u64) -> u64 {
    std::thread::scope(|scope| {
        let one = scope.spawn(one);
        other() + one.join().expect("the loop ends")
    })
}
