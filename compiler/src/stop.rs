//! Work that nobody waits for any more ends in the middle.
//!
//! Who asks for work says by a [`Stop`] whether it is still wanted; the compiler looks at it between items. Work that is
//! not wanted unwinds to [`unless`], so that no result in between has to speak of it. Without a `Stop` nothing ends.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

/// Whether to stop.
pub type Stop = Arc<dyn Fn() -> bool + Send + Sync>;

/// Why there is no result.
#[derive(Debug)]
pub enum Ended {
    /// It was not wanted any more.
    Stopped,
    /// It failed inside of imm; the panic.
    Panicked(Box<dyn Any + Send>),
}

struct Stopped;

thread_local! {
    static STOP: RefCell<Option<Stop>> = const { RefCell::new(None) };
}

/// Works unless told to stop.
///
/// # Errors
/// When it was told to, or the work panicked.
pub fn unless<T>(stop: Stop, work: impl FnOnce() -> T) -> Result<T, Ended> {
    let done = catch_unwind(AssertUnwindSafe(|| with(Some(stop), work)));
    done.map_err(|panic| if panic.is::<Stopped>() { Ended::Stopped } else { Ended::Panicked(panic) })
}

/// Ends the work around this if it is not wanted.
pub(crate) fn point() {
    let stop = STOP.with_borrow(|stop| stop.as_ref().is_some_and(|stop| stop()));
    if stop {
        // No message and no backtrace: this is no mistake.
        resume_unwind(Box::new(Stopped));
    }
}

fn with<T>(stop: Option<Stop>, work: impl FnOnce() -> T) -> T {
    /// Puts back what was there, however the work ends.
    struct Before(Option<Stop>);
    impl Drop for Before {
        fn drop(&mut self) {
            STOP.set(self.0.take());
        }
    }
    let _before = Before(STOP.replace(stop));
    work()
}

/// Bytes of stack, of which only those in use cost memory: enough for the deepest expressions in a debug build.
pub const STACK: usize = 256 << 20;

/// Of a stack of [`STACK`], what may be in use where work begins.
const BEGUN: usize = 1 << 20;

/// Works where deep expressions have stack enough: more than a thread is sure to have; one that was made with [`STACK`] needs
/// no other. Not in a thread of its own: what one thread allocates and another one frees is not soon used again.
pub(crate) fn on_deep_stack<T>(work: &impl Fn() -> T) -> T {
    stacker::maybe_grow(STACK - BEGUN, STACK, work)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn work_ends_at_the_next_point_on_other_stacks_too() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let stop: Stop = Arc::new(move || count.fetch_add(1, Ordering::Relaxed) == 2);
        let ended = unless(stop, || on_deep_stack(&|| (0..10).for_each(|_| point())));
        assert!(matches!(ended, Err(Ended::Stopped)));
        assert_eq!(asked.load(Ordering::Relaxed), 3);
        // Nothing is left of it.
        point();
    }

    #[test]
    fn a_panic_is_none_of_that() {
        let ended = unless(Arc::new(|| false), || on_deep_stack(&|| panic!("oh")));
        assert!(matches!(ended, Err(Ended::Panicked(panic)) if panic.is::<&str>()));
        assert_eq!(unless(Arc::new(|| false), || 1).ok(), Some(1));
    }
}
