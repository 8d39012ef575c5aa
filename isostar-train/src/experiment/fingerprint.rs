//! What a snapshot remembers of the rows that its run was begun with.

use super::prepare::Prepared;
use super::snapshot::sha256;
use crate::data::BatchSource;
use crate::task::TaskModel;

/// Fingerprint of the tokenized rows: the SHA-256 of ids, segments and targets of every split.
pub(super) fn fingerprint<M: TaskModel>(prepared: &Prepared<M>) -> String {
    let further = prepared.further.iter().map(|(_, split)| split);
    let splits = [&prepared.train, &prepared.dev].into_iter().chain(further);
    sha256(|sink| splits.for_each(|split| split.source.feed(sink)))
}
