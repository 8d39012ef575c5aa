//! `isostar embed`: the hidden states of every layer, in a file.

use std::path::PathBuf;

use burn::tensor::Device;
use clap::Args;
use isostar_core::{ConfigError, LayerSelection};
use isostar_models::{Checkpoint, Encoder, Pretrained};
use isostar_train::device::{default_device_name, parse_device};
use isostar_train::embed::{EmbedError, Sequences, embed};
use isostar_train::model::{find_model, find_weights};
use tokenizers::Tokenizer;

use crate::console::Console;
use crate::failure::Failure;
use crate::measure::{print, progress_bar};

/// Write the hidden states of every layer to a .safetensors file.
///
/// One tensor per layer, layer.0 (the embedding output) to layer.L, each [sequences, tokens, d] in f32, and mask [sequences, tokens], true at tokens. Sequences
/// keep their order and are padded to the longest; states at padding are 0. The file appears whole or not at all.
#[derive(Args)]
pub struct EmbedArgs {
    /// Folder of a model, or its name on the hub: organisation/name or organisation/name@revision
    #[arg(value_name = "DIR|ID")]
    model: String,
    #[command(flatten)]
    input: Input,
    /// Layers: all (including the embedding output), last, or numbers such as 0,3,12
    #[arg(long, default_value = "all", value_parser = layers)]
    layers: LayerSelection,
    /// Cut texts to this many tokens; reject longer sequences of ids (default: the model's positions)
    #[arg(long, value_name = "N")]
    max_length: Option<usize>,
    /// Sequences per batch
    #[arg(long, value_name = "N", default_value_t = 32)]
    batch_size: usize,
    /// Device: flex, ndarray, wgpu, cuda or cuda:I
    #[arg(long, default_value = default_device_name())]
    device: String,
    /// File to write
    #[arg(long, value_name = "FILE.safetensors")]
    out: PathBuf,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Input {
    /// File with one text per line; an empty line is an empty text
    #[arg(long, value_name = "FILE")]
    texts: Option<PathBuf>,
    /// File with one JSON array of token ids per line, including special tokens; the model needs no tokenizer
    #[arg(long, value_name = "FILE.jsonl")]
    ids: Option<PathBuf>,
}

/// Parses the layers to write. Selections that differ only in a penalty are refused.
fn layers(text: &str) -> Result<LayerSelection, String> {
    let selection: LayerSelection = text
        .parse()
        .map_err(|error: ConfigError| error.to_string())?;
    match selection {
        LayerSelection::Each | LayerSelection::Weighted(_) => {
            Err("layers are written without weights: all, last, or numbers such as 0,3,12".into())
        }
        selection => Ok(selection),
    }
}

/// Runs the command.
pub fn run(arguments: EmbedArgs) -> Result<(), Failure> {
    if arguments.batch_size == 0 {
        return Err(EmbedError::BatchSize.into());
    }
    let device = parse_device(&arguments.device)?;
    let (checkpoint, tokenizer) = read_model(&arguments, &device)?;
    let sizes = checkpoint.config.sizes();

    let layers = match &arguments.layers {
        LayerSelection::All => (0..=sizes.layers).collect(),
        selection => selection.indices(sizes.layers)?,
    };
    let positions = sizes.positions;
    let max_length = match arguments.max_length {
        Some(max_length) if max_length > positions => {
            return Err(EmbedError::MaxLength {
                max_length,
                positions,
            }
            .into());
        }
        Some(max_length) => max_length,
        None => positions,
    };
    let sequences = match (&arguments.input.texts, tokenizer, &arguments.input.ids) {
        (Some(texts), Some(tokenizer), _) => Sequences::from_texts(texts, tokenizer, max_length)?,
        (None, None, Some(ids)) => Sequences::from_ids(ids, sizes.vocabulary, max_length)?,
        _ => unreachable!("clap requires one of the two, and texts come with a tokenizer"),
    };

    let bar = progress_bar("tokens", sequences.tokens());
    embed(
        &checkpoint,
        &sequences,
        &layers,
        arguments.batch_size,
        &arguments.out,
        &|tokens| bar.inc(tokens as u64),
    )?;
    bar.finish_and_clear();
    print(&format!(
        "{}: {} of {} sequences, {} tokens, padded to {}; width {}\n",
        arguments.out.display(),
        if layers.len() == 1 {
            "one layer".into()
        } else {
            format!("{} layers", layers.len())
        },
        sequences.len(),
        sequences.tokens(),
        sequences.longest(),
        sizes.width
    ))
}

/// The model, with its tokenizer where there are texts.
fn read_model(
    arguments: &EmbedArgs,
    device: &Device,
) -> Result<(Checkpoint<Encoder>, Option<Tokenizer>), Failure> {
    let console = Console::new(false);
    let (checkpoint, tokenizer) = match arguments.input.ids {
        Some(_) => (
            Checkpoint::read(find_weights(&arguments.model, &console)?, device)?,
            None,
        ),
        None => {
            let (checkpoint, tokenizer) =
                Pretrained::read(find_model(&arguments.model, &console)?, device)?.into_parts();
            (checkpoint, Some(tokenizer))
        }
    };
    console.lines(checkpoint.notes());
    Ok((checkpoint, tokenizer))
}
