//! Tokens beyond the vocabulary, or of it, that texts are searched for before anything else.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokenizers::{AddedToken, Tokenizer};

use super::class::Class;
use super::options::Options;
use crate::ModelError;

/// The field of tokenizer_config.json that lists them.
pub(super) const ADDED_TOKENS: &str = "added_tokens_decoder";

/// The tokens with a role that every tokenizer has, in the order in which transformers adds them.
const ROLES: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// A token as transformers writes it: its text alone, or with how it is found.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Full {
        content: String,
        #[serde(default)]
        single_word: bool,
        #[serde(default)]
        lstrip: bool,
        #[serde(default)]
        rstrip: bool,
        normalized: Option<bool>,
        #[serde(default)]
        special: bool,
    },
}

impl From<Written> for AddedToken {
    fn from(token: Written) -> Self {
        match token {
            Written::Text(content) => Self::from(content, true),
            Written::Full { content, single_word, lstrip, rstrip, normalized, special } => {
                Self { content, single_word, lstrip, rstrip, normalized: normalized.unwrap_or(!special), special }
            }
        }
    }
}

/// A special token that the files or the class of a tokenizer name.
struct Named {
    /// What it is used for, such as `mask_token`, if for anything.
    role: Option<String>,
    token: AddedToken,
}

impl Named {
    fn is(&self, role: &str) -> bool {
        self.role.as_deref() == Some(role)
    }
}

/// The tokens to add to a tokenizer.
pub(super) struct AddedTokens {
    /// Those that a file lists with ids. The ids only order them: each gets that of the vocabulary, or the next free one.
    listed: Vec<AddedToken>,
    named: Vec<Named>,
}

impl AddedTokens {
    /// What the files of a tokenizer and the defaults of its class say.
    pub fn new(stored: &Tokenizer, options: &Options, class: Class) -> Result<Self, ModelError> {
        let named = named(options)?;
        let mut listed: BTreeMap<u32, AddedToken> = match options.get::<BTreeMap<u32, Written>>(ADDED_TOKENS)? {
            Some(tokens) => tokens.into_iter().map(|(id, token)| (id, token.into())).collect(),
            None => {
                let is_special = |content: &str| named.iter().any(|named| named.token.content == content);
                let beside = options.added_tokens.iter().map(|(token, id)| (*id, AddedToken::from(token, is_special(token))));
                beside.chain(stored.get_added_tokens_decoder()).collect()
            }
        };
        let named = with_defaults(named, stored, options, class);
        let has_role = |content: &str| named.iter().any(|named| named.role.is_some() && named.token.content == content);
        listed.values_mut().for_each(|token| token.special |= has_role(&token.content));
        Ok(Self { listed: listed.into_values().collect(), named })
    }

    /// The text of the token with a role.
    pub fn role(&self, role: &str) -> Option<&str> {
        self.named.iter().find(|named| named.is(role)).map(|named| named.token.content.as_str())
    }

    /// Adds the tokens to a tokenizer whose model has `rows` embeddings. A token that is only named is left out where the model has no
    /// embedding for it: its id in transformers is one that the model cannot take.
    pub fn add_to(&self, tokenizer: &mut Tokenizer, rows: usize) -> tokenizers::Result<()> {
        tokenizer.add_tokens(self.listed.iter().cloned())?;
        let mut size = size(tokenizer);
        let mut more: Vec<AddedToken> = Vec::new();
        for Named { token, .. } in &self.named {
            let is_new = tokenizer.token_to_id(&token.content).is_none() && more.iter().all(|other| other.content != token.content);
            if has(tokenizer, &token.content) || more.contains(token) || is_new && size >= rows {
                continue;
            }
            size += usize::from(is_new);
            more.push(token.clone());
        }
        tokenizer.add_tokens(more)?;
        Ok(())
    }
}

/// One more than the largest id.
pub(super) fn size(tokenizer: &Tokenizer) -> usize {
    tokenizer.get_vocab(true).into_values().max().map_or(0, |largest| largest as usize + 1)
}

/// Whether a token is among those that texts are searched for.
pub(super) fn has(tokenizer: &Tokenizer, token: &str) -> bool {
    tokenizer.get_added_vocabulary().get_vocab().contains_key(token)
}

/// The added tokens of a tokenizer, as tokenizer_config.json lists them.
pub(super) fn list(tokenizer: &Tokenizer) -> Value {
    let tokens = tokenizer.get_added_tokens_decoder().into_iter();
    tokens.map(|(id, token)| (id.to_string(), json!(token))).collect::<Map<_, _>>().into()
}

/// The special tokens that the files name.
fn named(options: &Options) -> Result<Vec<Named>, ModelError> {
    const NAMED: &str = "model_specific_special_tokens";
    let token = |field: &str, role: Option<&String>, value: &Value| {
        let token: Written = options.parse(field, value)?;
        Ok(Named { role: role.cloned(), token: token.into() })
    };
    let is_token = |value: &Value| value.is_string() || value["content"].is_string();
    let fields = options.fields.iter().filter(|(name, value)| name.ends_with("_token") && is_token(value));
    let with_role = fields.map(|(name, value)| token(name, Some(name), value));

    let extra = options.extra_special_tokens();
    let objects = [options.fields.get(NAMED), Some(extra)].into_iter().flatten().filter_map(Value::as_object).flatten();
    let with_other_role = objects.map(|(role, value)| token(NAMED, Some(role), value));
    let without = extra.as_array().into_iter().flatten().map(|value| token("extra_special_tokens", None, value));
    with_role.chain(with_other_role).chain(without).collect()
}

/// The same in the order in which transformers adds them, with the tokens of the class for the roles of which the files say nothing.
fn with_defaults(named: Vec<Named>, stored: &Tokenizer, options: &Options, class: Class) -> Vec<Named> {
    let default = |role: &str| match (class, role) {
        _ if options.fields.contains_key(role) => None,
        (Class::Stored, "pad_token") => stored.get_padding().map(|padding| padding.pad_token.as_str()),
        _ => class.token(role),
    };
    let mut others = named;
    let mut ordered = Vec::new();
    for role in ROLES {
        let said = others.iter().position(|named| named.is(role)).map(|at| others.remove(at));
        let of_class = || default(role).map(|token| Named { role: Some(role.into()), token: AddedToken::from(token, true) });
        ordered.extend(said.or_else(of_class));
    }
    ordered.extend(others);
    ordered
}
