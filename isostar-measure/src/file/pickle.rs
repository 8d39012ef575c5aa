//! Detecting Python pickles, which are not supported because reading one can run any program. The
//! remedy is a line of Python that saves the tensors in a plain format.

use std::fmt;
use std::path::Path;

/// The first byte of every pickle of protocol 2 or later; the protocol number follows.
const PROTOCOL: u8 = 0x80;

/// The magic number of `torch.save` before PyTorch 1.6, after the protocol.
const TORCH_NUMBER: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e";

/// The program that wrote a pickle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PickleKind {
    /// `torch.save`: a zip archive with a pickle, or the pickle alone before PyTorch 1.6.
    Torch,
    /// `torch.jit.save`: an archive that also contains a program.
    TorchScript,
    /// `pickle.dump`.
    Python,
}

impl PickleKind {
    /// Detects a pickle without an archive from the first bytes of a file.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        match bytes {
            _ if bytes.starts_with(TORCH_NUMBER) => Some(Self::Torch),
            [PROTOCOL, 2..=5, ..] => Some(Self::Python),
            _ => None,
        }
    }

    /// Detects an archive written by PyTorch from the names of its members.
    pub(super) fn from_members<'a>(names: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let files: Vec<&[u8]> = names.filter_map(|name| name.rsplit(|byte| *byte == b'/').next()).collect();
        match (files.contains(&b"data.pkl".as_slice()), files.contains(&b"constants.pkl".as_slice())) {
            (true, false) => Some(Self::Torch),
            (true, true) => Some(Self::TorchScript),
            (false, _) => None,
        }
    }

    /// Returns the remedy for the file at `path`: a command that saves its tensors in a plain
    /// format beside it.
    pub(super) fn remedy(self, path: &Path) -> String {
        match self {
            Self::Torch | Self::TorchScript => format!("save its tensors in a plain format: {}", self.conversion(path)),
            Self::Python => {
                format!("if you trust its author (a pickle can run any program), save its arrays as .npz: {}", self.conversion(path))
            }
        }
    }

    fn conversion(self, path: &Path) -> String {
        let (source, extension) = match self {
            Self::Torch => (r#"torch.load(sys.argv[1], map_location="cpu", weights_only=True)"#, "safetensors"),
            Self::TorchScript => (r#"torch.jit.load(sys.argv[1], map_location="cpu").state_dict()"#, "safetensors"),
            Self::Python => (r#"pickle.load(open(sys.argv[1], "rb"))"#, "npz"),
        };
        // Tensors of one shape in a list are stacked; values in a dictionary other than tensors are
        // dropped.
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
            Self::Torch => "a PyTorch pickle, as written by torch.save",
            Self::TorchScript => "a TorchScript archive, as written by torch.jit.save",
            Self::Python => "a Python pickle",
        })
    }
}

/// Quotes a path as one word of a shell command.
fn shell_word(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |symbol: char| symbol.is_alphanumeric() || "/._-+=:,@%".contains(symbol);
    if path.chars().all(plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_as_one_word() {
        for (path, word) in [("a/b-c.pt", "a/b-c.pt"), ("my file.pt", "'my file.pt'"), ("it's", r"'it'\''s'")] {
            assert_eq!(shell_word(Path::new(path)), word);
        }
    }

    #[test]
    fn the_command_never_overwrites_its_input() {
        let line = PickleKind::Torch.conversion(Path::new("states.safetensors"));
        assert!(line.ends_with(" states.safetensors states.plain.safetensors"), "{line}");
        let line = PickleKind::Python.conversion(Path::new("states.npz"));
        assert!(line.ends_with(" states.npz states.plain.npz"), "{line}");
    }
}
