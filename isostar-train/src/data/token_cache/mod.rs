//! Token ids from one run to the next: a file for each set of rows, tokenizer and length.
//!
//! A file is found by the SHA-256 of all that its ids depend on, and believed only if it is whole, so that the worst it can do is to be
//! made again.

mod words;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

use isostar_models::{expand_path, user_folder};
use ring::digest::{Context, SHA256};

use super::{DataError, Examples, Question, RowTargets, TextEncoder, TextRow, WindowSettings, Windows};
use crate::whole_file::beside;
use words::{Hash, finish};
pub(super) use words::{WordReader, WordWriter, invalid};

/// What a file begins with. The number goes up when the same rows become other tokens, or are written in another way.
const MAGIC: &[u8; 8] = b"isotok\0\x02";

/// The extension of the files.
const EXTENSION: &str = "tokens";

/// Fewer bytes of text than this are tokenized faster than a file is worth.
const LEAST_TEXT: usize = 1 << 20;

/// The files that were not used for longest are deleted beyond this many bytes of all: 1 GiB.
const MOST_BYTES: u64 = 1 << 30;

/// A folder in which token ids are kept.
#[derive(Debug)]
pub struct TokenCache {
    folder: PathBuf,
    least_text: usize,
    most_bytes: u64,
    failure: OnceLock<String>,
}

impl TokenCache {
    /// A cache in this folder, which is made when it is needed.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), least_text: LEAST_TEXT, most_bytes: MOST_BYTES, failure: OnceLock::new() }
    }

    /// The user's cache: `$ISOSTAR_CACHE/tokens`, where `ISOSTAR_CACHE` is `$XDG_CACHE_HOME/isostar` by default, and that
    /// `~/.cache/isostar`. Both may hold `~` and names of variables: see [`expand_path`].
    pub fn from_env() -> Self {
        Self::from_vars(|name| std::env::var_os(name))
    }

    fn from_vars(var: impl Fn(&str) -> Option<OsString>) -> Self {
        let path = |name: &str| var(name).filter(|value| !value.is_empty()).map(|value| expand_path(value, &var));
        let user = || user_folder(&var).join(".cache");
        let own = path("ISOSTAR_CACHE").unwrap_or_else(|| path("XDG_CACHE_HOME").unwrap_or_else(user).join("isostar"));
        Self::new(own.join("tokens"))
    }

    /// Why ids could not be kept, which is no reason to stop.
    pub fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// [`TextEncoder::encode_targets`], or what it returned in an earlier run.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    pub fn encode(&self, encoder: &TextEncoder, rows: &[TextRow], targets: RowTargets) -> Result<Examples, DataError> {
        assert_eq!(rows.len(), targets.len(), "TokenCache::encode: every row needs a label");
        let Some(key) = self.key(encoder, rows, b"rows") else { return encoder.encode_targets(rows, targets) };
        let tokens = self.kept(
            finish(key),
            |words| encoder.no_tokens(rows).read(words, encoder.ids()).and_then(|tokens| tokens.of_sequences(rows.len())),
            |tokens, words| tokens.write(words),
            || encoder.encode_tokens(rows),
        )?;
        Ok(Examples::new(tokens, targets))
    }

    /// [`TextEncoder::encode_windows`], or what it returned in an earlier run.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    pub fn encode_windows(
        &self,
        encoder: &TextEncoder,
        rows: &[TextRow],
        questions: &[Question],
        settings: WindowSettings,
        path: &Path,
    ) -> Result<Windows, DataError> {
        let make = || encoder.encode_windows(rows, questions, settings, path);
        let Some(mut key) = self.key(encoder, rows, b"windows") else { return make() };
        key.update(&(settings.stride as u64).to_le_bytes());
        key.update(&[u8::from(settings.keep_places)]);
        for answer in questions.iter().map(Question::majority) {
            match answer {
                Some(answer) => {
                    key.update(&(answer.start as u64).to_le_bytes());
                    hash_text(&mut key, &answer.text);
                }
                None => key.update(&u64::MAX.to_le_bytes()),
            }
        }
        let read = |words: &mut Reader| Windows::read(encoder.no_tokens(rows), settings, questions.len(), words, encoder.ids());
        self.kept(finish(key), read, |windows, words| windows.write(words), make)
    }

    /// The hash of what the ids of rows depend on; none where they are not worth keeping.
    fn key(&self, encoder: &TextEncoder, rows: &[TextRow], kind: &[u8]) -> Option<Context> {
        let text = |row: &TextRow| row.text.len() + row.pair.as_ref().map_or(0, String::len);
        if rows.iter().map(text).sum::<usize>() < self.least_text {
            return None;
        }
        let mut key = Context::new(&SHA256);
        for part in [&MAGIC[..], env!("CARGO_PKG_VERSION").as_bytes(), kind, &[u8::from(encoder.has_segments())]] {
            key.update(&(part.len() as u64).to_le_bytes());
            key.update(part);
        }
        // This includes the longest length and the side of truncation, but not whether special tokens in texts are split.
        hash_text(&mut key, &encoder.tokenizer().to_string(false).ok()?);
        key.update(&[u8::from(encoder.tokenizer().get_encode_special_tokens())]);
        for row in rows {
            hash_text(&mut key, &row.text);
            match &row.pair {
                Some(pair) => hash_text(&mut key, pair),
                None => key.update(&u64::MAX.to_le_bytes()),
            }
        }
        Some(key)
    }

    /// What the file of a key holds, or else what is made, which is then kept.
    fn kept<T>(
        &self,
        key: Hash,
        read: impl FnOnce(&mut Reader) -> io::Result<T>,
        write: impl FnOnce(&T, &mut Writer<'_>) -> io::Result<()>,
        make: impl FnOnce() -> Result<T, DataError>,
    ) -> Result<T, DataError> {
        let name: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = self.folder.join(name).with_extension(EXTENSION);
        if let Ok(found) = load(&path, &key, read) {
            return Ok(found);
        }
        let made = make()?;
        if let Err(error) = self.store(&path, &key, |words| write(&made, words)) {
            let _earlier = self.failure.set(format!("token ids are not kept for the next run: {}: {error}", self.folder.display()));
        }
        Ok(made)
    }

    fn store(&self, path: &Path, key: &Hash, write: impl FnOnce(&mut Writer<'_>) -> io::Result<()>) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let file = beside(path)?;
        let mut words = WordWriter::new(BufWriter::new(file.as_file()), &[MAGIC, key])?;
        write(&mut words)?;
        words.end()?;
        file.persist(path)?;
        self.purge()
    }

    /// Deletes the files that were not used for longest, as many as are too many.
    fn purge(&self) -> io::Result<()> {
        let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.folder)?.flatten() {
            let path = entry.path();
            // What a run that was killed has begun to write counts as well.
            let is_own = path.extension().is_some_and(|extension| extension == EXTENSION)
                || entry.file_name().to_string_lossy().starts_with(".writing-");
            if let Some(metadata) = entry.metadata().ok().filter(|metadata| is_own && metadata.is_file()) {
                files.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), metadata.len(), path));
            }
        }
        files.sort_unstable_by(|one, other| other.cmp(one));
        let mut bytes = 0;
        for (_, length, path) in files {
            bytes += length;
            if bytes > self.most_bytes {
                // Another process may have been faster.
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }
}

type Reader = WordReader<BufReader<File>>;
type Writer<'a> = WordWriter<BufWriter<&'a File>>;

/// What a whole file of this key holds.
fn load<T>(path: &Path, key: &Hash, read: impl FnOnce(&mut Reader) -> io::Result<T>) -> io::Result<T> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    // Used now, and so the last to be deleted; where the file may not be written, its age says when it was made.
    let _ = File::options().append(true).open(path).and_then(|file| file.set_modified(SystemTime::now()));
    let mut words = WordReader::new(BufReader::new(file), length, &[MAGIC, key])?;
    let found = read(&mut words)?;
    words.end()?;
    Ok(found)
}

fn hash_text(hash: &mut Context, text: &str) {
    hash.update(&(text.len() as u64).to_le_bytes());
    hash.update(text.as_bytes());
}

#[cfg(test)]
mod tests;
