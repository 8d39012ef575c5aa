//! The mapping between the parameters of a module and the names of tensors in a checkpoint.

use crate::head::Head;

/// The checkpoint layout of one architecture. Module names do not include the parameter names
/// `weight` and `bias`.
pub(crate) struct Layout {
    /// The prefix of the encoder's names. It is required in a checkpoint with a head and optional
    /// in one without.
    pub prefix: &'static str,
    /// The modules of the encoder. Their stored names do not include the prefix.
    pub encoder: &'static [Key],
    /// Whether weights of linear layers are stored as `[outputs, inputs]`, as in PyTorch's
    /// `Linear`.
    pub linear_is_transposed: bool,
    /// The modules of the classifier.
    pub classifier: &'static [Key],
    /// The modules of the span extractor.
    pub span: &'static [Key],
    /// Names under the prefix that are ignored: buffers, and poolers that the head does not use. A
    /// name that ends in a dot matches all names that begin with it.
    pub passed_over: &'static [&'static str],
    /// The beginnings of the names of this architecture's heads, which have no prefix. The tensors
    /// of other heads than the model's are ignored.
    pub heads: &'static [&'static str],
}

/// The name of a module in isostar and in a checkpoint. Each `*` matches a number.
pub(crate) struct Key {
    ours: &'static str,
    stored: &'static str,
    third: Option<usize>,
}

impl Key {
    pub(crate) const fn new(ours: &'static str, stored: &'static str) -> Self {
        Self {
            ours,
            stored,
            third: None,
        }
    }

    /// A module that is stored as the first, second or third part of the outputs of another module.
    pub(crate) const fn third(part: usize, ours: &'static str, stored: &'static str) -> Self {
        Self {
            ours,
            stored,
            third: Some(part),
        }
    }
}

/// The location of a parameter in a checkpoint.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The name of the stored module, with its prefix.
    pub module: String,
    /// The name of the parameter in the module.
    pub parameter: &'static str,
    /// The index of its third of the stored outputs; `None` if it is the whole tensor.
    pub third: Option<usize>,
    /// Whether it is a matrix that is stored transposed.
    pub is_transposed: bool,
    /// Whether the parameter belongs to the head.
    pub in_head: bool,
}

impl Place {
    pub(super) fn key(&self) -> String {
        format!("{}.{}", self.module, self.parameter)
    }
}

impl Layout {
    pub(super) fn head(&self, head: Head) -> &'static [Key] {
        match head {
            Head::None => &[],
            Head::Classification => self.classifier,
            Head::Span => self.span,
        }
    }

    /// The stored name of the output layer of the classifier.
    pub(super) fn classifier_output(&self) -> &'static str {
        let output = self.classifier.iter().find(|key| key.ours == "output");
        output.expect("every classifier has an output layer").stored
    }

    /// The name of a stored tensor with its prefix, and with `weight` and `bias` for the `gamma`
    /// and `beta` of LayerNorm in checkpoints of 2018.
    pub(super) fn canonical(&self, stored: &str) -> String {
        let name = stored
            .replace("LayerNorm.gamma", "LayerNorm.weight")
            .replace("LayerNorm.beta", "LayerNorm.bias");
        let is_whole =
            name.starts_with(self.prefix) || self.heads.iter().any(|head| name.starts_with(head));
        if is_whole {
            name
        } else {
            format!("{}{name}", self.prefix)
        }
    }

    /// Whether a tensor that is not part of the model may be ignored. `name` is its canonical name.
    pub(super) fn is_passed_over(&self, name: &str, head: Head) -> bool {
        let in_use = |begins: &str| {
            self.head(head)
                .iter()
                .any(|key| format!("{}.", key.stored).starts_with(begins))
        };
        let bare = name.strip_prefix(self.prefix).unwrap_or(name);
        self.heads
            .iter()
            .any(|begins| name.starts_with(begins) && !in_use(begins))
            || self
                .passed_over
                .iter()
                .any(|pattern| match pattern.ends_with('.') {
                    true => bare.starts_with(pattern),
                    false => numbers(bare, pattern).is_some(),
                })
    }

    /// Whether a tensor is a weight or bias of the encoder, including layers that the model does
    /// not have. `name` is its canonical name.
    pub(super) fn is_of_encoder(&self, name: &str) -> bool {
        let module = name
            .strip_prefix(self.prefix)
            .and_then(|bare| bare.strip_suffix(".weight").or(bare.strip_suffix(".bias")));
        module.is_some_and(|module| {
            self.encoder
                .iter()
                .any(|key| numbers(module, key.stored).is_some())
        })
    }

    /// The location of the parameter at `path`.
    ///
    /// # Panics
    /// If the layout has no line for the module. The round-trip tests of every architecture detect
    /// such an error in the table.
    pub(super) fn place(&self, path: &Path, head: Head) -> Place {
        let (parameter, module) = path
            .names
            .split_last()
            .expect("every parameter belongs to a module");
        let (keys, module, prefix) = match module.split_first() {
            Some((first, rest)) if first == "head" => (self.head(head), rest, ""),
            Some((first, rest)) if first == "encoder" => (self.encoder, rest, self.prefix),
            _ => (self.encoder, module, self.prefix),
        };
        let module = module.join(".");
        let found = keys
            .iter()
            .find_map(|key| Some((key, numbers(&module, key.ours)?)));
        let (key, numbers) =
            found.unwrap_or_else(|| panic!("the layout has no line for {}", path.names.join(".")));
        let stored = numbers
            .iter()
            .fold(key.stored.to_string(), |stored, number| {
                stored.replacen('*', number, 1)
            });
        Place {
            module: format!("{prefix}{stored}"),
            parameter: if matches!(parameter.as_str(), "weight" | "gamma") {
                "weight"
            } else {
                "bias"
            },
            third: key.third,
            is_transposed: path.in_linear()
                && parameter == "weight"
                && (self.linear_is_transposed || prefix.is_empty()),
            in_head: prefix.is_empty(),
        }
    }
}

/// The numbers that the `*` of `pattern` match in `name`; `None` if `name` does not match.
fn numbers<'a>(name: &'a str, pattern: &str) -> Option<Vec<&'a str>> {
    if name.split('.').count() != pattern.split('.').count() {
        return None;
    }
    let pairs = name.split('.').zip(pattern.split('.'));
    let fits = pairs
        .clone()
        .all(|(name, part)| name == part || part == "*" && name.parse::<usize>().is_ok());
    fits.then(|| {
        pairs
            .filter(|(_, part)| *part == "*")
            .map(|(name, _)| name)
            .collect()
    })
}

/// The path from the root of a module to the visited parameter.
#[derive(Default)]
pub(super) struct Path {
    names: Vec<String>,
    containers: Vec<String>,
}

impl Path {
    pub(super) fn enter(&mut self, name: &str, container: &str) {
        // The enum of architectures is not part of the path, because checkpoints do not name it.
        if !container.starts_with("Enum:") {
            self.names.push(name.to_string());
            self.containers.push(container.to_string());
        }
    }

    pub(super) fn exit(&mut self, container: &str) {
        if !container.starts_with("Enum:") {
            self.names.pop();
            self.containers.pop();
        }
    }

    fn in_linear(&self) -> bool {
        self.containers
            .last()
            .is_some_and(|container| container == "Struct:Linear")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout {
        prefix: "model.",
        encoder: &[
            Key::new("groups.*.layers.*.norm", "group.*.layer.*.LayerNorm"),
            Key::third(1, "layers.*.key", "h.*.attn"),
            Key::new("inner", "inner"),
        ],
        linear_is_transposed: false,
        classifier: &[Key::new("output", "classifier.out")],
        span: &[Key::new("output", "spans")],
        passed_over: &["pooler.", "h.*.mask"],
        heads: &["classifier.", "spans.", "lm."],
    };

    fn place(path: &str, container: &str) -> Place {
        let mut way = Path::default();
        path.split('.').for_each(|name| {
            way.enter(
                name,
                if name == "Bert" {
                    "Enum:Encoder"
                } else {
                    container
                },
            )
        });
        LAYOUT.place(&way, Head::Classification)
    }

    #[test]
    fn stars_are_replaced_by_numbers_in_order() {
        assert_eq!(
            place(
                "encoder.Bert.groups.3.layers.11.norm.gamma",
                "Struct:LayerNorm"
            )
            .key(),
            "model.group.3.layer.11.LayerNorm.weight"
        );
        assert_eq!(
            place("groups.0.layers.1.norm.beta", "Struct:LayerNorm").key(),
            "model.group.0.layer.1.LayerNorm.bias"
        );
        let third = place("layers.2.key.weight", "Struct:Linear");
        assert_eq!(
            (third.key().as_str(), third.third),
            ("model.h.2.attn.weight", Some(1))
        );
    }

    #[test]
    fn only_weights_of_linear_layers_are_transposed_and_those_of_heads_always() {
        assert!(place("head.output.weight", "Struct:Linear").is_transposed);
        assert!(!place("head.output.bias", "Struct:Linear").is_transposed);
        assert!(!place("head.output.weight", "Struct:Embedding").is_transposed);
        assert!(
            !place("inner.weight", "Struct:Linear").is_transposed,
            "this layout does not transpose the encoder's weights"
        );
    }

    #[test]
    fn the_canonical_name_of_a_stored_tensor_has_the_prefix() {
        assert_eq!(
            LAYOUT.canonical("inner.LayerNorm.gamma"),
            "model.inner.LayerNorm.weight"
        );
        assert_eq!(LAYOUT.canonical("model.inner.bias"), "model.inner.bias");
        assert_eq!(
            LAYOUT.canonical("classifier.out.bias"),
            "classifier.out.bias"
        );
    }

    #[test]
    fn only_buffers_poolers_and_other_heads_are_ignored() {
        let is_passed_over = |name| LAYOUT.is_passed_over(name, Head::Classification);
        assert!(
            [
                "model.pooler.weight",
                "model.h.7.mask",
                "lm.weight",
                "spans.bias"
            ]
            .into_iter()
            .all(is_passed_over)
        );
        assert!(
            ![
                "model.h.x.mask",
                "model.inner.weight",
                "classifier.in.weight"
            ]
            .into_iter()
            .any(is_passed_over)
        );
        assert!(LAYOUT.is_passed_over("classifier.out.weight", Head::Span));
    }

    #[test]
    fn tensors_of_layers_that_the_model_lacks_belong_to_the_encoder() {
        assert!(
            [
                "model.group.0.layer.99.LayerNorm.bias",
                "model.inner.weight"
            ]
            .into_iter()
            .all(|name| LAYOUT.is_of_encoder(name))
        );
        assert!(
            ![
                "model.inner.momentum",
                "model.outer.weight",
                "classifier.out.weight"
            ]
            .into_iter()
            .any(|name| LAYOUT.is_of_encoder(name))
        );
    }

    #[test]
    #[should_panic(expected = "the layout has no line for tail.weight")]
    fn a_module_without_a_line_in_the_layout_panics() {
        place("tail.weight", "Struct:Linear");
    }
}
