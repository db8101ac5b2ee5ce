//! Hints about memory to the processor and the operating system: the only file of this crate with `unsafe`.
//!
//! They change how long the kernel takes and nothing else: neither reads nor writes what it is given, and where there is no
//! such hint they do nothing. What they are worth, on two cores of an Intel Xeon with AVX-512 under Linux:
//!
//! * [`prefetch`]: the kernel reads each row while it computes the one before it, which is only as early as a row is long, and
//!   a processor looks ahead by itself no further than the end of a page.
//! * [`expect_writes`]: a gradient in fresh memory costs more time in page faults than in arithmetic; huge pages have one fault
//!   for 512.

#![allow(unsafe_code, reason = "instructions and system calls for hints are not to be had otherwise")]

/// Bytes of a huge page.
#[cfg(all(target_os = "linux", not(miri)))]
const HUGE_PAGE: usize = 1 << 21;

/// Tells the processor that the element so many places from the start of `values` will be read soon. It need not be there.
#[inline(always)]
pub(super) fn prefetch<T>(values: &[T], place: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let address = values.as_ptr().wrapping_add(place).cast::<i8>();
        // SAFETY: the instruction is part of x86-64, reads nothing that a program could see, and faults at no address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = (values, place);
}

/// Tells the operating system that all of a large piece of memory is about to be written, so that it may come in huge pages
/// where it is fresh. Memory of less than two of them is left alone.
pub(super) fn expect_writes<T>(values: &mut [T]) {
    #[cfg(all(target_os = "linux", not(miri)))]
    {
        let bytes = size_of_val(values);
        if bytes < 2 * HUGE_PAGE {
            return;
        }
        let start = values.as_mut_ptr().cast::<u8>();
        let skipped = start.addr().next_multiple_of(HUGE_PAGE) - start.addr();
        let whole = (bytes - skipped) / HUGE_PAGE * HUGE_PAGE;
        // SAFETY: the pages lie within `values`, which is borrowed for writing. The advice changes neither what they hold nor
        // whether they may be used. It may be refused, which does not matter.
        unsafe { libc::madvise(start.wrapping_add(skipped).cast(), whole, libc::MADV_HUGEPAGE) };
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    let _ = values;
}
