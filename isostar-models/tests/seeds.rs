//! Weights drawn from a seed. A test binary of its own, because tests of one binary share the generator of a device.

mod common;

use burn::prelude::*;
use common::{relative_difference, values};
use isostar_models::{BertConfig, ModelConfig, PretrainedModel, SequenceClassifier, TokenBatch};

#[test]
fn a_seed_gives_the_same_weights_on_every_device() {
    #[allow(deprecated, reason = "a second device, wherever the tests run")]
    let devices = [Device::flex(), Device::ndarray()];
    let sizes = BertConfig {
        vocab_size: 300,
        hidden_size: 64,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        ..BertConfig::default()
    };
    let config = ModelConfig::Bert(BertConfig {
        intermediate_size: 128,
        ..sizes
    });
    let models = devices.map(|device| {
        device.seed(5);
        Device::flex().seed(5);
        let model = SequenceClassifier::new(&config, &device).unwrap();
        let ids = Tensor::<2, Int>::from_ints([[5, 6, 7], [8, 9, 1]], &device);
        let mask = ids.clone().greater_elem(0);
        let batch = TokenBatch {
            type_ids: ids.zeros_like(),
            ids,
            mask,
        };
        values(model.forward(batch).0)
    });
    assert!(relative_difference(&models[0], &models[1]) < 1e-5);
}
