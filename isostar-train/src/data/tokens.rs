//! Sequences of token ids, without padding, until a batch of them is asked for.

mod stored;

use std::ops::Range;

use burn::tensor::Device;
use isostar_models::TokenBatch;
use tokenizers::Encoding;

use super::segments::Segments;
use super::{PaddingSide, pad};

/// Token ids and segments of any number of sequences, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tokens {
    ids: Vec<u32>,
    /// The segment of each token; none where all belong to segment 0.
    segments: Option<Segments>,
    /// Where each sequence begins in `ids`, and at last where the last one ends.
    offsets: Vec<usize>,
    /// How many sequences lost tokens to the longest length.
    cut: usize,
    padding_id: u32,
    padding_side: PaddingSide,
}

impl Tokens {
    /// No sequences yet.
    pub fn new(has_segments: bool, padding_id: u32, padding_side: PaddingSide) -> Self {
        Self { ids: Vec::new(), segments: has_segments.then(Segments::default), offsets: vec![0], cut: 0, padding_id, padding_side }
    }

    /// Adds one sequence.
    pub fn push(&mut self, encoding: &Encoding) {
        self.ids.extend_from_slice(encoding.get_ids());
        if let Some(segments) = &mut self.segments {
            segments.push(encoding.get_type_ids());
        }
        self.cut += usize::from(!encoding.get_overflowing().is_empty());
        self.offsets.push(self.ids.len());
    }

    /// Gives back what was reserved for more.
    pub fn shrink(&mut self) {
        self.ids.shrink_to_fit();
        if let Some(segments) = &mut self.segments {
            segments.shrink();
        }
        self.offsets.shrink_to_fit();
    }

    /// The number of sequences.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The number of tokens.
    pub fn count(&self) -> usize {
        self.ids.len()
    }

    /// How many sequences lost tokens to the longest length.
    pub fn cut(&self) -> usize {
        self.cut
    }

    /// The ids of a sequence.
    pub fn ids(&self, sequence: u32) -> &[u32] {
        &self.ids[self.span(sequence)]
    }

    /// The segment of each token of a sequence; `None` where all tokens of all sequences belong to segment 0.
    pub fn type_ids(&self, sequence: u32) -> Option<Vec<u32>> {
        self.segments.as_ref().map(|segments| segments.of(sequence, self.span(sequence).len()))
    }

    /// Where a sequence stands among all tokens.
    pub fn span(&self, sequence: u32) -> Range<usize> {
        let sequence = sequence as usize;
        self.offsets[sequence]..self.offsets[sequence + 1]
    }

    /// The length of each sequence.
    pub fn lengths(&self) -> Vec<u32> {
        self.offsets.windows(2).map(|ends| (ends[1] - ends[0]) as u32).collect()
    }

    /// The id that fills sequences up to the longest one of a batch.
    pub fn padding_id(&self) -> u32 {
        self.padding_id
    }

    /// The side on which they are filled.
    pub fn padding_side(&self) -> PaddingSide {
        self.padding_side
    }

    /// The sequences, padded to the longest of them, on the device.
    ///
    /// # Panics
    /// If there are none.
    pub fn batch(&self, sequences: &[u32], device: &Device) -> TokenBatch {
        let type_ids: Vec<_> = sequences.iter().map(|sequence| self.type_ids(*sequence)).collect();
        let sequences: Vec<_> =
            sequences.iter().zip(&type_ids).map(|(sequence, type_ids)| (self.ids(*sequence), type_ids.as_deref())).collect();
        pad(&sequences, self.padding_id, self.padding_side, device)
    }
}
