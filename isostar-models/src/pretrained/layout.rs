//! What a checkpoint calls the parameters of a module.

use crate::head::Head;

/// How one architecture lays out its checkpoints. Names of modules are given without those of their parameters, `weight` and `bias`.
pub(crate) struct Layout {
    /// What stands before the encoder's names in a checkpoint with a head, and may in one without.
    pub prefix: &'static str,
    /// The encoder's modules, their stored names without the prefix.
    pub encoder: &'static [Key],
    /// Whether weights of linear layers are stored as `[outputs, inputs]`, as PyTorch's `Linear` has them.
    pub linear_is_transposed: bool,
    /// The classifier's modules.
    pub classifier: &'static [Key],
    /// The span extractor's modules.
    pub span: &'static [Key],
    /// Stored under the prefix, and passed over: buffers, and poolers where the head has no use for them. A name that ends in a dot stands
    /// for all that begin with it.
    pub passed_over: &'static [&'static str],
    /// How the names of this architecture's heads begin. They stand without the prefix, and those of other heads are passed over.
    pub heads: &'static [&'static str],
}

/// A module of ours and its name in a checkpoint; each `*` stands for a number.
pub(crate) struct Key {
    ours: &'static str,
    stored: &'static str,
    third: Option<usize>,
}

impl Key {
    pub(crate) const fn new(ours: &'static str, stored: &'static str) -> Self {
        Self { ours, stored, third: None }
    }

    /// A module stored as the first, second or third part of the outputs of another.
    pub(crate) const fn third(part: usize, ours: &'static str, stored: &'static str) -> Self {
        Self { ours, stored, third: Some(part) }
    }
}

/// Where the parameter being visited is stored.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The stored module, with its prefix.
    pub module: String,
    /// The parameter's name in it.
    pub parameter: &'static str,
    /// Which third of the stored outputs it is; all of them if `None`.
    pub third: Option<usize>,
    /// Whether it is a matrix stored with rows as columns.
    pub is_transposed: bool,
    /// Whether it belongs to the head.
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

    /// The stored module whose outputs are the labels.
    pub(super) fn classifier_output(&self) -> &'static str {
        let output = self.classifier.iter().find(|key| key.ours == "output");
        output.expect("every classifier ends in its output").stored
    }

    /// The name that a stored tensor has with its prefix and without those of 2018, when LayerNorm had `gamma` and `beta`.
    pub(super) fn canonical(&self, stored: &str) -> String {
        let name = stored.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias");
        let is_whole = name.starts_with(self.prefix) || self.heads.iter().any(|head| name.starts_with(head));
        if is_whole { name } else { format!("{}{name}", self.prefix) }
    }

    /// Whether a tensor that the model has no place for, known under its canonical name, may be left out.
    pub(super) fn is_passed_over(&self, name: &str, head: Head) -> bool {
        let in_use = |begins: &str| self.head(head).iter().any(|key| format!("{}.", key.stored).starts_with(begins));
        let bare = name.strip_prefix(self.prefix).unwrap_or(name);
        self.heads.iter().any(|begins| name.starts_with(begins) && !in_use(begins))
            || self.passed_over.iter().any(|pattern| match pattern.ends_with('.') {
                true => bare.starts_with(pattern),
                false => numbers(bare, pattern).is_some(),
            })
    }

    /// Whether a tensor, known under its canonical name, is a weight or a bias of the encoder, in a layer that the model may lack.
    pub(super) fn is_of_encoder(&self, name: &str) -> bool {
        let module = name.strip_prefix(self.prefix).and_then(|bare| bare.strip_suffix(".weight").or(bare.strip_suffix(".bias")));
        module.is_some_and(|module| self.encoder.iter().any(|key| numbers(module, key.stored).is_some()))
    }

    /// # Panics
    /// If the layout has no line for the module: a mistake in the table, which the round trips of every architecture find.
    pub(super) fn place(&self, path: &Path, head: Head) -> Place {
        let (parameter, module) = path.names.split_last().expect("a parameter lies in a module");
        let (keys, module, prefix) = match module.split_first() {
            Some((first, rest)) if first == "head" => (self.head(head), rest, ""),
            Some((first, rest)) if first == "encoder" => (self.encoder, rest, self.prefix),
            _ => (self.encoder, module, self.prefix),
        };
        let module = module.join(".");
        let found = keys.iter().find_map(|key| Some((key, numbers(&module, key.ours)?)));
        let (key, numbers) = found.unwrap_or_else(|| panic!("the layout has no line for {}", path.names.join(".")));
        let stored = numbers.iter().fold(key.stored.to_string(), |stored, number| stored.replacen('*', number, 1));
        Place {
            module: format!("{prefix}{stored}"),
            parameter: if matches!(parameter.as_str(), "weight" | "gamma") { "weight" } else { "bias" },
            third: key.third,
            is_transposed: path.in_linear() && parameter == "weight" && (self.linear_is_transposed || prefix.is_empty()),
            in_head: prefix.is_empty(),
        }
    }
}

/// What the stars of `pattern` stand for, if `name` is what it describes.
fn numbers<'a>(name: &'a str, pattern: &str) -> Option<Vec<&'a str>> {
    if name.split('.').count() != pattern.split('.').count() {
        return None;
    }
    let pairs = name.split('.').zip(pattern.split('.'));
    let fits = pairs.clone().all(|(name, part)| name == part || part == "*" && name.parse::<usize>().is_ok());
    fits.then(|| pairs.filter(|(_, part)| *part == "*").map(|(name, _)| name).collect())
}

/// The way from the root of a module to the parameter being visited.
#[derive(Default)]
pub(super) struct Path {
    names: Vec<String>,
    containers: Vec<String>,
}

impl Path {
    pub(super) fn enter(&mut self, name: &str, container: &str) {
        // An architecture of several is no step on the way: checkpoints do not name it.
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
        self.containers.last().is_some_and(|container| container == "Struct:Linear")
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
        path.split('.').for_each(|name| way.enter(name, if name == "Bert" { "Enum:Encoder" } else { container }));
        LAYOUT.place(&way, Head::Classification)
    }

    #[test]
    fn numbers_take_the_places_of_the_stars_in_their_order() {
        assert_eq!(
            place("encoder.Bert.groups.3.layers.11.norm.gamma", "Struct:LayerNorm").key(),
            "model.group.3.layer.11.LayerNorm.weight"
        );
        assert_eq!(place("groups.0.layers.1.norm.beta", "Struct:LayerNorm").key(), "model.group.0.layer.1.LayerNorm.bias");
        let third = place("layers.2.key.weight", "Struct:Linear");
        assert_eq!((third.key().as_str(), third.third), ("model.h.2.attn.weight", Some(1)));
    }

    #[test]
    fn only_weights_of_linear_layers_are_transposed_and_heads_always() {
        assert!(place("head.output.weight", "Struct:Linear").is_transposed);
        assert!(!place("head.output.bias", "Struct:Linear").is_transposed);
        assert!(!place("head.output.weight", "Struct:Embedding").is_transposed);
        assert!(!place("inner.weight", "Struct:Linear").is_transposed, "this layout keeps the encoder's as they are");
    }

    #[test]
    fn a_stored_name_is_completed_by_its_prefix() {
        assert_eq!(LAYOUT.canonical("inner.LayerNorm.gamma"), "model.inner.LayerNorm.weight");
        assert_eq!(LAYOUT.canonical("model.inner.bias"), "model.inner.bias");
        assert_eq!(LAYOUT.canonical("classifier.out.bias"), "classifier.out.bias");
    }

    #[test]
    fn only_buffers_poolers_and_other_heads_are_passed_over() {
        let is_passed_over = |name| LAYOUT.is_passed_over(name, Head::Classification);
        assert!(["model.pooler.weight", "model.h.7.mask", "lm.weight", "spans.bias"].into_iter().all(is_passed_over));
        assert!(!["model.h.x.mask", "model.inner.weight", "classifier.in.weight"].into_iter().any(is_passed_over));
        assert!(LAYOUT.is_passed_over("classifier.out.weight", Head::Span));
    }

    #[test]
    fn a_layer_that_the_model_lacks_is_of_the_encoder() {
        assert!(["model.group.0.layer.99.LayerNorm.bias", "model.inner.weight"].into_iter().all(|name| LAYOUT.is_of_encoder(name)));
        assert!(
            !["model.inner.momentum", "model.outer.weight", "classifier.out.weight"].into_iter().any(|name| LAYOUT.is_of_encoder(name))
        );
    }

    #[test]
    #[should_panic(expected = "the layout has no line for tail.weight")]
    fn a_module_without_a_line_is_a_mistake() {
        place("tail.weight", "Struct:Linear");
    }
}
