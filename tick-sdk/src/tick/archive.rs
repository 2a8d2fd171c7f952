//! A [`Tick`] is its own rkyv archive: `[Tick]` is written with one copy and read in place.
#![allow(unsafe_code, reason = "rkyv asks for promises about layout; the const asserts of `Tick` keep them")]

use rkyv::bytecheck::CheckBytes;
use rkyv::rancor::Fallible;
use rkyv::traits::{CopyOptimization, NoUndef};
use rkyv::{Archive, Deserialize, Place, Portable, Serialize};

use super::Tick;

// SAFETY: `Tick` is `repr(C)` without padding and holds only integers; the crate compiles on
// little-endian targets alone, so the layout is the same on every one of them.
unsafe impl Portable for Tick {}

// SAFETY: `Tick` is `Pod`: it has no padding and no uninitialised byte.
unsafe impl NoUndef for Tick {}

// SAFETY: every bit pattern is a `Tick` (it is `Pod`), so there is nothing to reject. Alignment and
// bounds are checked by the slice that holds it.
unsafe impl<C: Fallible + ?Sized> CheckBytes<C> for Tick {
    #[inline(always)]
    unsafe fn check_bytes(_: *const Self, _: &mut C) -> Result<(), C::Error> {
        Ok(())
    }
}

impl Archive for Tick {
    type Archived = Self;
    type Resolver = ();

    // SAFETY: the archived form is the same type, without padding.
    const COPY_OPTIMIZATION: CopyOptimization<Self> = unsafe { CopyOptimization::enable() };

    fn resolve(&self, (): (), out: Place<Self>) {
        out.write(*self);
    }
}

impl<S: Fallible + ?Sized> Serialize<S> for Tick {
    fn serialize(&self, _: &mut S) -> Result<(), S::Error> {
        Ok(())
    }
}

impl<D: Fallible + ?Sized> Deserialize<Self, D> for Tick {
    fn deserialize(&self, _: &mut D) -> Result<Self, D::Error> {
        Ok(*self)
    }
}
