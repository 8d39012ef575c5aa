//! Reading and writing tokens in a token cache file.

use std::io::{self, Read, Write};

use super::super::segments::Segments;
use super::super::token_cache::{WordReader, WordWriter, invalid};
use super::Tokens;

impl Tokens {
    /// Writes the sequences.
    pub fn write(&self, words: &mut WordWriter<impl Write>) -> io::Result<()> {
        words.put(&self.ids)?;
        words.put(&self.lengths())?;
        words.put(&[u32::try_from(self.cut).map_err(|_| invalid())?])?;
        self.segments.as_ref().map_or(Ok(()), |segments| segments.write(words))
    }

    /// Reads sequences into this empty storage; ids must be below `ids`.
    ///
    /// # Errors
    /// If the content is invalid.
    pub fn read(self, words: &mut WordReader<impl Read>, ids: u32) -> io::Result<Self> {
        let (of_all, lengths, cut) = (words.take()?, words.take()?, words.take()?);
        let mut end = 0_usize;
        let ends = lengths.iter().map(|length| {
            end += *length as usize;
            end
        });
        let offsets: Vec<usize> = std::iter::once(0).chain(ends).collect();
        let segments = self.segments.as_ref().map(|_| Segments::read(words, &lengths)).transpose()?;
        match cut[..] {
            [cut] if end == of_all.len() && cut as usize <= lengths.len() && of_all.iter().all(|id| *id < ids) => {
                Ok(Self { ids: of_all, segments, offsets, cut: cut as usize, ..self })
            }
            _ => Err(invalid()),
        }
    }

    /// Returns the tokens if they have `count` sequences.
    ///
    /// # Errors
    /// If they have another number of sequences.
    pub fn of_sequences(self, count: usize) -> io::Result<Self> {
        if self.len() == count { Ok(self) } else { Err(invalid()) }
    }
}
