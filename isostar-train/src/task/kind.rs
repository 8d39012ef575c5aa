/// The kind of a task's targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskKind {
    /// The class of a text or of a pair of texts.
    Classification,
    /// A number for a text or for a pair of texts.
    Regression,
    /// The span of a paragraph that answers a question.
    Span,
}
