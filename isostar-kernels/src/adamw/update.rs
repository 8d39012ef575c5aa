//! The settings of an update, and the numbers that follow from them.

/// Settings of an update by AdamW.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWUpdate {
    /// Learning rate η.
    pub rate: f64,
    /// Weight decay λ.
    pub weight_decay: f32,
    /// Decay β₁ of the first moment.
    pub beta_1: f32,
    /// Decay β₂ of the second moment.
    pub beta_2: f32,
    /// The number ε that is added to the denominator.
    pub epsilon: f32,
    /// The number t of this update; the first is 1.
    pub step: usize,
}

/// The numbers of an update, in f32 as Burn rounds them.
#[derive(Clone, Copy)]
pub(super) struct Constants {
    /// 1 − η·λ
    pub(super) kept: f32,
    /// η
    pub(super) rate: f32,
    /// 1 − β₁
    pub(super) new_first: f32,
    /// 1 − β₂
    pub(super) new_second: f32,
    /// 1 − β₁ᵗ
    pub(super) correction_1: f32,
    /// 1 − β₂ᵗ
    pub(super) correction_2: f32,
}

impl Constants {
    pub(super) fn new(update: &AdamWUpdate) -> Self {
        let AdamWUpdate {
            rate,
            weight_decay,
            beta_1,
            beta_2,
            step,
            ..
        } = *update;
        let step = i32::try_from(step).unwrap_or(i32::MAX);
        Self {
            kept: (1.0 - rate * f64::from(weight_decay)) as f32,
            rate: rate as f32,
            new_first: 1.0 - beta_1,
            new_second: 1.0 - beta_2,
            correction_1: 1.0 - beta_1.powi(step),
            correction_2: 1.0 - beta_2.powi(step),
        }
    }
}
