//! Whether the processes of a run still have the same model.

use burn::module::{Module, ModuleVisitor, Param};
use burn::prelude::*;
use burn::tensor::TensorReadError;

use super::Training;
use crate::experiment::ExperimentError;
use crate::experiment::snapshot::sha256;
use crate::task::TaskModel;

impl<M: TaskModel> Training<'_, M> {
    /// Checks that all processes have the same parameters, bit by bit. They have as long as the same
    /// program rounds alike on all machines.
    ///
    /// # Errors
    /// If a parameter differs, the device cannot be read, or a process has failed.
    pub(super) fn check_parameters(&self) -> Result<(), ExperimentError> {
        let world = &self.run.world;
        if world.size() > 1 {
            let digest = digest(self.model().inner())?;
            world.check_same("parameters", digest.as_bytes())?;
        }
        Ok(())
    }
}

/// SHA-256 of the parameters of a model.
fn digest<M: Module>(model: &M) -> Result<String, TensorReadError> {
    struct Feed<'a>(&'a mut dyn FnMut(&[u8]), Result<(), TensorReadError>);
    impl ModuleVisitor for Feed<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            match param.val().try_into_data() {
                Ok(data) => (self.0)(data.as_bytes()),
                Err(error) => self.1 = Err(error.into()),
            }
        }
    }
    let mut read = Ok(());
    let digest = sha256(|sink| {
        let mut feed = Feed(sink, Ok(()));
        model.visit(&mut feed);
        read = feed.1;
    });
    read.map(|()| digest)
}

#[cfg(test)]
mod tests {
    use burn::nn::LinearConfig;

    use super::*;

    #[test]
    fn one_bit_of_one_parameter_makes_another_digest() {
        let device = Device::default();
        let model = LinearConfig::new(2, 3).init(&device);
        let mut other = model.clone();
        assert_eq!(digest(&model).unwrap(), digest(&other).unwrap());
        let bias = other.bias.take().unwrap().val().into_data();
        let values = bias.iter::<f32>();
        let values = values.map(|value| f32::from_bits(value.to_bits() ^ 1));
        let values = TensorData::new(values.collect::<Vec<_>>(), [3]);
        other.bias = Some(Param::from_data(values, &device));
        assert_ne!(digest(&model).unwrap(), digest(&other).unwrap());
    }
}
