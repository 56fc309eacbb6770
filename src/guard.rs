//! Runs code that must not end the program when it panics.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread runs [`guarded`] code, so that a panic is caught. A panic hook that ends the
/// process must check this, because it runs before the panic is caught.
pub fn is_panic_caught() -> bool {
    GUARDED.get()
}

/// Returns `None` if `f` panics.
pub fn guarded<T>(f: impl FnOnce() -> T) -> Option<T> {
    let outer = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(f));
    GUARDED.set(outer);
    result.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_hook_can_tell_that_a_panic_is_caught() {
        assert_eq!(guarded(is_panic_caught), Some(true));
        assert_eq!(guarded(|| -> u8 { std::panic::resume_unwind(Box::new(())) }), None);
        assert!(!is_panic_caught());
    }
}
