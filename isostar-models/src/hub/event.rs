use super::error::HubError;

/// An event during [`fetch`](super::fetch), [`fetch_weights`](super::fetch_weights) or
/// [`fetch_dataset`](super::fetch_dataset).
#[derive(Debug)]
#[non_exhaustive]
pub enum HubEvent<'a> {
    /// Bytes of a file were received. The first event of a file precedes its first byte; the last
    /// event reports the complete file.
    Progress {
        /// The file's name in the repository.
        file: &'a str,
        /// Number of bytes on the disk, including those of an earlier, interrupted download.
        received: u64,
        /// Size of the file in bytes.
        total: u64,
    },
    /// Another process is downloading this file. The call waits for it.
    Waiting {
        /// The file's name in the repository.
        file: &'a str,
    },
    /// The hub cannot be reached. The cached files are used; they may be out of date.
    FromCache {
        /// The error of the connection to the hub.
        cause: &'a HubError,
    },
}
