//! Which segment each token belongs to, for the price of one number a sequence.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use super::token_cache::{WordReader, WordWriter, invalid};

/// The segments of sequences of tokens.
///
/// Nearly always the tokens of the first text are of segment 0 and those of the second, which follow, of segment 1: where the second begins
/// says it all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Segments {
    /// Where the tokens of segment 1 begin in each sequence; its length where there are none.
    seconds: Vec<u32>,
    /// The segments of the sequences in which they are otherwise.
    others: BTreeMap<u32, Vec<u32>>,
}

impl Segments {
    /// Adds one sequence.
    pub fn push(&mut self, type_ids: &[u32]) {
        let second = type_ids.iter().position(|segment| *segment != 0).unwrap_or(type_ids.len());
        if type_ids[second..].iter().any(|segment| *segment != 1) {
            self.others.insert(self.seconds.len() as u32, type_ids.to_vec());
        }
        self.seconds.push(second as u32);
    }

    /// The segment of each of the `tokens` tokens of a sequence.
    pub fn of(&self, sequence: u32, tokens: usize) -> Vec<u32> {
        match self.others.get(&sequence) {
            Some(type_ids) => type_ids.clone(),
            None => {
                let second = self.seconds[sequence as usize] as usize;
                (0..tokens).map(|token| u32::from(token >= second)).collect()
            }
        }
    }

    /// Writes the segments to a file of the token cache.
    pub fn write(&self, words: &mut WordWriter<impl Write>) -> io::Result<()> {
        words.put(&self.seconds)?;
        words.put(&self.others.keys().copied().collect::<Vec<_>>())?;
        self.others.values().try_for_each(|type_ids| words.put(type_ids))
    }

    /// Reads the segments of sequences of these lengths.
    ///
    /// # Errors
    /// If that is not what was written.
    pub fn read(words: &mut WordReader<impl Read>, lengths: &[u32]) -> io::Result<Self> {
        let (seconds, sequences) = (words.take()?, words.take()?);
        let mut others = BTreeMap::new();
        for sequence in sequences {
            let type_ids = words.take()?;
            if lengths.get(sequence as usize).is_none_or(|length| *length as usize != type_ids.len()) {
                return Err(invalid());
            }
            others.insert(sequence, type_ids);
        }
        let is_whole = seconds.len() == lengths.len() && seconds.iter().zip(lengths).all(|(second, length)| second <= length);
        if is_whole { Ok(Self { seconds, others }) } else { Err(invalid()) }
    }

    /// Gives back what was reserved for more.
    pub fn shrink(&mut self) {
        self.seconds.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_of_any_kind_come_back_as_they_were() {
        let sequences: [&[u32]; 7] = [&[0, 0, 1, 1], &[0, 0, 0], &[1, 1], &[], &[0, 1, 0, 0], &[0, 0, 1, 1, 2], &[3]];
        let mut segments = Segments::default();
        sequences.iter().for_each(|type_ids| segments.push(type_ids));
        for (sequence, type_ids) in (0..).zip(sequences) {
            assert_eq!(segments.of(sequence, type_ids.len()), type_ids);
        }
        assert_eq!(segments.others.len(), 3, "only those that are otherwise are kept whole");
    }
}
