//! `isostar models`: what can be read.

use clap::Args;
use isostar_models::MODELS;
use serde::Serialize;

use crate::failure::Failure;
use crate::measure::print;

/// Arguments of `isostar models`.
#[derive(Args)]
pub struct ModelsArgs {
    /// Print one JSON object per model, one per line
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line {
    model_type: &'static str,
    name: &'static str,
    classes: Vec<String>,
    example: &'static str,
}

/// Lists the supported architectures.
pub fn run(arguments: ModelsArgs) -> Result<(), Failure> {
    let mut text = String::new();
    if !arguments.json {
        text += &format!("{:<12} {:<12} {}\n", "model_type", "name", "for instance");
    }
    for model in MODELS {
        let (model_type, name, example) = (model.model_type, model.name, model.example);
        text += &match arguments.json {
            true => {
                let line = Line {
                    model_type,
                    name,
                    classes: model.classes().collect(),
                    example,
                };
                serde_json::to_string(&line).expect("a line is text")
            }
            false => format!("{model_type:<12} {name:<12} {example}"),
        };
        text.push('\n');
    }
    if !arguments.json {
        text += "\nA model is a folder with config.json, model.safetensors (or shards with an index) and tokenizer.json, which\n";
        text += "embed --ids does not need";
        text += if cfg!(feature = "hub") {
            "; or the name of one on the hub"
        } else {
            ""
        };
        text += ". Each is read and written with the heads of\n";
        text += "transformers' …Model, …ForSequenceClassification and …ForQuestionAnswering.\n";
    }
    print(&text)
}
