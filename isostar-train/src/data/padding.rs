//! The side of padding.

/// Side on which rows are padded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PaddingSide {
    /// After the text.
    #[default]
    Right,
    /// Before the text, as in some decoder models.
    Left,
}
