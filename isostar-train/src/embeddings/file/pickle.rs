//! Python's pickles, which are not read because a pickle is a program: what wrote one, and the line of Python that saves its tensors as plain ones.

use std::fmt;
use std::path::Path;

/// What every pickle of protocol 2 or later begins with; the protocol's number follows.
const PROTOCOL: u8 = 0x80;

/// The number that `torch.save` pickled first before PyTorch 1.6, behind the protocol.
const TORCH_NUMBER: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e";

/// What wrote a pickle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PickleKind {
    /// `torch.save`: a zip archive around a pickle, or the pickle alone before PyTorch 1.6.
    Torch,
    /// `torch.jit.save`: an archive that also holds a program.
    TorchScript,
    /// `pickle.dump`.
    Python,
}

impl PickleKind {
    /// What wrote the file that begins with `bytes`, if it is a pickle without an archive around it.
    pub(super) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        match bytes {
            _ if bytes.starts_with(TORCH_NUMBER) => Some(Self::Torch),
            [PROTOCOL, 2..=5, ..] => Some(Self::Python),
            _ => None,
        }
    }

    /// What wrote the zip archive with members of these names, if it is one of PyTorch.
    pub(super) fn of_members<'a>(names: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let files: Vec<&[u8]> = names.filter_map(|name| name.rsplit(|byte| *byte == b'/').next()).collect();
        match (files.contains(&b"data.pkl".as_slice()), files.contains(&b"constants.pkl".as_slice())) {
            (true, false) => Some(Self::Torch),
            (true, true) => Some(Self::TorchScript),
            (false, _) => None,
        }
    }

    /// What to do with the file at `path`: the line that saves its tensors as plain ones beside it.
    pub(super) fn remedy(self, path: &Path) -> String {
        match self {
            Self::Torch | Self::TorchScript => format!("save its tensors as plain ones: {}", self.conversion(path)),
            Self::Python => {
                format!("save its arrays as plain ones, if you trust its author, as it may run any program: {}", self.conversion(path))
            }
        }
    }

    fn conversion(self, path: &Path) -> String {
        let (source, extension) = match self {
            Self::Torch => (r#"torch.load(sys.argv[1], map_location="cpu", weights_only=True)"#, "safetensors"),
            Self::TorchScript => (r#"torch.jit.load(sys.argv[1], map_location="cpu").state_dict()"#, "safetensors"),
            Self::Python => (r#"pickle.load(open(sys.argv[1], "rb"))"#, "npz"),
        };
        // A list of tensors of one shape is stacked as a tensor's own rows are; other values in a dictionary, such as texts, are left out.
        let program = match self {
            Self::Torch | Self::TorchScript => format!(
                r#"import sys, torch; from safetensors.torch import save_file; x = {source}; x = x if isinstance(x, dict) else {{"embeddings": torch.stack(list(x))}}; x = {{name: value.detach().contiguous().clone() for name, value in x.items() if torch.is_tensor(value)}}; save_file(x, sys.argv[2]) if x else sys.exit("no tensors")"#
            ),
            Self::Python => format!(
                r#"import pickle, sys, numpy; x = {source}; numpy.savez(sys.argv[2], **(x if isinstance(x, dict) else {{"embeddings": x}}))"#
            ),
        };
        let mut target = path.with_extension(extension);
        if target == path {
            target = path.with_extension(format!("plain.{extension}"));
        }
        format!("python -c '{program}' {} {}", shell_word(path), shell_word(&target))
    }
}

impl fmt::Display for PickleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Torch => "a PyTorch pickle, as torch.save writes",
            Self::TorchScript => "a TorchScript archive, as torch.jit.save writes",
            Self::Python => "a Python pickle",
        })
    }
}

/// A path as one word of a shell's command line.
fn shell_word(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |symbol: char| symbol.is_alphanumeric() || "/._-+=:,@%".contains(symbol);
    if path.chars().all(plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_the_line() {
        for (path, word) in [("a/b-c.pt", "a/b-c.pt"), ("my file.pt", "'my file.pt'"), ("it's", r"'it'\''s'")] {
            assert_eq!(shell_word(Path::new(path)), word);
        }
    }

    #[test]
    fn the_line_never_writes_over_its_own_file() {
        let line = PickleKind::Torch.conversion(Path::new("states.safetensors"));
        assert!(line.ends_with(" states.safetensors states.plain.safetensors"), "{line}");
        let line = PickleKind::Python.conversion(Path::new("states.npz"));
        assert!(line.ends_with(" states.npz states.plain.npz"), "{line}");
    }
}
