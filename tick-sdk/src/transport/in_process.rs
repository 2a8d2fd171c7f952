//! Frames between threads: two buffers, one being filled and one being emptied. Nothing is copied or
//! encoded.
//!
//! A frame is some ten microseconds of work, and waking a sleeping thread costs about as much. A
//! channel wakes a waiting sender at every frame received; here the receiver takes all there is at
//! once, and wakes the sender once for as many frames. Under low load a frame is taken as soon as it
//! is sent. `benches/hand_over.rs` measures it beside crossbeam's channel.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{FrameReceiver, FrameSender, STALL_TIMEOUT, TransportError};
use crate::Frame;

/// The ingester's end of [`in_process`].
#[derive(Debug)]
pub struct InProcessSender(Arc<Shared>);

/// The host's end of [`in_process`].
#[derive(Debug)]
pub struct InProcessReceiver {
    shared: Arc<Shared>,
    /// Being emptied.
    taken: RefCell<VecDeque<Arc<Frame>>>,
}

#[derive(Debug)]
struct Shared {
    /// How many frames each of the two buffers holds.
    bound: usize,
    filling: Mutex<Filling>,
    frames_there: Condvar,
    room_there: Condvar,
}

#[derive(Debug)]
struct Filling {
    frames: VecDeque<Arc<Frame>>,
    senders: usize,
    receiver_waits: bool,
    senders_wait: bool,
    receiver_gone: bool,
}

/// A transport that holds at most `frames` frames, at least 2; a sender then waits.
pub fn in_process(frames: usize) -> (InProcessSender, InProcessReceiver) {
    let bound = (frames / 2).max(1);
    let filling = Filling {
        frames: VecDeque::with_capacity(bound),
        senders: 1,
        receiver_waits: false,
        senders_wait: false,
        receiver_gone: false,
    };
    let shared = Arc::new(Shared {
        bound,
        filling: Mutex::new(filling),
        frames_there: Condvar::new(),
        room_there: Condvar::new(),
    });
    let taken = RefCell::new(VecDeque::with_capacity(bound));
    (InProcessSender(shared.clone()), InProcessReceiver { shared, taken })
}

impl Shared {
    /// Nothing panics while holding it, and each change of it is whole.
    fn lock(&self) -> MutexGuard<'_, Filling> {
        self.filling.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for `condition` at most until `deadline`.
fn wait<'a>(
    condition: &Condvar,
    guard: MutexGuard<'a, Filling>,
    deadline: Instant,
) -> MutexGuard<'a, Filling> {
    let left = deadline.saturating_duration_since(Instant::now());
    condition.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0
}

impl FrameSender for InProcessSender {
    fn send(&self, frame: Arc<Frame>) -> Result<(), TransportError> {
        let mut filling = self.0.lock();
        if filling.frames.len() >= self.0.bound {
            let deadline = Instant::now() + STALL_TIMEOUT;
            while filling.frames.len() >= self.0.bound && !filling.receiver_gone {
                if Instant::now() >= deadline {
                    return Err(TransportError::Stalled);
                }
                filling.senders_wait = true;
                filling = wait(&self.0.room_there, filling, deadline);
            }
        }
        if filling.receiver_gone {
            return Err(TransportError::Closed);
        }
        filling.frames.push_back(frame);
        let wake = std::mem::take(&mut filling.receiver_waits);
        drop(filling);
        if wake {
            self.0.frames_there.notify_one();
        }
        Ok(())
    }
}

impl FrameReceiver for InProcessReceiver {
    #[inline]
    fn receive(&self, timeout: Duration) -> Result<Option<Arc<Frame>>, TransportError> {
        let mut taken = self.taken.borrow_mut();
        if let Some(frame) = taken.pop_front() {
            return Ok(Some(frame));
        }
        let mut filling = self.shared.lock();
        if filling.frames.is_empty() {
            let deadline = Instant::now() + timeout;
            while filling.frames.is_empty() {
                if filling.senders == 0 {
                    return Err(TransportError::Closed);
                }
                if Instant::now() >= deadline {
                    filling.receiver_waits = false;
                    return Ok(None);
                }
                filling.receiver_waits = true;
                filling = wait(&self.shared.frames_there, filling, deadline);
            }
        }
        std::mem::swap(&mut filling.frames, &mut taken);
        let wake = std::mem::take(&mut filling.senders_wait);
        drop(filling);
        if wake {
            self.shared.room_there.notify_all();
        }
        Ok(taken.pop_front())
    }
}

impl Clone for InProcessSender {
    fn clone(&self) -> Self {
        self.0.lock().senders += 1;
        Self(self.0.clone())
    }
}

impl Drop for InProcessSender {
    fn drop(&mut self) {
        let mut filling = self.0.lock();
        filling.senders -= 1;
        if filling.senders == 0 {
            drop(filling);
            self.0.frames_there.notify_one();
        }
    }
}

impl Drop for InProcessReceiver {
    fn drop(&mut self) {
        let mut filling = self.shared.lock();
        filling.receiver_gone = true;
        filling.frames.clear();
        drop(filling);
        self.shared.room_there.notify_all();
    }
}
