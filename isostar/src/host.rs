//! Burn's default device.

/// Makes the CPU Burn's default device, unless `BURN_DEVICE` names one.
///
/// Burn loads the state of a resumed optimizer on its default device, and moves it to the device of
/// the parameters in the first step. With the feature `cuda`, the default is a GPU, and a run on the
/// CPU could not be resumed on a machine without one.
pub fn make_default() {
    const NAME: &str = "BURN_DEVICE";
    let host = if cfg!(feature = "flex") {
        "flex"
    } else {
        "ndarray"
    };
    if cfg!(any(feature = "flex", feature = "ndarray")) && std::env::var_os(NAME).is_none() {
        // SAFETY: called at the start of main, when no other thread exists.
        unsafe { std::env::set_var(NAME, host) }
    }
}
