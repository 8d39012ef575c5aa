//! The allocator's settings.

/// `mi_option_purge_delay` of mimalloc's `mi_option_t`, versions 2 and 3 alike.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Tells the allocator to keep the pages it has.
///
/// The CPU backends allocate every operation's output anew. An allocator that hands large blocks back to the system spends a third of a
/// training step on page faults and on clearing pages.
pub fn keep_pages() {
    // SAFETY: sets one integer of the allocator's settings; −1 stands for never, and no tensor exists yet.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) }
}

/// Tells the allocator to hand pages that are not used back to the system after some milliseconds, for
/// a command that needs little memory more than speed.
#[allow(dead_code, reason = "the benches keep their pages")]
pub fn return_pages() {
    // SAFETY: sets one integer of the allocator's settings.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, 10) }
}
