//! The update of AdamW.
//!
//! # Upstream
//! No issue is filed with Burn for an AdamW in one pass. burn-optim 0.22.1 composes it of fifteen
//! operations, each of them a pass over memory on one thread of flex.

use burn::prelude::*;

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

/// Updates a parameter and the moments of its gradient by AdamW (Loshchilov and Hutter, 2019,
/// arXiv:1711.05101).
///
/// ```text
///   m ← β₁·m + (1 − β₁)·g
///   v ← β₂·v + (1 − β₂)·g²
///   p ← (1 − η·λ)·p − η · m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε)
/// ```
///
/// Returns p and `[m, v]`. Without `moments`, m = v = 0. ε is added to the root of the corrected
/// moment, as in PyTorch.
///
/// Replaces `burn::optim::AdamW`, which passes over memory fifteen times on one thread of flex. On
/// flex and in f32 there is one pass on all threads, which writes into the tensors' own memory
/// where nothing else holds them; it rounds as the composition does, to the same bits. Elsewhere,
/// it is the composition.
///
/// # Shapes
/// - `parameter`, `gradient` and the moments: equal, of any rank
///
/// # Panics
/// If the shapes differ.
pub fn adamw<const D: usize>(
    update: &AdamWUpdate,
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    moments: Option<[Tensor<D>; 2]>,
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let [first, second] = moments.unwrap_or_else(|| [gradient.zeros_like(), gradient.zeros_like()]);
    for tensor in [&gradient, &first, &second] {
        assert_eq!(
            tensor.dims(),
            parameter.dims(),
            "adamw: a parameter, its gradient and its moments have one shape"
        );
    }
    #[cfg(feature = "flex")]
    if !crate::composed::is_composed()
        && [&parameter, &gradient, &first, &second]
            .into_iter()
            .all(crate::flex::holds)
    {
        return flex::adamw(update, parameter, gradient, [first, second]);
    }
    composition(update, parameter, gradient, [first, second])
}

fn composition<const D: usize>(
    update: &AdamWUpdate,
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    [first, second]: [Tensor<D>; 2],
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let numbers = Constants::new(update);
    let first = first * update.beta_1 + gradient.clone() * numbers.new_first;
    let second = second * update.beta_2 + gradient.square() * numbers.new_second;
    let change = (first.clone() / numbers.correction_1)
        / ((second.clone() / numbers.correction_2).sqrt() + update.epsilon);
    (
        parameter * numbers.kept - change * numbers.rate,
        [first, second],
    )
}

/// The numbers of an update, in f32 as Burn rounds them.
#[derive(Clone, Copy)]
struct Constants {
    /// 1 − η·λ
    kept: f32,
    /// η
    rate: f32,
    /// 1 − β₁
    new_first: f32,
    /// 1 − β₂
    new_second: f32,
    /// 1 − β₁ᵗ
    correction_1: f32,
    /// 1 − β₂ᵗ
    correction_2: f32,
}

impl Constants {
    fn new(update: &AdamWUpdate) -> Self {
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

#[cfg(feature = "flex")]
mod flex {
    use burn::backend::flex::FlexTensor;
    use burn::backend::{
        BackendTensor, DispatchAutodiffContext, DispatchTensor, DispatchTensorKind,
    };
    use burn::prelude::*;
    use pulp::{Simd, WithSimd};
    use rayon::prelude::*;

    use super::{AdamWUpdate, Constants};

    /// Numbers of each tensor that a thread updates at once; four chunks fit its cache.
    const CHUNK: usize = 1 << 14;

    pub(super) fn adamw<const D: usize>(
        update: &AdamWUpdate,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        moments: [Tensor<D>; 2],
    ) -> (Tensor<D>, [Tensor<D>; 2]) {
        let [mut parameter, gradient] = [parameter, gradient].map(primitive);
        let [mut first, mut second] = moments.map(primitive);
        let work = Work {
            update: *update,
            constants: Constants::new(update),
            arch: pulp::Arch::new(),
        };
        let [m, v] = [&mut first, &mut second].map(|tensor| tensor.storage_mut::<f32>());
        let g = gradient.storage::<f32>();
        if let Some(p) = parameter.try_storage_mut::<f32>() {
            work.in_place(p, g, m, v);
        } else {
            let updated = work.in_copy(parameter.storage(), g, m, v);
            parameter =
                FlexTensor::from_data(TensorData::new(updated, parameter.layout().shape().clone()));
        }
        (tensor(parameter), [tensor(first), tensor(second)])
    }

    /// The tensor's primitive, with its numbers in the order of its shape.
    fn primitive<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
        match tensor.without_autodiff().into_dispatch().kind {
            DispatchTensorKind::Flex(BackendTensor::Float(tensor)) => {
                let whole = tensor
                    .as_slice::<f32>()
                    .is_some_and(|numbers| size_of_val(numbers) == tensor.bytes().len());
                if whole {
                    tensor
                } else {
                    tensor.to_contiguous()
                }
            }
            _ => unreachable!("the tensor is a float tensor on flex"),
        }
    }

    fn tensor<const D: usize>(primitive: FlexTensor) -> Tensor<D> {
        let kind = DispatchTensorKind::Flex(BackendTensor::Float(primitive));
        Tensor::from_dispatch(DispatchTensor {
            kind,
            autodiff: DispatchAutodiffContext::Disabled,
        })
    }

    #[derive(Clone, Copy)]
    struct Work {
        update: AdamWUpdate,
        constants: Constants,
        arch: pulp::Arch,
    }

    impl Work {
        fn in_place(self, p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32]) {
            if p.len() <= CHUNK {
                return self.chunk(p, g, m, v);
            }
            let moments = m.par_chunks_mut(CHUNK).zip(v.par_chunks_mut(CHUNK));
            p.par_chunks_mut(CHUNK)
                .zip(g.par_chunks(CHUNK))
                .zip(moments)
                .for_each(|((p, g), (m, v))| self.chunk(p, g, m, v));
        }

        /// Returns the updated parameter, whose numbers before the update are `from`.
        fn in_copy(self, from: &[f32], g: &[f32], m: &mut [f32], v: &mut [f32]) -> Vec<f32> {
            if from.len() <= CHUNK {
                let mut p = from.to_vec();
                self.chunk(&mut p, g, m, v);
                return p;
            }
            let mut updated = Vec::with_capacity(from.len());
            let moments = m.par_chunks_mut(CHUNK).zip(v.par_chunks_mut(CHUNK));
            let parameters = updated.spare_capacity_mut()[..from.len()]
                .par_chunks_mut(CHUNK)
                .zip(from.par_chunks(CHUNK));
            parameters.zip(g.par_chunks(CHUNK)).zip(moments).for_each(
                |(((p, from), g), (m, v))| {
                    self.chunk(p.write_copy_of_slice(from), g, m, v);
                },
            );
            // SAFETY: the chunks cover these numbers, and each of them was written.
            unsafe { updated.set_len(from.len()) };
            updated
        }

        fn chunk(self, p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32]) {
            self.arch.dispatch(Chunk {
                work: self,
                p,
                g,
                m,
                v,
            });
        }
    }

    struct Chunk<'a> {
        work: Work,
        p: &'a mut [f32],
        g: &'a [f32],
        m: &'a mut [f32],
        v: &'a mut [f32],
    }

    impl WithSimd for Chunk<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Self {
                work: Work {
                    update, constants, ..
                },
                p,
                g,
                m,
                v,
            } = self;
            let [(p, p_rest), (m, m_rest), (v, v_rest)] = [p, m, v].map(S::as_mut_simd_f32s);
            let (g, g_rest) = S::as_simd_f32s(g);
            let numbers = [
                update.beta_1,
                constants.new_first,
                update.beta_2,
                constants.new_second,
                constants.correction_1,
                constants.correction_2,
                update.epsilon,
                constants.rate,
                constants.kept,
            ];
            let wide = numbers.map(|number| simd.splat_f32s(number));
            for (((p, g), m), v) in p.iter_mut().zip(g).zip(m).zip(v) {
                updated(simd, wide, p, *g, m, v);
            }
            let scalar = pulp::Scalar;
            for (((p, g), m), v) in p_rest.iter_mut().zip(g_rest).zip(m_rest).zip(v_rest) {
                updated(scalar, numbers, p, *g, m, v);
            }
        }
    }

    /// The update of one register's numbers. Multiplications and additions are not fused, so that
    /// every machine rounds as the composition does.
    #[inline(always)]
    fn updated<S: Simd>(
        simd: S,
        numbers: [S::f32s; 9],
        p: &mut S::f32s,
        g: S::f32s,
        m: &mut S::f32s,
        v: &mut S::f32s,
    ) {
        let [
            beta_1,
            new_first,
            beta_2,
            new_second,
            correction_1,
            correction_2,
            epsilon,
            rate,
            kept,
        ] = numbers;
        let times = |one, other| simd.mul_f32s(one, other);
        *m = simd.add_f32s(times(*m, beta_1), times(g, new_first));
        *v = simd.add_f32s(times(*v, beta_2), times(times(g, g), new_second));
        let root = simd.sqrt_f32s(simd.div_f32s(*v, correction_2));
        let change = simd.div_f32s(
            simd.div_f32s(*m, correction_1),
            simd.add_f32s(root, epsilon),
        );
        *p = simd.sub_f32s(times(*p, kept), times(change, rate));
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Distribution;

    use super::*;

    const UPDATE: AdamWUpdate = AdamWUpdate {
        rate: 1e-2,
        weight_decay: 0.1,
        beta_1: 0.9,
        beta_2: 0.999,
        epsilon: 1e-8,
        step: 1,
    };

    /// Below, at and above the numbers that a thread updates at once, and no multiples of a register.
    const SHAPES: [[usize; 2]; 6] = [[1, 1], [1, 15], [3, 7], [128, 128], [5, 3_277], [129, 513]];

    fn random(shape: [usize; 2]) -> Tensor<2> {
        Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex())
    }

    /// Five updates by `adamw`, each with the gradient of its number.
    fn steps(
        adamw: impl Fn(
            &AdamWUpdate,
            Tensor<2>,
            Tensor<2>,
            Option<[Tensor<2>; 2]>,
        ) -> (Tensor<2>, [Tensor<2>; 2]),
        parameter: &Tensor<2>,
        gradients: &[Tensor<2>],
    ) -> [TensorData; 3] {
        let (mut parameter, mut moments) = (parameter.clone(), None);
        for (at, gradient) in gradients.iter().enumerate() {
            let update = AdamWUpdate {
                step: at + 1,
                ..UPDATE
            };
            let (updated, new) = adamw(&update, parameter, gradient.clone(), moments);
            (parameter, moments) = (updated, Some(new));
        }
        let [first, second] = moments.expect("there was an update");
        [parameter, first, second].map(Tensor::into_data)
    }

    fn composed(
        update: &AdamWUpdate,
        parameter: Tensor<2>,
        gradient: Tensor<2>,
        moments: Option<[Tensor<2>; 2]>,
    ) -> (Tensor<2>, [Tensor<2>; 2]) {
        let moments = moments.unwrap_or_else(|| [gradient.zeros_like(), gradient.zeros_like()]);
        composition(update, parameter, gradient, moments)
    }

    #[test]
    fn numbers_are_those_of_the_composition_to_the_last_bit() {
        for shape in SHAPES {
            let gradients: Vec<_> = (0..5).map(|_| random(shape)).collect();
            let parameter = random(shape);
            assert_eq!(
                steps(adamw, &parameter, &gradients),
                steps(composed, &parameter, &gradients),
                "{shape:?}"
            );
        }
    }

    #[test]
    fn numbers_are_those_of_the_formula() {
        // In f64, with the settings as f32 rounds them.
        let [beta_1, beta_2, decay, epsilon] = [
            UPDATE.beta_1,
            UPDATE.beta_2,
            UPDATE.weight_decay,
            UPDATE.epsilon,
        ]
        .map(f64::from);
        let shape = [3, 7];
        let gradients: Vec<_> = (0..5).map(|_| random(shape)).collect();
        let parameter = random(shape);
        let [found, ..] =
            steps(adamw, &parameter, &gradients).map(|data| data.try_into_vec::<f32>().unwrap());
        let gradients: Vec<Vec<f32>> = gradients
            .into_iter()
            .map(|gradient| gradient.into_data().try_into_vec().unwrap())
            .collect();
        for (at, start) in parameter
            .into_data()
            .try_into_vec::<f32>()
            .unwrap()
            .into_iter()
            .enumerate()
        {
            let [mut p, mut m, mut v] = [f64::from(start), 0.0, 0.0];
            for (step, gradient) in (1..).zip(&gradients) {
                let g = f64::from(gradient[at]);
                m = beta_1 * m + (1.0 - beta_1) * g;
                v = beta_2 * v + (1.0 - beta_2) * g * g;
                let change = m
                    / (1.0 - beta_1.powi(step))
                    / ((v / (1.0 - beta_2.powi(step))).sqrt() + epsilon);
                p = (1.0 - UPDATE.rate * decay) * p - UPDATE.rate * change;
            }
            // The composition rounds 1 − β₂ᵗ in f32, which loses 5 of its 24 bits.
            assert!(
                (f64::from(found[at]) - p).abs() <= 2e-6 * p.abs().max(1.0),
                "{} and {p}",
                found[at]
            );
        }
    }

    #[test]
    fn the_number_of_threads_does_not_change_a_bit() {
        let shape = [129, 513];
        let gradients: Vec<_> = (0..3).map(|_| random(shape)).collect();
        let parameter = random(shape);
        let [one, two, seven] = [1, 2, 7].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| steps(adamw, &parameter, &gradients))
        });
        assert_eq!(one, two);
        assert_eq!(one, seven);
    }

    #[test]
    fn strided_tensors_are_updated_in_the_order_of_their_shape() {
        let [parameter, gradient] = [random([7, 5]), random([7, 5])];
        let plain =
            |tensor: &Tensor<2>| Tensor::from_data(tensor.clone().into_data(), &Device::flex());
        let strided = |tensor: &Tensor<2>| {
            Tensor::<2>::from_data(tensor.clone().transpose().into_data(), &Device::flex())
                .transpose()
        };
        let part = |tensor: &Tensor<2>| {
            Tensor::<2>::cat(vec![tensor.clone(), tensor.clone()], 0).slice([7..14, 0..5])
        };
        let expected = steps(adamw, &plain(&parameter), &[plain(&gradient)]);
        assert_eq!(
            steps(adamw, &strided(&parameter), &[plain(&gradient)]),
            expected
        );
        assert_eq!(
            steps(adamw, &plain(&parameter), &[strided(&gradient)]),
            expected
        );
        assert_eq!(
            steps(adamw, &part(&parameter), &[part(&gradient)]),
            expected
        );
    }

    #[test]
    fn tensors_that_are_held_elsewhere_keep_their_numbers() {
        for shape in [[3, 7], [129, 513]] {
            let tensors = [(); 4].map(|()| random(shape));
            let before = tensors.clone().map(|tensor| tensor.into_data());
            let [parameter, gradient, first, second] = tensors.clone();
            let second = second.square();
            let held = second.clone();
            let expected = held.to_data();
            adamw(&UPDATE, parameter, gradient, Some([first, second]));
            assert_eq!(tensors.map(Tensor::into_data), before);
            assert_eq!(held.into_data(), expected);
        }
    }

    #[test]
    fn a_parameter_that_nothing_else_holds_is_updated_in_place() {
        let parameter = random([129, 513]);
        let gradient = random([129, 513]);
        let address = |tensor: Tensor<2>| match tensor.into_dispatch().kind {
            burn::backend::DispatchTensorKind::Flex(burn::backend::BackendTensor::Float(
                tensor,
            )) => tensor.bytes().as_ptr(),
            _ => panic!("the tensor is on flex"),
        };
        let before = address(parameter.clone());
        let (parameter, _) = adamw(&UPDATE, parameter, gradient, None);
        assert_eq!(address(parameter), before);
    }

    #[test]
    #[should_panic(expected = "one shape")]
    fn different_shapes_panic() {
        adamw(&UPDATE, random([2, 3]), random([3, 2]), None);
    }

    #[test]
    fn numbers_in_f64_are_updated_too() {
        let shape = [9, 11];
        let gradients: Vec<_> = (0..3).map(|_| random(shape)).collect();
        let parameter = random(shape);
        let double = |tensor: &Tensor<2>| tensor.clone().cast(burn::tensor::DType::F64);
        let wide = steps(
            adamw,
            &double(&parameter),
            &gradients.iter().map(double).collect::<Vec<_>>(),
        );
        for (wide, found) in wide.into_iter().zip(steps(adamw, &parameter, &gradients)) {
            found.assert_approx_eq::<f32>(
                &wide.convert::<f32>(),
                burn::tensor::Tolerance::rel_abs(2e-6, 2e-6),
            );
        }
    }
}
