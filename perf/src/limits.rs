//! What the machine itself can do: how fast memory is read and copied, and what loopback TCP carries.

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::outcome::{Step, Totals};
use crate::sampler::stage_of;

/// Each thread's own; far more than the caches hold.
const MEMORY_BYTES: usize = 256 << 20;
/// How often it is gone through.
const PASSES: usize = 8;
/// Bytes that go over loopback in one measurement.
const LOOPBACK_BYTES: usize = 4 << 30;
/// Answers that are waited for, one after the other.
const ROUND_TRIPS: usize = 20_000;
/// A socket that stands still for so long has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reading and copying, by one thread and by all.
pub(crate) fn memory() -> Vec<Step> {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    let mut steps = Vec::new();
    for threads in [1, all] {
        let counted = if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
        steps.push(timed(format!("read, {counted}"), threads, read));
        steps.push(timed(format!("copy, {counted}"), threads, copy));
    }
    steps
}

/// `work` on each thread's own memory, after one pass that is not timed.
fn timed(name: String, threads: usize, work: fn(&[u64], &mut [u64])) -> Step {
    let barrier = std::sync::Barrier::new(threads + 1);
    let seconds = std::thread::scope(|scope| {
        let run = || {
            let from = vec![1u64; MEMORY_BYTES / 8];
            let mut to = vec![2u64; MEMORY_BYTES / 8];
            work(&from, &mut to);
            barrier.wait();
            (0..PASSES).for_each(|_| work(black_box(&from), black_box(&mut to)));
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        barrier.wait();
        let started = Instant::now();
        running.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
        started.elapsed().as_secs_f64()
    });
    step(name, (threads * PASSES * MEMORY_BYTES) as u64, seconds)
}

fn read(from: &[u64], _: &mut [u64]) {
    // Several sums at once, so that adding does not hold reading up.
    let mut sums = [0u64; 32];
    for part in from.chunks_exact(32) {
        sums.iter_mut().zip(part).for_each(|(sum, word)| *sum = sum.wrapping_add(*word));
    }
    black_box(sums);
}

fn copy(from: &[u64], to: &mut [u64]) {
    to.copy_from_slice(from);
}

/// One connection, by the size of a write, and the time of an answer.
///
/// # Errors
/// The system gives no sockets.
pub(crate) fn loopback() -> io::Result<Vec<Step>> {
    let mut steps = Vec::new();
    for kib in [16, 64, 320] {
        steps.push(throughput(kib << 10)?);
    }
    steps.push(round_trips()?);
    Ok(steps)
}

fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    for socket in [&near, &far] {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
    }
    Ok((near, far))
}

fn throughput(bytes: usize) -> io::Result<Step> {
    let (mut near, mut far) = pair()?;
    let writes = LOOPBACK_BYTES / bytes;
    let body = vec![7; bytes];
    let started = Instant::now();
    std::thread::scope(|scope| {
        let reading = scope.spawn(move || -> io::Result<()> {
            let mut buffer = vec![0; bytes];
            (0..writes).try_for_each(|_| far.read_exact(&mut buffer))
        });
        (0..writes).try_for_each(|_| near.write_all(&body))?;
        reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    let name = format!("one connection, writes of {} KiB", bytes >> 10);
    Ok(step(name, (writes * bytes) as u64, started.elapsed().as_secs_f64()))
}

fn round_trips() -> io::Result<Step> {
    let (mut near, mut far) = pair()?;
    let mut latencies = Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are valid");
    let started = Instant::now();
    std::thread::scope(|scope| {
        let answering = scope.spawn(move || -> io::Result<()> {
            let mut byte = [0];
            (0..ROUND_TRIPS).try_for_each(|_| far.read_exact(&mut byte).and_then(|()| far.write_all(&byte)))
        });
        for _ in 0..ROUND_TRIPS {
            let asked = Instant::now();
            near.write_all(&[1])?;
            near.read_exact(&mut [0])?;
            latencies.saturating_record(asked.elapsed().as_nanos() as u64);
        }
        answering.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    let mut step = step("answers to one byte".to_owned(), 0, started.elapsed().as_secs_f64());
    step.totals.messages = ROUND_TRIPS as u64;
    step.totals.messages_per_s = ROUND_TRIPS as f64 / step.seconds;
    step.stages = vec![stage_of("answer", &latencies)];
    Ok(step)
}

fn step(name: String, bytes: u64, seconds: f64) -> Step {
    let totals = Totals { bytes, bytes_per_s: bytes as f64 / seconds, ..Totals::default() };
    Step { name, seconds, totals, ..Step::default() }
}
