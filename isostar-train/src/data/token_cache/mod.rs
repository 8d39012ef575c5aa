//! Cache of token ids across runs: one file for each combination of rows, tokenizer and maximum
//! length.
//!
//! A file's name is the SHA-256 hash of everything that its ids depend on. Its content is verified
//! by a second hash; a damaged file is written anew.

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

/// First bytes of every file. The version number increases when tokenization or the file format
/// changes.
const MAGIC: &[u8; 8] = b"isotok\0\x02";

/// Extension of cache files.
const EXTENSION: &str = "tokens";

/// Minimum size of the text, in bytes; smaller texts are not worth caching.
const LEAST_TEXT: usize = 1 << 20;

/// Maximum total size, 1 GiB; beyond it, the least recently used files are deleted.
const MOST_BYTES: u64 = 1 << 30;

/// Folder that caches token ids.
#[derive(Debug)]
pub struct TokenCache {
    folder: PathBuf,
    least_text: usize,
    most_bytes: u64,
    failure: OnceLock<String>,
}

impl TokenCache {
    /// Cache in `folder`, which is created when needed.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), least_text: LEAST_TEXT, most_bytes: MOST_BYTES, failure: OnceLock::new() }
    }

    /// The user's cache, `$ISOSTAR_CACHE/tokens`.
    ///
    /// `ISOSTAR_CACHE` defaults to `$XDG_CACHE_HOME/isostar`, and `XDG_CACHE_HOME` to `~/.cache`.
    /// Both may contain `~` and environment variables, see [`expand_path`].
    pub fn from_env() -> Self {
        Self::from_vars(|name| std::env::var_os(name))
    }

    fn from_vars(var: impl Fn(&str) -> Option<OsString>) -> Self {
        let path = |name: &str| var(name).filter(|value| !value.is_empty()).map(|value| expand_path(value, &var));
        let user = || user_folder(&var).join(".cache");
        let own = path("ISOSTAR_CACHE").unwrap_or_else(|| path("XDG_CACHE_HOME").unwrap_or_else(user).join("isostar"));
        Self::new(own.join("tokens"))
    }

    /// Reason why ids could not be cached, if caching failed. Encoding itself is not affected.
    pub fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// Cached [`TextEncoder::encode_targets`].
    ///
    /// # Errors
    /// Those of [`TextEncoder::encode_targets`].
    ///
    /// # Panics
    /// If the numbers of targets and rows differ.
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

    /// Cached [`TextEncoder::encode_windows`].
    ///
    /// # Errors
    /// Those of [`TextEncoder::encode_windows`].
    ///
    /// # Panics
    /// If the numbers of questions and rows differ.
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

    /// Hash of everything that the ids of the rows depend on; `None` if the rows are not worth
    /// caching.
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
        // Includes the maximum length and the side of truncation, but not whether special tokens in
        // texts are split.
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

    /// Reads the cache file of a key; if there is none, computes the value and stores it.
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
            let _earlier = self.failure.set(format!("token ids could not be cached for later runs: {}: {error}", self.folder.display()));
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

    /// Deletes the least recently used files beyond the maximum total size.
    fn purge(&self) -> io::Result<()> {
        let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.folder)?.flatten() {
            let path = entry.path();
            // Partial files of interrupted runs count as well.
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
                // Another process may already have deleted it.
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }
}

type Reader = WordReader<BufReader<File>>;
type Writer<'a> = WordWriter<BufWriter<&'a File>>;

/// Reads and verifies the cache file of a key.
fn load<T>(path: &Path, key: &Hash, read: impl FnOnce(&mut Reader) -> io::Result<T>) -> io::Result<T> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    // Mark the file as recently used; if it is read-only, its modification time stays.
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
