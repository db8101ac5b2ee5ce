//! The instruction set that is computed with; the bits are the same on each.

use fearless_simd::Level;

/// The best one of this machine.
#[inline(always)]
pub(super) fn best() -> Level {
    chosen().unwrap_or_else(Level::new)
}

/// The one that every machine of this target has, for what is computed one by one.
#[inline(always)]
pub(super) fn baseline() -> Level {
    chosen().unwrap_or_else(Level::baseline)
}

#[cfg(not(test))]
#[inline(always)]
fn chosen() -> Option<Level> {
    None
}

#[cfg(test)]
thread_local! {
    static CHOSEN: std::cell::Cell<Option<Level>> = const { std::cell::Cell::new(None) };
}

#[cfg(test)]
fn chosen() -> Option<Level> {
    CHOSEN.get()
}

/// Runs `body` with another one, for what it calls on this thread.
#[cfg(test)]
pub(super) fn with<R>(level: Level, body: impl FnOnce() -> R) -> R {
    CHOSEN.set(Some(level));
    let result = body();
    CHOSEN.set(None);
    result
}
