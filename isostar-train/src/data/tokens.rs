//! Storage of token id sequences, without padding.

use std::ops::Range;

use burn::tensor::Device;
use isostar_models::TokenBatch;
use tokenizers::Encoding;

use super::batch::feed_numbers;
use super::segments::Segments;
use super::{BatchWidth, PaddingSide, pad};

/// Concatenated token ids and segments of sequences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tokens {
    ids: Vec<u32>,
    /// Segments; `None` if all tokens belong to segment 0.
    segments: Option<Segments>,
    /// Start of each sequence in `ids`, followed by the end of the last one.
    offsets: Vec<usize>,
    /// Number of truncated sequences.
    cut: usize,
    padding_id: u32,
    padding_side: PaddingSide,
    width: BatchWidth,
}

impl Tokens {
    /// Creates an empty storage.
    pub fn new(has_segments: bool, padding_id: u32, padding_side: PaddingSide) -> Self {
        Self {
            ids: Vec::new(),
            segments: has_segments.then(Segments::default),
            offsets: vec![0],
            cut: 0,
            padding_id,
            padding_side,
            width: BatchWidth::default(),
        }
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

    /// Releases unused capacity.
    pub fn shrink(&mut self) {
        self.ids.shrink_to_fit();
        if let Some(segments) = &mut self.segments {
            segments.shrink();
        }
        self.offsets.shrink_to_fit();
    }

    /// Number of sequences.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Number of tokens.
    pub fn count(&self) -> usize {
        self.ids.len()
    }

    /// Number of truncated sequences.
    pub fn cut(&self) -> usize {
        self.cut
    }

    /// Token ids of a sequence.
    pub fn ids(&self, sequence: u32) -> &[u32] {
        &self.ids[self.span(sequence)]
    }

    /// Segment of each token of a sequence; `None` if all tokens of all sequences belong to segment
    /// 0.
    pub fn type_ids(&self, sequence: u32) -> Option<Vec<u32>> {
        self.segments
            .as_ref()
            .map(|segments| segments.of(sequence, self.span(sequence).len()))
    }

    /// Range of a sequence among all tokens.
    pub fn span(&self, sequence: u32) -> Range<usize> {
        let sequence = sequence as usize;
        self.offsets[sequence]..self.offsets[sequence + 1]
    }

    /// Length of each sequence.
    pub fn lengths(&self) -> Vec<u32> {
        self.offsets
            .windows(2)
            .map(|ends| (ends[1] - ends[0]) as u32)
            .collect()
    }

    /// Passes all sequences to a hash.
    pub fn feed(&self, sink: &mut dyn FnMut(&[u8])) {
        sink(&(self.len() as u64).to_le_bytes());
        for sequence in 0..self.len() as u32 {
            let ids = self.ids(sequence).iter();
            feed_numbers(ids.map(|id| id.to_le_bytes()), sink);
            // Where none are stored, every token belongs to segment 0.
            let segments = self.type_ids(sequence).unwrap_or_default();
            let is_plain = segments.iter().all(|segment| *segment == 0);
            let stored = if is_plain { &[] } else { &segments[..] };
            feed_numbers(stored.iter().map(|segment| segment.to_le_bytes()), sink);
        }
        let is_left = self.padding_side == PaddingSide::Left;
        sink(
            &[
                self.padding_id.to_le_bytes(),
                u32::from(is_left).to_le_bytes(),
            ]
            .concat(),
        );
    }

    /// Id of the padding token.
    pub fn padding_id(&self) -> u32 {
        self.padding_id
    }

    /// Padding side.
    pub fn padding_side(&self) -> PaddingSide {
        self.padding_side
    }

    /// The same sequences, in batches of these widths.
    pub fn with_width(self, width: BatchWidth) -> Self {
        Self { width, ..self }
    }

    /// Batch of sequences on the device, padded to the longest of them or further.
    ///
    /// # Panics
    /// If `sequences` is empty.
    pub fn batch(&self, sequences: &[u32], device: &Device) -> TokenBatch {
        let type_ids: Vec<_> = sequences
            .iter()
            .map(|sequence| self.type_ids(*sequence))
            .collect();
        let sequences: Vec<_> = sequences
            .iter()
            .zip(&type_ids)
            .map(|(sequence, type_ids)| (self.ids(*sequence), type_ids.as_deref()))
            .collect();
        pad(
            &sequences,
            self.width,
            self.padding_id,
            self.padding_side,
            device,
        )
    }
}
