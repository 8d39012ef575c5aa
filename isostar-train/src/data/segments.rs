//! Segments of tokens, stored as one number per sequence.

use std::collections::BTreeMap;

/// Segments of sequences of tokens.
///
/// In nearly all sequences, the tokens of the first text have segment 0 and the following tokens of
/// the second text have segment 1, so only the start of the second text is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Segments {
    /// Start of segment 1 in each sequence; the sequence's length if it has no segment 1.
    seconds: Vec<u32>,
    /// Full segments of the sequences with any other pattern, by index of the sequence.
    others: BTreeMap<u32, Vec<u32>>,
}

impl Segments {
    /// Adds one sequence.
    pub fn push(&mut self, type_ids: &[u32]) {
        let second = type_ids
            .iter()
            .position(|segment| *segment != 0)
            .unwrap_or(type_ids.len());
        if type_ids[second..].iter().any(|segment| *segment != 1) {
            self.others
                .insert(self.seconds.len() as u32, type_ids.to_vec());
        }
        self.seconds.push(second as u32);
    }

    /// Segment of each of the `tokens` tokens of a sequence.
    pub fn of(&self, sequence: u32, tokens: usize) -> Vec<u32> {
        match self.others.get(&sequence) {
            Some(type_ids) => type_ids.clone(),
            None => {
                let second = self.seconds[sequence as usize] as usize;
                (0..tokens)
                    .map(|token| u32::from(token >= second))
                    .collect()
            }
        }
    }

    /// Releases unused capacity.
    pub fn shrink(&mut self) {
        self.seconds.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_of_any_pattern_are_returned_unchanged() {
        let sequences: [&[u32]; 7] = [
            &[0, 0, 1, 1],
            &[0, 0, 0],
            &[1, 1],
            &[],
            &[0, 1, 0, 0],
            &[0, 0, 1, 1, 2],
            &[3],
        ];
        let mut segments = Segments::default();
        sequences
            .iter()
            .for_each(|type_ids| segments.push(type_ids));
        for (sequence, type_ids) in (0..).zip(sequences) {
            assert_eq!(segments.of(sequence, type_ids.len()), type_ids);
        }
        assert_eq!(
            segments.others.len(),
            3,
            "only the other patterns are stored in full"
        );
    }
}
