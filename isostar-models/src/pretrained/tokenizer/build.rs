//! Building the tokenizer of a class from options and the vocabulary of tokenizer.json.

use tokenizers::Tokenizer;
use tokenizers::decoders::wordpiece::WordPiece as WordPieces;
use tokenizers::models::ModelWrapper;
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::{
    BertNormalizer, Lowercase, NFKD, NormalizerWrapper, Replace, Sequence as Normalizers,
    StripAccents,
};
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::whitespace::WhitespaceSplit;
use tokenizers::processors::PostProcessorWrapper;
use tokenizers::processors::roberta::RobertaProcessing;
use tokenizers::processors::template::TemplateProcessing;

use super::added::AddedTokens;
use super::class::Class;
use super::options::Options;
use crate::ModelError;

const ADD_PREFIX_SPACE: &str = "add_prefix_space";
const DO_LOWER_CASE: &str = "do_lower_case";

impl Class {
    /// Builds the tokenizer of the class, without added tokens and truncation. [`Class::Stored`]
    /// returns `stored` unchanged.
    pub fn rebuild(
        self,
        stored: Tokenizer,
        options: &Options,
        tokens: &AddedTokens,
    ) -> Result<Tokenizer, ModelError> {
        if self == Self::Stored {
            return Ok(stored);
        }
        let refused = |source| options.refused(source);
        let mut tokenizer = Tokenizer::new(model(stored.get_model(), tokens).map_err(refused)?);
        if let Some(normalizer) = self.normalizer(&stored, options)? {
            tokenizer
                .with_normalizer(Some(normalizer))
                .map_err(refused)?;
        }
        match self {
            Self::Bert | Self::Stored => {
                tokenizer
                    .with_pre_tokenizer(Some(BertPreTokenizer))
                    .with_decoder(Some(WordPieces::default()));
            }
            Self::Roberta | Self::Gpt2 => {
                let bytes = ByteLevel::new(options.flag(ADD_PREFIX_SPACE, false)?, true, true);
                tokenizer
                    .with_pre_tokenizer(Some(bytes))
                    .with_decoder(Some(ByteLevel::default()));
            }
            Self::Albert => {
                let scheme = if options.flag(ADD_PREFIX_SPACE, true)? {
                    PrependScheme::Always
                } else {
                    PrependScheme::Never
                };
                let spaces = Metaspace::new('▁', scheme, true);
                let pre_tokenizer =
                    PreTokenizers::new(vec![WhitespaceSplit.into(), spaces.clone().into()]);
                tokenizer
                    .with_pre_tokenizer(Some(pre_tokenizer))
                    .with_decoder(Some(spaces));
            }
        }
        tokenizer
            .with_post_processor(stored.get_post_processor().cloned())
            .with_padding(stored.get_padding().cloned());
        Ok(tokenizer)
    }

    fn normalizer(
        self,
        stored: &Tokenizer,
        options: &Options,
    ) -> Result<Option<NormalizerWrapper>, ModelError> {
        Ok(match self {
            Self::Bert => {
                let strip_accents = options.get::<Option<bool>>("strip_accents")?.flatten();
                let [chinese, lowercase] = [
                    options.flag("tokenize_chinese_chars", true)?,
                    options.flag(DO_LOWER_CASE, true)?,
                ];
                Some(BertNormalizer::new(true, chinese, strip_accents, lowercase).into())
            }
            Self::Albert => {
                let quotes = ["``", "''"].map(|quotes| {
                    Replace::new(quotes, "\"").map_err(|source| options.refused(source))
                });
                let mut parts: Vec<NormalizerWrapper> = quotes
                    .into_iter()
                    .map(|part| Ok(part?.into()))
                    .collect::<Result<_, ModelError>>()?;
                if !options.flag("keep_accents", false)? {
                    parts.extend([NFKD.into(), StripAccents.into()]);
                }
                if options.flag(DO_LOWER_CASE, true)? {
                    parts.push(Lowercase.into());
                }
                // SentencePiece's character map is the only part of the stored normalizer that transformers keeps.
                parts.extend(
                    stored_normalizers(stored)
                        .iter()
                        .find(|part| matches!(part, NormalizerWrapper::Precompiled(_)))
                        .cloned(),
                );
                Some(Normalizers::new(parts).into())
            }
            Self::Roberta | Self::Gpt2 | Self::Stored => None,
        })
    }

    /// Sets the special tokens around texts. Must be called after the added tokens are set, because
    /// it looks up their ids.
    pub fn frame(
        self,
        tokenizer: &mut Tokenizer,
        options: &Options,
        tokens: &AddedTokens,
    ) -> Result<(), ModelError> {
        let token = |role: &str| {
            let content = tokens.role(role).or(self.token(role))?;
            Some((content.to_string(), tokenizer.token_to_id(content)?))
        };
        let (Some(start), Some(end)) = (token("cls_token"), token("sep_token")) else {
            return Ok(());
        };
        let processor: PostProcessorWrapper = match self {
            Self::Albert if tokenizer.get_post_processor().is_some() => return Ok(()),
            Self::Bert | Self::Albert => bert_template(start, end)
                .map_err(|reason| options.refused(reason.into()))?
                .into(),
            Self::Roberta => {
                let (trim, prefix) = (
                    options.flag("trim_offsets", true)?,
                    options.flag(ADD_PREFIX_SPACE, false)?,
                );
                RobertaProcessing::new(end, start)
                    .trim_offsets(trim)
                    .add_prefix_space(prefix)
                    .into()
            }
            Self::Gpt2 | Self::Stored => return Ok(()),
        };
        tokenizer.with_post_processor(Some(processor));
        Ok(())
    }
}

/// The stored model with the options that transformers' classes set.
fn model(stored: &ModelWrapper, tokens: &AddedTokens) -> tokenizers::Result<ModelWrapper> {
    let mut model = stored.clone();
    match &mut model {
        ModelWrapper::WordPiece(model) => {
            model.unk_token = tokens.role("unk_token").unwrap_or("[UNK]").to_string();
            model.continuing_subword_prefix = "##".into();
            model.max_input_chars_per_word = 100;
        }
        ModelWrapper::BPE(model) => {
            (model.dropout, model.unk_token) = (None, None);
            (model.continuing_subword_prefix, model.end_of_word_suffix) =
                (Some(String::new()), Some(String::new()));
            (model.fuse_unk, model.byte_fallback, model.ignore_merges) = (false, false, false);
        }
        ModelWrapper::Unigram(model) => {
            *model = Unigram::from(model.iter().cloned().collect(), Some(1), false)?
        }
        ModelWrapper::WordLevel(_) => {}
    }
    Ok(model)
}

/// The parts of the stored normalizer.
fn stored_normalizers(stored: &Tokenizer) -> &[NormalizerWrapper] {
    match stored.get_normalizer() {
        Some(NormalizerWrapper::Sequence(sequence)) => sequence.as_ref(),
        Some(other) => std::slice::from_ref(other),
        None => &[],
    }
}

/// BERT's template: `start`, the text and `end`; for a pair, the second text and another `end`
/// follow in the second segment.
fn bert_template(start: (String, u32), end: (String, u32)) -> Result<TemplateProcessing, String> {
    let (first, last) = (&start.0, &end.0);
    let single = [format!("{first}:0"), "$A:0".into(), format!("{last}:0")];
    let second = ["$B:1".into(), format!("{last}:1")];
    let pair: Vec<String> = single.iter().cloned().chain(second).collect();
    let mut builder = TemplateProcessing::builder();
    builder.try_single(single.to_vec())?.try_pair(pair)?;
    builder
        .special_tokens(vec![start, end])
        .build()
        .map_err(|error| error.to_string())
}
