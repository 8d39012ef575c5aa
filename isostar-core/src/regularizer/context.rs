use burn::prelude::*;

/// What a training loop tells a regularizer about a step, besides the hidden states.
///
/// ```
/// use isostar_core::StepContext;
///
/// let context = StepContext::default().with_step(12);
/// assert_eq!((context.step, context.first_sequence), (12, 0));
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct StepContext<'a> {
    /// The covariances of the states that
    /// [`reference_states`](super::Regularizer::reference_states) selects, one below the other for
    /// each of their [groups](crate::StateSelection::groups). Shape `[groups·d, d]`, which is
    /// `[d, d]` for the union of layers.
    pub reference: Option<&'a Tensor<2>>,
    /// The number of steps that the training has taken before this one, in all epochs. It selects
    /// the random stream of a regularizer that draws random numbers.
    pub step: u64,
    /// The index of the first of these sequences in the batch of the step. It is above 0 if several
    /// devices share a batch.
    pub first_sequence: usize,
    /// The number of sequences in the batch of the step; by default, it ends with these.
    pub batch_sequences: Option<usize>,
    /// The number of tokens to which the batch of the step is padded; by default, that of these
    /// sequences.
    pub batch_tokens: Option<usize>,
}

impl<'a> StepContext<'a> {
    /// The same context with this reference. Shape `[groups·d, d]`.
    pub fn with_reference(self, reference: impl Into<Option<&'a Tensor<2>>>) -> Self {
        Self {
            reference: reference.into(),
            ..self
        }
    }

    /// The same context for the step with this number, counted from 0.
    pub fn with_step(self, step: u64) -> Self {
        Self { step, ..self }
    }

    /// The same context for a part of the batch that begins with this sequence, counted from 0.
    pub fn with_first_sequence(self, first_sequence: usize) -> Self {
        Self {
            first_sequence,
            ..self
        }
    }

    /// The same context for a part of a batch of this many sequences.
    pub fn with_batch_sequences(self, sequences: usize) -> Self {
        Self {
            batch_sequences: Some(sequences),
            ..self
        }
    }

    /// The same context for a part of a batch that is padded to this many tokens.
    pub fn with_batch_tokens(self, tokens: usize) -> Self {
        Self {
            batch_tokens: Some(tokens),
            ..self
        }
    }

    /// The reference of one of several groups of layers.
    ///
    /// # Panics
    /// If the reference does not have the shape `[groups·d, d]`.
    pub(crate) fn reference_of_group(&self, at: usize, groups: usize) -> Option<Tensor<2>> {
        let reference = self.reference?;
        let [rows, d] = reference.dims();
        assert_eq!(
            rows,
            groups * d,
            "a reference of shape {:?} for {groups} groups of layers: it must have {groups}·{d} rows",
            [rows, d]
        );
        if groups == 1 {
            return Some(reference.clone());
        }
        Some(reference.clone().narrow(0, at * d, d))
    }
}
