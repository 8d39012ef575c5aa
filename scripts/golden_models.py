#!/usr/bin/env python3
"""Creates the checkpoints and the expected values for the tests of isostar-models.

    python scripts/golden_models.py                      tiny random checkpoints -> isostar-models/tests/fixtures/
    python scripts/golden_models.py MINILM RXNMAPPER     also the hidden states of pretrained models for three texts each

MINILM is the folder of all-MiniLM-L6-v2, RXNMAPPER the output of rxnmapper_albert.py. Requires torch, transformers, tokenizers
and safetensors, whose versions are recorded in the metadata of each file of expected values.

The expected values are the hidden states (state.0 is the embedding output), the logits, the loss and the gradients of the loss,
with transformers' names. The model is read from its folder in f32, with dropout disabled.
"""

import shutil
import sys
import tempfile
import zlib
from pathlib import Path

import safetensors
import tokenizers
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import models, pre_tokenizers, processors
from transformers import AutoConfig, AutoModel, AutoModelForQuestionAnswering, AutoModelForSequenceClassification

import fold_minilm

FIXTURES = Path(__file__).parent.parent / "isostar-models" / "tests" / "fixtures"

POSITIONS, VOCABULARY = 12, 41
# Weights are larger than in practice, so that every part affects the result.
TINY = dict(vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, initializer_range=0.3)
ROBERTA = dict(max_position_embeddings=POSITIONS + 2, intermediate_size=23, layer_norm_eps=1e-3, type_vocab_size=1)
ARCHITECTURES = {
    "bert": dict(max_position_embeddings=POSITIONS, intermediate_size=23, layer_norm_eps=1e-3),
    "roberta": ROBERTA,
    "distilbert": dict(max_position_embeddings=POSITIONS, hidden_dim=23),
    "albert": dict(max_position_embeddings=POSITIONS, intermediate_size=23, layer_norm_eps=1e-3, embedding_size=12),
    "gpt2": dict(max_position_embeddings=POSITIONS, n_inner=23, layer_norm_epsilon=1e-3, bos_token_id=40, eos_token_id=40),
}
# Model types with the architecture of another type. One classifier each tests that they are read.
SAME = {"xlm-roberta": ROBERTA}
# None of these ids is the padding token of any architecture.
SEQUENCES = [[5, 11, 40, 38, 7, 30, 6], [5, 39, 9, 6], [5]]
LENGTH = max(map(len, SEQUENCES))
NAMES = {0: "cold", 1: "mild", 2: "hot"}
HEADS = {
    "classes": (dict(id2label=NAMES, label2id={name: id for id, name in NAMES.items()}), dict(labels=[2, 0, 1])),
    "regression": (dict(num_labels=1), dict(labels=[0.5, -1.25, 2.0])),
    "multi_label": (
        dict(num_labels=3, problem_type="multi_label_classification"),
        dict(labels=[[1.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]]),
    ),
    # A start beyond the last token is ignored by the loss.
    "span": ({}, dict(start_positions=[LENGTH, 1, 0], end_positions=[5, 2, 0])),
}
STORED_AS = dict(start_positions="starts", end_positions="ends")

REVIEWS = ["The food was great and the service even better.", "Rain.", "Hidden states fill only a few of their directions."]
REACTIONS = ["C C = O . N >> C C = N . O", "C", "N c 1 c c c c c 1"]


def configuration(architecture, settings):
    return AutoConfig.for_model(architecture, **{**TINY, **(ARCHITECTURES | SAME)[architecture], **settings})


def scatter(model):
    """Perturbs norms, biases and the embedding of the padding token: errors in their use would not be visible at 1 and 0."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter) * 0.2)
        for module in model.modules():
            if isinstance(module, torch.nn.Embedding) and module.padding_idx is not None:
                module.weight[module.padding_idx].normal_(std=TINY["initializer_range"])


def batch(config, left=False):
    pad = config.pad_token_id or 0
    gaps = [LENGTH - len(row) for row in SEQUENCES]
    pairs = [([pad] * gap, [0] * gap, row, [1] * len(row)) for gap, row in zip(gaps, SEQUENCES)]
    ids = [gap + row if left else row + gap for gap, _, row, _ in pairs]
    mask = [gap + row if left else row + gap for _, gap, _, row in pairs]
    types = torch.arange(len(SEQUENCES) * LENGTH).reshape(-1, LENGTH) % getattr(config, "type_vocab_size", 1)
    return dict(ids=torch.tensor(ids), type_ids=types, mask=torch.tensor(mask))


def forward(model, inputs, **targets):
    types = dict(token_type_ids=inputs["type_ids"]) if hasattr(model.config, "type_vocab_size") else {}
    return model(inputs["ids"], attention_mask=inputs["mask"], output_hidden_states=True, **types, **targets)


def states(output):
    return {f"state.{number}": state for number, state in enumerate(output.hidden_states)}


def write_tensors(path, tensors, metadata):
    save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, path, metadata)
    # The library creates files that only the owner can read.
    path.chmod(0o644)


def write_expected(path, tensors):
    packages = (torch, transformers, tokenizers, safetensors)
    # A single entry, because the library writes several entries in a random order.
    versions = ", ".join(f"{package.__name__} {package.__version__}" for package in packages)
    write_tensors(path, tensors, {"versions": versions})


def write_tokenizer(path, config):
    """Writes a tokenizer with the words w5, w6, … and with special tokens at the ids that the model needs."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    if config.model_type in ("roberta", "xlm-roberta"):
        special[1], special[config.pad_token_id] = special[config.pad_token_id], special[1]
        ends = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    elif config.model_type == "gpt2":
        special, ends = ["<pad>", "<unk>"], None
    else:
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        ends = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokens = special + [f"w{number}" for number in range(len(special), VOCABULARY)]
    unknown = next(token for token in special if "unk" in token.lower())
    tokenizer = tokenizers.Tokenizer(models.WordLevel({token: id for id, token in enumerate(tokens)}, unknown))
    tokenizer.add_special_tokens(special)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if ends:
        tokenizer.post_processor = ends
    tokenizer.save(str(path), pretty=False)


def save(name, kind, architecture, settings, dtype=torch.float32, edit=None, shards="5GB", **options):
    """Writes a random checkpoint. The weights depend only on its name, not on the other checkpoints."""
    torch.manual_seed(zlib.crc32(name.encode()))
    folder = FIXTURES / name
    shutil.rmtree(folder, ignore_errors=True)
    config = configuration(architecture, settings)
    model = kind.from_config(config, **options)
    scatter(model)
    model.to(dtype).save_pretrained(folder, max_shard_size=shards)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if edit:
        path = folder / "model.safetensors"
        write_tensors(path, edit(load_file(path)), {"format": "pt"})
    write_tokenizer(folder / "tokenizer.json", config)
    for path in folder.iterdir():
        path.chmod(0o644)
    return folder


def load(folder, kind=AutoModel, unused=(), **options):
    """Loads the model of a folder, and checks that it contains exactly the tensors of the model and those named by `unused`."""
    options = dict(dtype=torch.float32, attn_implementation="eager", output_loading_info=True) | options
    model, report = kind.from_pretrained(folder, **options)
    left = {key for keys in report.values() for key in keys if not any(part in key for part in unused)}
    assert not left, f"{folder}: {report}"
    return model.eval()


def head(architecture, name):
    """Writes a model for a task with its states, logits, loss and the gradients of all stored tensors."""
    settings, targets = HEADS[name]
    if architecture == "gpt2":
        settings = settings | dict(pad_token_id=0)
    if (architecture, name) == ("bert", "classes"):
        settings = settings | dict(note="kept")
    kind = AutoModelForQuestionAnswering if name == "span" else AutoModelForSequenceClassification
    folder = save(f"{architecture}_{name}", kind, architecture, settings)

    model = load(folder, kind)
    inputs = batch(model.config)
    targets = {name: torch.tensor(values) for name, values in targets.items()}
    output = forward(model, inputs, **targets)
    output.loss.backward()
    gradients = {f"gradient.{name}": parameter.grad for name, parameter in model.named_parameters()}
    assert set(gradients) == {f"gradient.{name}" for name in load_file(folder / "model.safetensors")}
    stored = {STORED_AS.get(name, name): values.reshape(-1, 3) for name, values in targets.items()}
    results = {name: output[name] for name in ("logits", "start_logits", "end_logits", "loss") if name in output}
    write_expected(folder / "expected.safetensors", inputs | stored | results | states(output) | gradients)


def switch(name, kind=AutoModel, dtype=torch.float32, edit=None, shards="5GB", unused=(), left=False, pooler=True, **settings):
    """Writes a variant of an architecture with its states and, for a classifier, its logits."""
    architecture = name.split("_")[0]
    options = {} if pooler else dict(add_pooling_layer=False)
    folder = save(name, kind, architecture, settings, dtype, edit, shards, **options)
    model = load(folder, kind, unused, **options)
    inputs = batch(model.config, left)
    output = forward(model, inputs)
    logits = dict(logits=output.logits) if kind is AutoModelForSequenceClassification else {}
    write_expected(folder / "expected.safetensors", inputs | logits | states(output))


def old_names(tensors):
    """The tensors as in the first BERT checkpoints: with TensorFlow's names for LayerNorm, and with position ids."""
    names = {name: name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta") for name in tensors}
    return {names[name]: tensor for name, tensor in tensors.items()} | {"embeddings.position_ids": torch.arange(POSITIONS)[None]}


def attention_buffers(tensors):
    """The tensors as in early GPT-2 checkpoints: with the causal mask of each layer and the value of masked scores."""
    causal = torch.ones(POSITIONS, POSITIONS, dtype=torch.uint8).tril()[None, None]
    for layer in range(TINY["num_hidden_layers"]):
        buffers = {"bias": causal.clone(), "masked_bias": torch.tensor(-1e4)}
        tensors |= {f"transformer.h.{layer}.attn.{name}": buffer for name, buffer in buffers.items()}
    return tensors


def switches():
    switch("bert_bare", pooler=False)
    # For variants that do not depend on the number of layers.
    one = dict(num_hidden_layers=1)
    switch("bert_half", dtype=torch.float16, edit=old_names, pooler=False, **one, hidden_act="gelu_new")
    switch("bert_bf16", dtype=torch.bfloat16, pooler=False, **one, hidden_act="silu")
    switch("bert_tanh", **one, hidden_act="gelu_pytorch_tanh")
    switch("bert_types", pooler=False, **one, hidden_act="relu", type_vocab_size=3)
    switch("bert_sharded", AutoModelForSequenceClassification, shards="8KB", num_labels=3)
    switch("roberta_types", pooler=False, **one, pad_token_id=3, type_vocab_size=2, max_position_embeddings=POSITIONS + 4)
    switch("roberta_masked", transformers.AutoModelForMaskedLM, **one)
    switch("distilbert_relu", **one, activation="relu")
    switch("distilbert_sinusoidal", **one, sinusoidal_pos_embds=True)
    switch("distilbert_masked", transformers.AutoModelForMaskedLM, **one)
    switch("albert_groups", num_hidden_layers=4, num_hidden_groups=2, inner_group_num=2, hidden_act="relu")
    switch("albert_pretraining", transformers.AutoModelForPreTraining)
    switch("gpt2_scaled", scale_attn_by_inverse_layer_idx=True, n_inner=19, activation_function="relu")
    switch("gpt2_unscaled", **one, scale_attn_weights=False, activation_function="silu")
    switch("gpt2_lm", transformers.AutoModelForCausalLM, **one, tie_word_embeddings=False, reorder_and_upcast_attn=True)
    switch("gpt2_left", left=True)
    switch("gpt2_buffers", transformers.AutoModelForCausalLM, edit=attention_buffers, unused=["attn.masked_bias"])


def activations():
    """Writes the output of each activation for the same inputs."""
    inputs = torch.linspace(-6, 6, 49)
    names = ("gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "silu")
    outputs = {name: transformers.activations.ACT2FN[name](inputs) for name in names}
    write_expected(FIXTURES / "activations.safetensors", dict(inputs=inputs) | outputs)


def real(name, folder, texts, unused=()):
    """Writes the hidden states of a pretrained model, with every 16th entry of each vector."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    encoded = tokenizer(texts, padding=True, return_tensors="pt", return_token_type_ids=True)
    inputs = dict(ids=encoded["input_ids"], type_ids=encoded["token_type_ids"], mask=encoded["attention_mask"])
    output = forward(load(folder, unused=unused), inputs)
    sampled = {name: state[:, :, ::16] for name, state in states(output).items()}
    write_expected(FIXTURES / f"{name}.safetensors", inputs | sampled)


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for architecture in ARCHITECTURES:
        for name in HEADS:
            head(architecture, name)
    for architecture in SAME:
        head(architecture, "classes")
    switches()
    activations()
    if sys.argv[1:]:
        minilm, rxnmapper = sys.argv[1:]
        real("minilm", minilm, REVIEWS)
        with tempfile.TemporaryDirectory() as folds:
            fold_minilm.main(minilm, folds)
            real("minilm_distilbert", f"{folds}/distilbert", REVIEWS)
            real("minilm_roberta", f"{folds}/roberta", REVIEWS)
        real("rxnmapper_albert", rxnmapper, REACTIONS, unused=["predictions."])
