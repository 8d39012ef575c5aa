//! Names of files and fields.

pub(crate) const TOKENIZER: &str = "tokenizer.json";
pub(crate) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// The field of tokenizer_config.json that lists the added tokens.
pub(super) const ADDED_TOKENS: &str = "added_tokens_decoder";

/// The field of tokenizer_config.json that lists the special tokens without a role.
pub(super) const EXTRA: &str = "extra_special_tokens";
