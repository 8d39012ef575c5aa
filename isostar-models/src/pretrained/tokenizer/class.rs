//! The tokenizer classes of transformers and their special tokens.

use tokenizers::Tokenizer;
use tokenizers::models::ModelWrapper;

use super::options::Options;
use crate::{ModelConfig, ModelError};

/// A tokenizer class of transformers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// `BertTokenizer`: WordPiece with BERT's normalizer.
    Bert,
    /// `RobertaTokenizer`: BPE of bytes between RoBERTa's special tokens.
    Roberta,
    /// `AlbertTokenizer`: unigrams with ALBERT's normalizer.
    Albert,
    /// `GPT2Tokenizer`: BPE of bytes.
    Gpt2,
    /// Any other class, which uses tokenizer.json as it is.
    Stored,
}

impl Class {
    /// The class that transformers chooses: that of tokenizer_config.json, else that of config.json, else that of the architecture.
    ///
    /// If the model of tokenizer.json does not match the class, the result is [`Class::Stored`].
    pub fn new(
        options: &Options,
        config: &ModelConfig,
        stored: &Tokenizer,
    ) -> Result<Self, ModelError> {
        const FIELD: &str = "tokenizer_class";
        let named: Option<String> = options.get::<Option<String>>(FIELD)?.flatten();
        let named = named.or_else(|| config.to_json()[FIELD].as_str().map(String::from));
        let class = match named {
            Some(name) => Self::from_name(&name),
            None => match config {
                ModelConfig::Bert(_) | ModelConfig::DistilBert(_) => Self::Bert,
                ModelConfig::Roberta(_) => Self::Roberta,
                ModelConfig::Albert(_) => Self::Albert,
                ModelConfig::Gpt2(_) => Self::Gpt2,
                // The tokenizer.json of XLM-RoBERTa contains everything that its class would build.
                ModelConfig::XlmRoberta(_) => Self::Stored,
            },
        };
        Ok(match (class, stored.get_model()) {
            (Self::Bert, ModelWrapper::WordPiece(_))
            | (Self::Roberta | Self::Gpt2, ModelWrapper::BPE(_))
            | (Self::Albert, ModelWrapper::Unigram(_)) => class,
            // In this case transformers builds a tokenizer of the wrong kind, which matches almost
            // no piece of the vocabulary.
            _ => Self::Stored,
        })
    }

    fn from_name(name: &str) -> Self {
        match name.strip_suffix("Fast").unwrap_or(name) {
            "BertTokenizer"
            | "DistilBertTokenizer"
            | "ElectraTokenizer"
            | "LayoutLMTokenizer"
            | "LxmertTokenizer"
            | "MobileBertTokenizer"
            | "SqueezeBertTokenizer" => Self::Bert,
            "RobertaTokenizer"
            | "BartTokenizer"
            | "LEDTokenizer"
            | "LongformerTokenizer"
            | "MvpTokenizer" => Self::Roberta,
            "AlbertTokenizer" => Self::Albert,
            "GPT2Tokenizer" => Self::Gpt2,
            _ => Self::Stored,
        }
    }

    /// The default special token for a role.
    pub fn token(self, role: &str) -> Option<&'static str> {
        Some(match (self, role) {
            (Self::Bert, "unk_token") => "[UNK]",
            (Self::Bert, "pad_token") => "[PAD]",
            (Self::Bert | Self::Albert, "sep_token") | (Self::Albert, "eos_token") => "[SEP]",
            (Self::Bert | Self::Albert, "cls_token") | (Self::Albert, "bos_token") => "[CLS]",
            (Self::Bert | Self::Albert, "mask_token") => "[MASK]",
            (Self::Roberta, "bos_token" | "cls_token") => "<s>",
            (Self::Roberta, "eos_token" | "sep_token") => "</s>",
            (Self::Roberta | Self::Albert, "unk_token") => "<unk>",
            (Self::Roberta | Self::Albert, "pad_token") => "<pad>",
            (Self::Roberta, "mask_token") => "<mask>",
            (Self::Gpt2, "bos_token" | "eos_token" | "unk_token") => "<|endoftext|>",
            _ => return None,
        })
    }
}
