//! Reading and writing windows in a token cache file.

use std::io::{self, Read, Write};

use super::super::token_cache::{WordReader, WordWriter, invalid};
use super::super::tokens::Tokens;
use super::{CharSpan, WindowSettings, Windows};

/// Start and end that encode a token without a span.
const NOWHERE: u32 = u32::MAX;

impl Windows {
    /// Writes the windows.
    pub(in super::super) fn write(&self, words: &mut WordWriter<impl Write>) -> io::Result<()> {
        self.tokens.write(words)?;
        words.put(&self.questions)?;
        words.put(self.answers.as_flattened())?;
        if let Some(places) = &self.places {
            let ends: Vec<u32> = places.iter().flat_map(|place| <[u32; 2]>::from(place.unwrap_or((NOWHERE, NOWHERE)))).collect();
            words.put(&ends)?;
        }
        Ok(())
    }

    /// Reads windows of `questions` questions into the empty storage `tokens`; ids must be below
    /// `ids`.
    ///
    /// # Errors
    /// If the content is invalid.
    pub(in super::super) fn read(
        tokens: Tokens,
        settings: WindowSettings,
        questions: usize,
        words: &mut WordReader<impl Read>,
        ids: u32,
    ) -> io::Result<Self> {
        let tokens = tokens.read(words, ids)?;
        let (from_windows, answers) = (words.take()?, words.take()?);
        let (answers, rest) = answers.as_chunks::<2>();
        let places = if settings.keep_places { Some(read_places(words)?) } else { None };
        let is_whole = rest.is_empty()
            && from_windows.len() == tokens.len()
            && from_windows.iter().all(|question| (*question as usize) < questions)
            && answers.len() == tokens.len()
            && answers.iter().zip(tokens.lengths()).all(|(ends, length)| ends.iter().all(|end| *end < length.max(1)))
            && places.as_ref().is_none_or(|places| places.len() == tokens.count());
        if is_whole { Ok(Self { tokens, questions: from_windows, answers: answers.to_vec(), places }) } else { Err(invalid()) }
    }
}

fn read_places(words: &mut WordReader<impl Read>) -> io::Result<Vec<CharSpan>> {
    let ends = words.take()?;
    let (places, rest) = ends.as_chunks::<2>();
    let place = |[start, end]: &[u32; 2]| (*start != NOWHERE).then_some((*start, *end));
    if rest.is_empty() { Ok(places.iter().map(place).collect()) } else { Err(invalid()) }
}
