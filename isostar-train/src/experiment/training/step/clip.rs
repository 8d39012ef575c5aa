//! Clipping of gradients by their global norm.

use std::collections::HashSet;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::prelude::*;
use burn::tensor::TensorReadError;

/// Scales the gradients of all parameters so that their norm is at most `limit`.
///
/// ```text
///   g ← g · min(1, limit/(‖g‖ + 1e-6))        ‖g‖² = Σ over all parameters and entries of g²
/// ```
///
/// As `clip_grad_norm_` of PyTorch. Returns ‖g‖ before clipping. If it is not finite, the gradients
/// are left as they are.
///
/// # Errors
/// If the device cannot be read.
pub(in super::super) fn clip<M: Module>(
    model: &M,
    gradients: GradientsParams,
    limit: f64,
) -> Result<(GradientsParams, f64), TensorReadError> {
    let mut norm = Norm {
        gradients: &gradients,
        squares: Vec::new(),
        seen: HashSet::new(),
    };
    model.visit(&mut norm);
    let squares = norm.squares;
    if squares.is_empty() {
        return Ok((gradients, 0.0));
    }
    let squares = Tensor::cat(squares, 0).try_into_vec_as::<f64>()?;
    let norm = squares.iter().sum::<f64>().sqrt();
    let factor = limit / (norm + 1e-6);
    if !norm.is_finite() || factor >= 1.0 {
        return Ok((gradients, norm));
    }
    let mut scale = Scale { gradients, factor };
    model.visit(&mut scale);
    Ok((scale.gradients, norm))
}

/// Collects the squared norm of each gradient.
struct Norm<'a> {
    gradients: &'a GradientsParams,
    squares: Vec<Tensor<1>>,
    seen: HashSet<ParamId>,
}

impl ModuleVisitor for Norm<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        // A parameter that occurs twice in the model has one gradient.
        if let Some(gradient) = self.gradients.get::<D>(param.id)
            && self.seen.insert(param.id)
        {
            // Row by row: flex sums millions of numbers at once in an order that varies.
            let rows = gradient.square().sum_dim(D - 1);
            self.squares.push(rows.sum().cast(burn::tensor::DType::F32));
        }
    }
}

struct Scale {
    gradients: GradientsParams,
    factor: f64,
}

impl ModuleVisitor for Scale {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            self.gradients
                .register(param.id, gradient.mul_scalar(self.factor));
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::{Linear, LinearConfig};

    use super::*;

    fn gradients(model: &Linear, scale: f64) -> GradientsParams {
        let device = model.weight.device();
        let input = Tensor::<2>::from_floats([[3.0, 0.0], [0.0, 4.0]], &device) * scale;
        GradientsParams::from_grads(model.forward(input).sum().backward(), model)
    }

    fn values(model: &Linear, gradients: &GradientsParams) -> Vec<f64> {
        let weight = gradients.get::<2>(model.weight.id).unwrap().into_data();
        let bias = gradients.get::<1>(model.bias.as_ref().unwrap().id).unwrap();
        let bias = bias.into_data();
        weight.iter::<f64>().chain(bias.iter::<f64>()).collect()
    }

    #[test]
    fn the_norm_is_that_of_all_parameters_and_the_direction_stays() {
        // The weight has the gradients 3, 4 and the bias 2: ‖g‖ = √29.
        let model = LinearConfig::new(2, 1).init(&Device::flex().autodiff());
        let expected = [3.0, 4.0, 2.0];
        let (kept, norm) = clip(&model, gradients(&model, 1.0), 6.0).unwrap();
        assert!((norm - 29f64.sqrt()).abs() < 1e-6, "{norm}");
        assert_eq!(values(&model, &kept), expected);

        let (clipped, norm) = clip(&model, gradients(&model, 1.0), 0.5).unwrap();
        assert!((norm - 29f64.sqrt()).abs() < 1e-6, "{norm}");
        for (found, expected) in values(&model, &clipped).iter().zip(expected) {
            let expected = expected * 0.5 / (29f64.sqrt() + 1e-6);
            assert!(
                (found - expected).abs() < 1e-6,
                "{found} instead of {expected}"
            );
        }
    }

    #[test]
    fn gradients_that_are_not_finite_stay_so() {
        let model = LinearConfig::new(2, 1).init(&Device::flex().autodiff());
        let (kept, norm) = clip(&model, gradients(&model, f64::INFINITY), 1.0).unwrap();
        assert!(!norm.is_finite());
        assert!(values(&model, &kept).iter().any(|value| !value.is_finite()));
    }
}
