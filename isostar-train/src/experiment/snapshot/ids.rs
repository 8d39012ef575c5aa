//! Numbering of parameters.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::prelude::*;

/// Numbers the parameters of a model in the order of their paths, from 1.
///
/// Burn draws the ids of parameters at random, and stores them with the parameters and with the
/// state of the optimizer. Numbered parameters make snapshots of equal runs equal byte by byte.
pub(in crate::experiment) fn number_parameters<M: Module>(model: M) -> M {
    model.map(&mut Numbers::default())
}

#[derive(Default)]
struct Numbers {
    of: HashMap<ParamId, u64>,
}

impl ModuleMapper for Numbers {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        // A parameter that occurs twice keeps one id.
        let next = self.of.len() as u64 + 1;
        let number = *self.of.entry(id).or_insert(next);
        Param::from_mapped_value(ParamId::from(number), tensor, mapper)
    }
}
