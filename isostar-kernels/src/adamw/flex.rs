//! The update on flex, in one pass: the register of one update, and its chunks on all threads.

use burn::backend::flex::FlexTensor;
use burn::backend::{BackendTensor, DispatchAutodiffContext, DispatchTensor, DispatchTensorKind};
use burn::prelude::*;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::update::{AdamWUpdate, Constants};

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
        parameters
            .zip(g.par_chunks(CHUNK))
            .zip(moments)
            .for_each(|(((p, from), g), (m, v))| {
                self.chunk(p.write_copy_of_slice(from), g, m, v);
            });
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
