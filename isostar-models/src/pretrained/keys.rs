//! Where a traversal of a module stands, and what a checkpoint calls that place.

/// The way from the root of a module to the parameter being visited.
#[derive(Default)]
pub(super) struct Cursor {
    names: Vec<String>,
    containers: Vec<String>,
}

impl Cursor {
    pub(super) fn enter(&mut self, name: &str, container: &str) {
        self.names.push(name.to_string());
        self.containers.push(container.to_string());
    }

    pub(super) fn exit(&mut self) {
        self.names.pop();
        self.containers.pop();
    }

    /// The name of the parameter here in a checkpoint laid out by `keys`.
    ///
    /// # Panics
    /// If `keys` does not know the module here: a mistake in the table, which its test finds.
    pub(super) fn key(&self, keys: &[(&str, &str)]) -> String {
        let (parameter, module) = self.names.split_last().expect("a parameter lies in a module");
        let stored = keys.iter().find_map(|(ours, theirs)| translate(module, ours, theirs));
        let module = stored.unwrap_or_else(|| panic!("the key map has no line for {}", self.names.join(".")));
        let parameter = match parameter.as_str() {
            "gamma" => "weight",
            "beta" => "bias",
            same => same,
        };
        format!("{module}.{parameter}")
    }

    /// Whether the parameter here is the weight of a linear layer, which PyTorch stores transposed.
    pub(super) fn is_transposed(&self) -> bool {
        let in_linear = self.containers.last().is_some_and(|container| container == "Struct:Linear");
        in_linear && self.names.last().is_some_and(|name| name == "weight")
    }

    /// The part at the top of the module that the parameter here belongs to.
    pub(super) fn part(&self) -> &str {
        &self.names[0]
    }
}

/// `theirs` with the layer's number in place of `*`, if `module` is what `ours` describes.
fn translate(module: &[String], ours: &str, theirs: &str) -> Option<String> {
    let pattern: Vec<&str> = ours.split('.').collect();
    let fits = pattern.len() == module.len() && pattern.iter().zip(module).all(|(part, name)| *part == "*" || part == name);
    let layer = || pattern.iter().position(|part| *part == "*").map(|at| module[at].as_str());
    fits.then(|| theirs.replace('*', layer().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &[(&str, &str)] = &[("layers.*.norm", "encoder.layer.*.LayerNorm"), ("head", "classifier")];

    fn cursor(path: &str, container: &str) -> Cursor {
        let mut cursor = Cursor::default();
        path.split('.').for_each(|name| cursor.enter(name, container));
        cursor
    }

    #[test]
    fn the_number_of_the_layer_takes_the_place_of_the_star() {
        assert_eq!(cursor("layers.11.norm.gamma", "Struct:LayerNorm").key(KEYS), "encoder.layer.11.LayerNorm.weight");
        assert_eq!(cursor("layers.0.norm.beta", "Struct:LayerNorm").key(KEYS), "encoder.layer.0.LayerNorm.bias");
    }

    #[test]
    fn only_the_weight_of_a_linear_layer_is_transposed() {
        assert!(cursor("head.weight", "Struct:Linear").is_transposed());
        assert!(!cursor("head.bias", "Struct:Linear").is_transposed());
        assert!(!cursor("head.weight", "Struct:Embedding").is_transposed());
    }

    #[test]
    #[should_panic(expected = "the key map has no line for tail.weight")]
    fn a_module_without_a_line_is_a_mistake() {
        cursor("tail.weight", "Struct:Linear").key(KEYS);
    }
}
