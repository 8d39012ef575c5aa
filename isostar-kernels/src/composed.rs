use std::cell::Cell;

thread_local! {
    static COMPOSED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` with every operation of this crate in the form of Burn's own operations, as on other
/// backends, for comparisons. It applies to calls of this thread; gradients take the form that
/// the operation had.
#[doc(hidden)]
pub fn composed<R>(work: impl FnOnce() -> R) -> R {
    /// Restores the state when dropped, so that a panic in `work` leaves nothing behind.
    struct Restore(bool);

    impl Drop for Restore {
        fn drop(&mut self) {
            COMPOSED.set(self.0);
        }
    }

    let _restore = Restore(COMPOSED.replace(true));
    work()
}

/// Whether the calling thread is in a scope of [`composed`].
#[cfg(feature = "flex")]
pub(crate) fn is_composed() -> bool {
    COMPOSED.get()
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    #[test]
    fn scopes_end_with_the_work_and_with_a_panic() {
        assert!(!is_composed());
        composed(|| {
            composed(|| assert!(is_composed()));
            assert!(is_composed());
        });
        assert!(!is_composed());
        assert!(std::panic::catch_unwind(|| composed(|| panic!("on purpose"))).is_err());
        assert!(!is_composed());
    }
}
