//! Download of one file into the cache. A file in the cache is not downloaded again, and a partial
//! download is resumed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};

use super::cache::Cache;
use super::client::{Announced, Client};
use super::error::HubError;
use super::event::HubEvent;
use super::files::{self, Listing};
use super::repository::Repository;

const CHUNK: usize = 256 << 10;

/// The download of one repository.
pub(super) struct Download<'a> {
    pub(super) repository: Repository<'a>,
    pub(super) client: &'a Client<'a>,
    pub(super) cache: &'a Cache<'a>,
    pub(super) listing: &'a Listing,
    pub(super) observer: &'a mut dyn FnMut(HubEvent<'_>),
}

impl Download<'_> {
    /// Downloads a file unless it is in the cache, and returns its path.
    pub(super) fn bring(&mut self, file: &str) -> Result<PathBuf, HubError> {
        let size = self.listing.sizes.get(file);
        let size = *size.ok_or_else(|| files::missing(self.repository, file))?;
        let pointer = self.cache.snapshot(&self.listing.sha).join(file);
        if length(&pointer).is_some_and(|length| size.is_none_or(|size| size == length)) {
            return Ok(pointer);
        }
        let announced = self.client.announce(&self.listing.sha, file)?;
        let blob = self.cache.blob(&announced.etag);
        let is_whole = || length(&blob) == Some(announced.size);
        if is_whole() {
            return Ok(blob);
        }
        let partial = self.cache.partial(&announced.etag, || {
            (self.observer)(HubEvent::Waiting { file })
        })?;
        // Another process may have completed the file while this one waited.
        if !is_whole() {
            self.collect(file, &announced, &partial.path)?;
            fs::rename(&partial.path, &blob).map_err(HubError::io("write", &blob))?;
        }
        Ok(blob)
    }

    /// Downloads the missing part of the file at `path`, and checks the complete file.
    fn collect(&mut self, file: &str, announced: &Announced, path: &Path) -> Result<(), HubError> {
        let failed = || HubError::io("write", path);
        let mut part = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(failed())?;
        let mut received = part.metadata().map_err(failed())?.len();
        if received > announced.size {
            received = 0;
        }
        if received < announced.size || announced.size == 0 {
            let (continued, body) = self.client.open(&self.listing.sha, file, received)?;
            if !continued {
                received = 0;
            }
            part.set_len(received).map_err(failed())?;
            self.receive(file, announced, path, &mut part, received, body)?;
        }
        part.sync_all().map_err(failed())?;
        check(file, announced, path, &mut part)
    }

    /// Writes the content of a response to the file, and reports progress to the observer.
    fn receive(
        &mut self,
        file: &str,
        announced: &Announced,
        path: &Path,
        part: &mut File,
        mut received: u64,
        mut body: impl Read,
    ) -> Result<(), HubError> {
        let total = announced.size;
        let mut chunk = vec![0; CHUNK];
        (self.observer)(HubEvent::Progress {
            file,
            received,
            total,
        });
        while received <= total {
            let source = match body.read(&mut chunk) {
                Ok(0) if received < total => io::ErrorKind::UnexpectedEof.into(),
                Ok(0) => break,
                Ok(count) => {
                    part.write_all(&chunk[..count])
                        .map_err(HubError::io("write", path))?;
                    received += count as u64;
                    (self.observer)(HubEvent::Progress {
                        file,
                        received,
                        total,
                    });
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            return Err(HubError::Interrupted {
                file: file.to_string(),
                received,
                total,
                source,
            });
        }
        Ok(())
    }
}

/// Compares the downloaded file with its description, and deletes it if they differ.
fn check(file: &str, announced: &Announced, path: &Path, part: &mut File) -> Result<(), HubError> {
    let size = part.metadata().map_err(HubError::io("read", path))?.len();
    let (expected, found) = match &announced.sha256 {
        Some(sha256) if size == announced.size => (
            sha256.to_lowercase(),
            hash(part).map_err(HubError::io("read", path))?,
        ),
        _ => (format!("{} bytes", announced.size), format!("{size} bytes")),
    };
    if expected == found {
        return Ok(());
    }
    fs::remove_file(path).map_err(HubError::io("delete", path))?;
    Err(HubError::Damaged {
        file: file.to_string(),
        expected,
        found,
    })
}

/// The SHA-256 of a file, in hexadecimal digits.
fn hash(file: &mut File) -> io::Result<String> {
    file.rewind()?;
    let mut context = Context::new(&SHA256);
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk)? {
            0 => {
                return Ok(context
                    .finish()
                    .as_ref()
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect());
            }
            count => context.update(&chunk[..count]),
        }
    }
}

fn length(path: &Path) -> Option<u64> {
    fs::metadata(path)
        .ok()
        .filter(|metadata| metadata.is_file())
        .map(|metadata| metadata.len())
}
