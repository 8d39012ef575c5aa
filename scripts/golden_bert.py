#!/usr/bin/env python3
"""Makes the checkpoints and the expected numbers that isostar-models is tested against.

    python scripts/golden_bert.py               tiny random checkpoints -> isostar-models/tests/fixtures/
    python scripts/golden_bert.py MODEL_FOLDER  and what all-MiniLM-L6-v2 in that folder makes of three texts

Needs torch, transformers, tokenizers and safetensors; the metadata of each file of expected numbers holds their versions.
"""

import sys
from pathlib import Path

import safetensors
import tokenizers
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForSequenceClassification, BertModel

FIXTURES = Path(__file__).parent.parent / "isostar-models" / "tests" / "fixtures"

TINY = dict(
    vocab_size=61,
    hidden_size=24,
    num_hidden_layers=3,
    num_attention_heads=4,
    intermediate_size=37,
    max_position_embeddings=16,
    type_vocab_size=2,
    # Larger than in practice, so that every part has a say in the result.
    initializer_range=0.3,
    layer_norm_eps=1e-3,
    attn_implementation="eager",
)
# Sequences of 7, 4 and 1 tokens, padded to 7; id 0 is padding.
IDS = [[2, 11, 45, 60, 7, 30, 3], [2, 59, 5, 3, 0, 0, 0], [2, 0, 0, 0, 0, 0, 0]]
TYPES = [[0, 0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0]]
LABELS = [2, 0, 1]
GRADIENTS = [
    "bert.embeddings.word_embeddings.weight",
    "bert.embeddings.position_embeddings.weight",
    "bert.embeddings.token_type_embeddings.weight",
    "bert.embeddings.LayerNorm.weight",
    "bert.encoder.layer.0.attention.self.query.weight",
    "bert.encoder.layer.1.attention.self.key.weight",
    "bert.encoder.layer.1.attention.self.value.bias",
    "bert.encoder.layer.1.attention.output.LayerNorm.bias",
    "bert.encoder.layer.2.intermediate.dense.weight",
    "bert.encoder.layer.2.output.dense.bias",
    "bert.pooler.dense.weight",
    "classifier.weight",
]


def versions():
    packages = (torch, transformers, tokenizers, safetensors)
    return {package.__name__: package.__version__ for package in packages}


def scatter_norms_and_biases(model):
    """Moves LayerNorms and biases off 1 and 0, where a mistake in their use would not show."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter) * 0.2)


def batch(ids, types):
    ids = torch.tensor(ids)
    return dict(input_ids=ids, token_type_ids=torch.tensor(types), attention_mask=(ids != 0).long())


def states(output):
    return {f"state.{number}": layer for number, layer in enumerate(output.hidden_states)}


def write_expected(path, tensors):
    tensors = {name: torch.as_tensor(values).detach().contiguous() for name, values in tensors.items()}
    write_tensors(path, tensors, versions())


def write_tensors(path, tensors, metadata):
    save_file(tensors, path, metadata)
    # The libraries make the files readable for their owner only.
    path.chmod(0o644)


def save(model, folder):
    model.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    write_tokenizer(folder)


def write_tokenizer(folder):
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4}
    vocabulary |= {f"w{number}": number for number in range(5, TINY["vocab_size"])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(folder / "tokenizer.json"))


def classifier():
    """With the prefix and a head of three labels: states, logits and gradients."""
    folder = FIXTURES / "classifier"
    labels = {0: "cold", 1: "mild", 2: "hot"}
    config = BertConfig(**TINY, id2label=labels, label2id={name: id for id, name in labels.items()}, note="kept")
    model = BertForSequenceClassification(config)
    scatter_norms_and_biases(model)
    model.eval()
    save(model, folder)

    output = model(**batch(IDS, TYPES), labels=torch.tensor(LABELS), output_hidden_states=True)
    output.loss.backward()
    parameters = dict(model.named_parameters())
    gradients = {f"gradient.{name}": parameters[name].grad for name in GRADIENTS}
    inputs = dict(ids=IDS, type_ids=TYPES, labels=LABELS)
    expected = inputs | states(output) | gradients | dict(logits=output.logits, loss=output.loss)
    write_expected(folder / "expected.safetensors", expected)


def encoder(name, half=False, old_names=False, **settings):
    """A bare encoder without the prefix and without a pooler, in f32 or f16, with new or old LayerNorm names."""
    folder = FIXTURES / name
    model = BertModel(BertConfig(**{**TINY, **settings}), add_pooling_layer=False)
    scatter_norms_and_biases(model)
    model.eval()
    if half:
        model.half()
    save(model, folder)
    if old_names:
        path = folder / "model.safetensors"
        renamed = {
            key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
            for key, value in load_file(path).items()
        }
        renamed["embeddings.position_ids"] = torch.arange(TINY["max_position_embeddings"])[None]
        write_tensors(path, renamed, {"format": "pt"})
    # The numbers of the stored weights, computed in f32.
    output = model.float()(**batch(IDS, TYPES), output_hidden_states=True)
    write_expected(folder / "expected.safetensors", dict(ids=IDS, type_ids=TYPES) | states(output))


def activations():
    """What each activation makes of the same inputs."""
    inputs = torch.linspace(-6, 6, 49)
    outputs = {name: transformers.activations.ACT2FN[name](inputs) for name in ("gelu", "gelu_new", "relu", "silu")}
    write_expected(FIXTURES / "activations.safetensors", dict(inputs=inputs) | outputs)


def real(folder):
    """Every state of a real model; of each vector, every 16th number."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = BertModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    texts = ["The food was great and the service even better.", "Rain.", "Hidden states fill only a few of their directions."]
    encoded = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        output = model(**encoded, output_hidden_states=True)
    sampled = {name: state[:, :, ::16] for name, state in states(output).items()}
    inputs = dict(ids=encoded["input_ids"], type_ids=encoded["token_type_ids"])
    write_expected(FIXTURES / "minilm.safetensors", inputs | sampled)


if __name__ == "__main__":
    torch.manual_seed(0)
    classifier()
    encoder("encoder")
    encoder("encoder_half", half=True, old_names=True, num_hidden_layers=1, hidden_act="gelu_new")
    activations()
    if sys.argv[1:]:
        real(sys.argv[1])
