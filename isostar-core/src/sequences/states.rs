use burn::prelude::*;

/// States of several layers, sequence by sequence.
///
/// The states of one sequence depend on each other, so an estimator over sequences needs to know which
/// states belong together, and no sums over all of them suffice.
#[derive(Clone, Debug)]
pub struct SequenceStates {
    /// Rows of the sequences: states of all layers, in any order. Shape `[sequences, rows, d]`.
    pub states: Tensor<3>,
    /// 1 at the rows that count, 0 at padding. Shape `[sequences, rows]`.
    pub counted: Tensor<2>,
}

impl SequenceStates {
    /// The states of disjoint sets of sequences, one after the other. Sequences with fewer rows than
    /// others are padded with rows that do not count.
    ///
    /// # Panics
    /// If there is no part, or the parts differ in width.
    pub fn union(parts: Vec<Self>) -> Self {
        let dims: Vec<[usize; 3]> = parts.iter().map(|part| part.states.dims()).collect();
        let [_, _, width] = *dims
            .first()
            .expect("SequenceStates::union: there must be at least one part");
        assert!(
            dims.iter().all(|[_, _, d]| *d == width),
            "SequenceStates::union: the parts have the shapes {dims:?}"
        );
        if parts.len() == 1 {
            return parts.into_iter().next().expect("one part");
        }
        let longest = dims.iter().map(|[_, rows, _]| *rows).max().unwrap_or(0);
        let padded = |part: Self| {
            let [sequences, rows, d] = part.states.dims();
            if rows == longest {
                return (part.states, part.counted);
            }
            let options = (
                &part.states.device().without_autodiff(),
                part.states.dtype(),
            );
            let states = Tensor::zeros([sequences, longest - rows, d], options);
            let counted = Tensor::zeros([sequences, longest - rows], options);
            (
                Tensor::cat(vec![part.states, states], 1),
                Tensor::cat(vec![part.counted, counted], 1),
            )
        };
        let (states, counted): (Vec<_>, Vec<_>) = parts.into_iter().map(padded).unzip();
        Self {
            states: Tensor::cat(states, 0),
            counted: Tensor::cat(counted, 0),
        }
    }
}
