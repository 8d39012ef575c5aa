//! Added tokens: tokens, new or from the vocabulary, that are matched in a text before it is split.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokenizers::{AddedToken, Tokenizer};

use super::class::Class;
use super::names::{ADDED_TOKENS, EXTRA};
use super::options::Options;
use crate::ModelError;

/// The roles of special tokens that every tokenizer has, in the order in which transformers adds the tokens.
const ROLES: [&str; 7] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];

/// A token as transformers writes it: its text alone, or an object that also says how it is matched.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a token must be a string, or an object with its content"
)]
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
            Written::Full {
                content,
                single_word,
                lstrip,
                rstrip,
                normalized,
                special,
            } => Self {
                content,
                single_word,
                lstrip,
                rstrip,
                normalized: normalized.unwrap_or(!special),
                special,
            },
        }
    }
}

/// A special token that the files or the class of a tokenizer name.
struct Named {
    /// Its role, such as `mask_token`.
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
    /// The tokens that a file lists with ids, in the order of these ids. As in transformers, the
    /// listed ids are not used: a token keeps its id in the vocabulary, and a new token gets the
    /// next free id.
    listed: Vec<AddedToken>,
    /// The special tokens, which are added after the listed ones.
    named: Vec<Named>,
}

impl AddedTokens {
    /// Collects the tokens that the files name, and the defaults of the class.
    pub fn new(stored: &Tokenizer, options: &Options, class: Class) -> Result<Self, ModelError> {
        let named = named(options)?;
        let mut listed: BTreeMap<u32, AddedToken> =
            match options.get::<BTreeMap<u32, Written>>(ADDED_TOKENS)? {
                Some(tokens) => tokens
                    .into_iter()
                    .map(|(id, token)| (id, token.into()))
                    .collect(),
                None => {
                    let is_extra = |content: &str| {
                        options
                            .specials_of_added()
                            .iter()
                            .any(|token| token == content || token["content"] == content)
                    };
                    let has_known_role = |named: &Named| ROLES.iter().any(|role| named.is(role));
                    let is_special = |content: &str| {
                        is_extra(content)
                            || named.iter().any(|named| {
                                has_known_role(named) && named.token.content == content
                            })
                    };
                    let beside = options
                        .added_tokens
                        .iter()
                        .map(|(token, id)| (*id, AddedToken::from(token, is_special(token))));
                    beside.chain(stored.get_added_tokens_decoder()).collect()
                }
            };
        let named = with_defaults(named, stored, options, class);
        let has_role = |content: &str| {
            named
                .iter()
                .any(|named| named.role.is_some() && named.token.content == content)
        };
        listed
            .values_mut()
            .for_each(|token| token.special |= has_role(&token.content));
        Ok(Self {
            listed: listed.into_values().collect(),
            named,
        })
    }

    /// The text of the token with a role.
    pub fn role(&self, role: &str) -> Option<&str> {
        self.named
            .iter()
            .find(|named| named.is(role))
            .map(|named| named.token.content.as_str())
    }

    /// Adds the tokens to a tokenizer whose model has `rows` embeddings. A new special token that no file lists with an id is left out if the model
    /// has no embedding for it: transformers adds it, but the model fails on its id.
    pub fn add_to(&self, tokenizer: &mut Tokenizer, rows: usize) -> tokenizers::Result<()> {
        tokenizer.add_tokens(self.listed.iter().cloned())?;
        let mut new = 0;
        let mut more: Vec<AddedToken> = Vec::new();
        for Named { token, .. } in &self.named {
            let is_new = tokenizer.token_to_id(&token.content).is_none()
                && more.iter().all(|other| other.content != token.content);
            if has(tokenizer, &token.content)
                || more.contains(token)
                || is_new && size(tokenizer) + new >= rows
            {
                continue;
            }
            new += usize::from(is_new);
            more.push(token.clone());
        }
        tokenizer.add_tokens(more)?;
        Ok(())
    }
}

/// One more than the largest id.
pub(super) fn size(tokenizer: &Tokenizer) -> usize {
    tokenizer
        .get_vocab(true)
        .into_values()
        .max()
        .map_or(0, |largest| largest as usize + 1)
}

/// Whether a token is an added token.
pub(super) fn has(tokenizer: &Tokenizer, token: &str) -> bool {
    tokenizer
        .get_added_vocabulary()
        .get_vocab()
        .contains_key(token)
}

/// The added tokens of a tokenizer in the form of `added_tokens_decoder`.
pub(super) fn list(tokenizer: &Tokenizer) -> Value {
    let tokens = tokenizer.get_added_tokens_decoder().into_iter();
    tokens
        .map(|(id, token)| (id.to_string(), json!(token)))
        .collect::<Map<_, _>>()
        .into()
}

/// The special tokens that the files name, in any order.
fn named(options: &Options) -> Result<Vec<Named>, ModelError> {
    let is_token = |value: &Value| value.is_string() || value["content"].is_string();
    let fields = options
        .fields
        .iter()
        .filter(|(name, value)| name.ends_with("_token") && is_token(value));
    let with_role = fields
        .chain(options.own_special_tokens())
        .map(|(role, value)| {
            let token: AddedToken = options.parse::<Written>(role, value)?.into();
            Ok(Named {
                role: Some(role.clone()),
                token: AddedToken {
                    special: true,
                    ..token
                },
            })
        });
    let without = options.extra_special_tokens().iter().map(|value| {
        let token = options.parse::<Written>(EXTRA, value)?.into();
        Ok(Named { role: None, token })
    });
    with_role.chain(without).collect()
}

/// Sorts special tokens into the order in which transformers adds them. A role that no file mentions gets the token of the class.
fn with_defaults(
    named: Vec<Named>,
    stored: &Tokenizer,
    options: &Options,
    class: Class,
) -> Vec<Named> {
    let default = |role: &str| match (class, role) {
        _ if options.fields.contains_key(role) => None,
        (Class::Stored, "pad_token") => stored
            .get_padding()
            .map(|padding| padding.pad_token.as_str()),
        _ => class.token(role),
    };
    let mut others = named;
    let mut ordered = Vec::new();
    for role in ROLES {
        let said = others
            .iter()
            .position(|named| named.is(role))
            .map(|at| others.remove(at));
        let of_class = || {
            default(role).map(|token| Named {
                role: Some(role.into()),
                token: AddedToken::from(token, true),
            })
        };
        ordered.extend(said.or_else(of_class));
    }
    ordered.extend(others);
    ordered
}
