//! Manifests: the sizes and hashes that say whether files are whole.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

/// The file name of a manifest.
pub(in crate::experiment) const MANIFEST: &str = "manifest.json";

/// Size and SHA-256 of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::experiment) struct FileDigest {
    pub bytes: u64,
    pub sha256: String,
}

impl FileDigest {
    /// Returns the digest of bytes.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.len() as u64,
            sha256: hex(ring::digest::digest(&SHA256, bytes).as_ref()),
        }
    }

    /// Returns the digest of a file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn from_file(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut context = Context::new(&SHA256);
        let mut buffer = vec![0; 1 << 20];
        let mut bytes = 0;
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                return Ok(Self {
                    bytes,
                    sha256: hex(context.finish().as_ref()),
                });
            }
            context.update(&buffer[..read]);
            bytes += read as u64;
        }
    }
}

/// Returns the SHA-256 of everything that `feed` passes on.
pub(in crate::experiment) fn sha256(feed: impl FnOnce(&mut dyn FnMut(&[u8]))) -> String {
    let mut context = Context::new(&SHA256);
    feed(&mut |bytes| context.update(bytes));
    hex(context.finish().as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Files with their digests, and the place of a snapshot in its run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::experiment) struct Manifest {
    /// Number of steps that the run has taken.
    pub step: usize,
    /// Number of completed epochs.
    pub epochs: usize,
    /// Validation score of the last epoch, higher is better; `None` within an epoch.
    pub score: Option<f64>,
    /// The files by name, relative to the folder of the manifest.
    pub files: BTreeMap<String, FileDigest>,
}

/// A manifest with its own hash, as written.
#[derive(Serialize, Deserialize)]
struct Sealed {
    manifest: Manifest,
    sha256: String,
}

impl Manifest {
    /// Returns the text of the manifest file.
    pub fn to_json(&self) -> String {
        let sealed = Sealed {
            manifest: self.clone(),
            sha256: self.hash(),
        };
        serde_json::to_string_pretty(&sealed).expect("a manifest is plain values") + "\n"
    }

    fn hash(&self) -> String {
        FileDigest::from_bytes(&serde_json::to_vec(self).expect("a manifest is plain values"))
            .sha256
    }

    /// Reads the manifest of a folder, without reading its files.
    ///
    /// # Errors
    /// If it is missing, malformed or altered; the message names the fault.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let bytes =
            fs::read(folder.join(MANIFEST)).map_err(|error| format!("{MANIFEST}: {error}"))?;
        let sealed: Sealed = serde_json::from_slice(&bytes)
            .map_err(|error| format!("{MANIFEST} is damaged: {error}"))?;
        if sealed.manifest.hash() != sealed.sha256 {
            return Err(format!("{MANIFEST} is damaged: its hash differs"));
        }
        Ok(sealed.manifest)
    }

    /// Returns the files that are not as the manifest says, each with its fault.
    pub fn faults(&self, folder: &Path) -> Vec<String> {
        let fault = |(name, expected): (&String, &FileDigest)| match FileDigest::from_file(
            &folder.join(name),
        ) {
            Err(error) => Some(format!("{name}: {error}")),
            Ok(found) if found.bytes != expected.bytes => Some(format!(
                "{name} is damaged: it has {} bytes instead of {}",
                found.bytes, expected.bytes
            )),
            Ok(found) if found != *expected => {
                Some(format!("{name} is damaged: its SHA-256 differs"))
            }
            Ok(_) => None,
        };
        self.files.iter().filter_map(fault).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(folder: &Path) -> Manifest {
        let files = [("a.bin", "first"), ("b.bin", "second")].map(|(name, text)| {
            fs::write(folder.join(name), text).unwrap();
            (name.to_string(), FileDigest::from_bytes(text.as_bytes()))
        });
        let manifest = Manifest {
            step: 7,
            epochs: 1,
            score: Some(0.1 + 0.2),
            files: files.into(),
        };
        fs::write(folder.join(MANIFEST), manifest.to_json()).unwrap();
        manifest
    }

    #[test]
    fn a_manifest_finds_every_file_that_is_not_as_written() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let manifest = written(at);
        assert_eq!(Manifest::read(at).unwrap(), manifest);
        assert!(manifest.faults(at).is_empty());
        for (content, fault) in [
            ("firs", "4 bytes instead of 5"),
            ("fIrst", "SHA-256 differs"),
            ("", "0 bytes instead of 5"),
        ] {
            fs::write(at.join("a.bin"), content).unwrap();
            let [found] = &manifest.faults(at)[..] else {
                panic!("{content:?}")
            };
            assert!(
                found.starts_with("a.bin") && found.contains(fault),
                "{found}"
            );
        }
        fs::remove_file(at.join("b.bin")).unwrap();
        assert_eq!(manifest.faults(at).len(), 2);
    }

    #[test]
    fn no_byte_of_a_manifest_can_change_its_meaning() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let manifest = written(at);
        let text = fs::read(at.join(MANIFEST)).unwrap();
        for at_byte in 0..text.len() {
            for with in [0, b'0', b' ', text[at_byte] ^ 1] {
                let mut altered = text.clone();
                altered[at_byte] = with;
                fs::write(at.join(MANIFEST), altered).unwrap();
                if let Ok(read) = Manifest::read(at) {
                    assert_eq!(read, manifest, "byte {at_byte} as {with}");
                }
            }
        }
    }
}
