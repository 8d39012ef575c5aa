//! Detecting Python pickles, which are not supported because reading one can run any program.

use std::fmt;

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
        let files: Vec<&[u8]> = names
            .filter_map(|name| name.rsplit(|byte| *byte == b'/').next())
            .collect();
        match (
            files.contains(&b"data.pkl".as_slice()),
            files.contains(&b"constants.pkl".as_slice()),
        ) {
            (true, false) => Some(Self::Torch),
            (true, true) => Some(Self::TorchScript),
            (false, _) => None,
        }
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
