//! The programs' allocator, counted.
#![allow(unsafe_code, reason = "an allocator is unsafe by its trait; each call is passed on as it came")]

use std::alloc::{GlobalAlloc, Layout};
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static COUNT: AtomicU64 = AtomicU64::new(0);
/// One allocation in so many says where it comes from; 0 for none.
static SHOW_EVERY: AtomicU64 = AtomicU64::new(0);

/// How often any thread asked for memory while `work` was done. A buffer that grows asks again.
pub(crate) fn allocations<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let show_every = std::env::var("SHOW").map_or(0, |text| text.parse().expect("SHOW is a number"));
    SHOW_EVERY.store(show_every, Ordering::SeqCst);
    let before = COUNT.load(Ordering::SeqCst);
    let result = work();
    let after = COUNT.load(Ordering::SeqCst);
    SHOW_EVERY.store(0, Ordering::SeqCst);
    (result, after - before)
}

struct Counting;

// SAFETY: each call goes as it is to an allocator that keeps the trait's promises. What is added
// neither unwinds nor touches the memory; that it may itself allocate is guarded in `count`.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller promises for this call what it promised for ours.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count();
        // SAFETY: as above; and `place` is MiMalloc's, as all that we give is.
        unsafe { MiMalloc.realloc(place, layout, bytes) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { MiMalloc.dealloc(place, layout) }
    }
}

thread_local! {
    /// This thread is showing an allocation, which allocates.
    static IS_SHOWING: Cell<bool> = const { Cell::new(false) };
}

#[inline]
fn count() {
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let every = SHOW_EVERY.load(Ordering::Relaxed);
    // A thread that ends has no cell any more, and shows nothing.
    if every > 0 && count.is_multiple_of(every) && !IS_SHOWING.try_with(|is| is.replace(true)).unwrap_or(true)
    {
        eprintln!("allocation {count}:\n{}", Backtrace::force_capture());
        IS_SHOWING.set(false);
    }
}
