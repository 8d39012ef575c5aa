//! File format of the token cache: lists of 32-bit words, followed by a hash of the whole content.

use std::io::{self, ErrorKind, Read, Write};

use ring::digest::{Context, SHA256, SHA256_OUTPUT_LEN};

/// Words buffered at a time.
const CHUNK: usize = 1 << 14;

/// SHA-256 hash.
pub(super) type Hash = [u8; SHA256_OUTPUT_LEN];

/// Returns the value of a finished hash.
pub(super) fn finish(context: Context) -> Hash {
    context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Error for a file whose content is invalid.
pub(in super::super) fn invalid() -> io::Error {
    ErrorKind::InvalidData.into()
}

/// Writer of lists of words.
pub(in super::super) struct WordWriter<W> {
    to: W,
    hash: Context,
}

impl<W: Write> WordWriter<W> {
    /// Creates a writer and writes the bytes of the header.
    pub(super) fn new(to: W, head: &[&[u8]]) -> io::Result<Self> {
        let mut writer = Self { to, hash: Context::new(&SHA256) };
        head.iter().try_for_each(|bytes| writer.bytes(bytes))?;
        Ok(writer)
    }

    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.to.write_all(bytes)
    }

    /// Writes a list of words.
    pub fn put(&mut self, words: &[u32]) -> io::Result<()> {
        self.bytes(&(words.len() as u64).to_le_bytes())?;
        let mut chunk = Vec::with_capacity(4 * CHUNK.min(words.len()));
        for words in words.chunks(CHUNK) {
            chunk.clear();
            chunk.extend(words.iter().flat_map(|word| word.to_le_bytes()));
            self.bytes(&chunk)?;
        }
        Ok(())
    }

    /// Writes the hash of all preceding bytes.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.to.write_all(&finish(self.hash))?;
        self.to.flush()
    }
}

/// Reader of files written by [`WordWriter`].
pub(in super::super) struct WordReader<R> {
    from: R,
    hash: Context,
    /// Unread bytes before the hash.
    left: u64,
}

impl<R: Read> WordReader<R> {
    /// Creates a reader of a file of `length` bytes and checks its header.
    pub(super) fn new(from: R, length: u64, head: &[&[u8]]) -> io::Result<Self> {
        let left = length.checked_sub(SHA256_OUTPUT_LEN as u64).ok_or_else(invalid)?;
        let mut reader = Self { from, hash: Context::new(&SHA256), left };
        for expected in head {
            let mut found = vec![0; expected.len()];
            reader.bytes(&mut found)?;
            if found != *expected {
                return Err(invalid());
            }
        }
        Ok(reader)
    }

    fn bytes(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(invalid)?;
        self.from.read_exact(bytes)?;
        self.hash.update(bytes);
        Ok(())
    }

    /// Reads the next list of words.
    pub fn take(&mut self) -> io::Result<Vec<u32>> {
        let mut length = [0; 8];
        self.bytes(&mut length)?;
        // Reject a declared length that exceeds the file before reserving memory for it.
        let length =
            usize::try_from(u64::from_le_bytes(length)).ok().filter(|length| *length as u64 <= self.left / 4).ok_or_else(invalid)?;
        let mut words = Vec::with_capacity(length);
        let mut chunk = vec![0; 4 * CHUNK.min(length)];
        while words.len() < length {
            let bytes = &mut chunk[..4 * CHUNK.min(length - words.len())];
            self.bytes(bytes)?;
            words.extend(bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)));
        }
        Ok(words)
    }

    /// Checks that the whole content was read and that its hash is correct.
    pub(super) fn end(mut self) -> io::Result<()> {
        let mut expected = Hash::default();
        self.from.read_exact(&mut expected)?;
        if self.left == 0 && expected == finish(self.hash) { Ok(()) } else { Err(invalid()) }
    }
}
