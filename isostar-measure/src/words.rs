//! Parts of messages: lists of names.

/// Formats the first few names, quoted, and the number of further ones.
pub(crate) fn list(names: &[String]) -> String {
    few(&names
        .iter()
        .map(|name| format!("{name:?}"))
        .collect::<Vec<_>>())
}

/// Formats the first few items and the number of further ones: a checkpoint can have hundreds of
/// tensors.
pub(crate) fn few(items: &[String]) -> String {
    const SHOWN: usize = 16;
    let shown = items[..items.len().min(SHOWN)].join(", ");
    match items.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Shortens the name of a type: the fields of a record may take thousands of characters.
pub(crate) fn shortened(element_name: &str) -> String {
    const LONGEST: usize = 64;
    match element_name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &element_name[..end]),
        None => element_name.into(),
    }
}
