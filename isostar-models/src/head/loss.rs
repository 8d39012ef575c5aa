//! Losses of the heads, as transformers computes them from labels. [`span_cross_entropy`] is
//! averaged over the batch; the others return one loss per sequence.

use burn::prelude::*;
use burn::tensor::activation::{log_sigmoid, log_softmax};

/// Cross entropy for one class per sequence: −log softmax(logits)\[label\].
///
/// # Shapes
/// - `logits`: `[sequences, classes]`
/// - `labels`, output: `[sequences]`
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    log_softmax(logits, 1)
        .gather(1, labels.unsqueeze_dim(1))
        .neg()
        .squeeze_dim(1)
}

/// Binary cross entropy for any number of classes per sequence: the mean over classes of −t log
/// σ(z) − (1 − t) log σ(−z).
///
/// # Shapes
/// - `logits`, `targets`: `[sequences, classes]`; a target t is 1 where the class applies and 0 where it does not
/// - output: `[sequences]`
pub fn binary_cross_entropy(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let applies = log_sigmoid(logits.clone()) * targets.clone();
    let applies_not = log_sigmoid(logits.neg()) * (targets.neg() + 1.0);
    (applies + applies_not).neg().mean_dim(1).squeeze_dim(1)
}

/// Squared error for regression: the mean over outputs of (value − target)².
///
/// # Shapes
/// - `values`, `targets`: `[sequences, outputs]`
/// - output: `[sequences]`
pub fn squared_error(values: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    (values - targets).square().mean_dim(1).squeeze_dim(1)
}

/// Cross entropy for spans: the mean of the losses of starts and ends, each averaged over the
/// sequences whose label is within the tokens.
///
/// A start or end at or beyond the number of tokens was truncated with the text and is ignored. If
/// all are ignored, the loss of that part is 0.
///
/// # Shapes
/// - `logits`: the logits of starts and of ends, `[sequences, tokens]` each
/// - `ends`: the index of the first and of the last token of each answer, `[sequences]` each
/// - output: `[1]`
pub fn span_cross_entropy(logits: [Tensor<2>; 2], ends: [Tensor<1, Int>; 2]) -> Tensor<1> {
    let [starts, ends] = [0, 1].map(|end| within_tokens(logits[end].clone(), ends[end].clone()));
    (starts + ends) / 2.0
}

fn within_tokens(logits: Tensor<2>, ends: Tensor<1, Int>) -> Tensor<1> {
    let [_, tokens] = logits.dims();
    let counts = ends.clone().lower_elem(tokens as i64).float();
    let losses = cross_entropy(logits, ends.clamp(0, tokens as i64 - 1));
    (losses * counts.clone()).sum() / counts.sum().clamp_min(1.0)
}
