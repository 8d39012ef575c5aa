//! The gradients of all processes, added up.

use std::collections::HashSet;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::prelude::*;
use burn::tensor::{TensorReadError, Transaction};

use super::error::StepError;
use crate::world::World;

/// Whether there is a gradient of each parameter of a model, in the order of its parameters. A
/// parameter that occurs twice counts once.
pub(super) fn present<M: Module>(model: &M, gradients: &GradientsParams) -> Vec<bool> {
    struct Present<'a>(&'a GradientsParams, HashSet<ParamId>, Vec<bool>);
    impl ModuleVisitor for Present<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if self.1.insert(param.id) {
                self.2.push(self.0.get::<D>(param.id).is_some());
            }
        }
    }
    let mut visitor = Present(gradients, HashSet::new(), Vec::new());
    model.visit(&mut visitor);
    visitor.2
}

/// The sum of the gradients of all processes, in the order of ranks: the same bits in each of them,
/// on `device`.
///
/// The gradients are read, added up on the host in f32, and written back. A process sends and
/// receives each number twice, whatever the number of processes.
///
/// # Arguments
/// - `present`: whether any process has a gradient of each parameter, in the order of
///   [`present`]; a process without one counts as zero
///
/// # Errors
/// If the device cannot be read, or a process has ended.
pub(super) fn sum<M: Module>(
    world: &World,
    model: &M,
    gradients: GradientsParams,
    present: &[bool],
    device: &Device,
) -> Result<GradientsParams, StepError> {
    let mut collected = Collect {
        gradients,
        present: present.iter(),
        seen: HashSet::new(),
        sizes: Vec::new(),
        transaction: Transaction::default(),
    };
    model.visit(&mut collected);
    let Collect {
        sizes, transaction, ..
    } = collected;
    let read = transaction.try_execute().map_err(TensorReadError::from)?;
    let mut read = read.into_iter();
    let mut values = Vec::with_capacity(sizes.iter().map(|(size, _)| size).sum());
    for (size, is_here) in sizes {
        match is_here {
            true => values.extend(read.next().expect("every gradient is read").iter::<f32>()),
            false => values.extend(std::iter::repeat_n(0.0, size)),
        }
    }
    world.sum(&mut values)?;
    let mut spread = Spread {
        values: &values,
        present: present.iter(),
        seen: HashSet::new(),
        device: device.clone().without_autodiff(),
        gradients: GradientsParams::new(),
    };
    model.visit(&mut spread);
    Ok(spread.gradients)
}

/// Collects the gradients of the parameters that are present anywhere.
struct Collect<'a> {
    gradients: GradientsParams,
    present: std::slice::Iter<'a, bool>,
    seen: HashSet<ParamId>,
    /// Size of each parameter, and whether its gradient is here.
    sizes: Vec<(usize, bool)>,
    transaction: Transaction,
}

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !self.seen.insert(param.id) || self.present.next() != Some(&true) {
            return;
        }
        let gradient = self.gradients.remove::<D>(param.id);
        let size = param.val().shape().num_elements();
        self.sizes.push((size, gradient.is_some()));
        if let Some(gradient) = gradient {
            let transaction = std::mem::take(&mut self.transaction);
            self.transaction = transaction.register(gradient.without_autodiff());
        }
    }
}

/// Makes gradients of the values of all parameters that are present anywhere.
struct Spread<'a> {
    values: &'a [f32],
    present: std::slice::Iter<'a, bool>,
    seen: HashSet<ParamId>,
    device: Device,
    gradients: GradientsParams,
}

impl ModuleVisitor for Spread<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !self.seen.insert(param.id) || self.present.next() != Some(&true) {
            return;
        }
        let param_value = param.val();
        let (shape, dtype) = (param_value.shape(), param_value.dtype());
        let (own, rest) = self.values.split_at(shape.num_elements());
        self.values = rest;
        let data = TensorData::new(own.to_vec(), shape);
        let gradient = Tensor::<D>::from_data(data, (&self.device, dtype));
        self.gradients.register(param.id, gradient);
    }
}
