//! The file of predictions.

use std::io::{self, Write};
use std::path::Path;

use isostar_train::experiment::SplitReport;
use isostar_train::task::Answer;
use serde::Serializer;
use serde::ser::SerializeMap;

/// Writes predictions: a line a row, or, where they are answers and the file's name ends in `.json`, the one object that SQuAD's script reads.
///
/// Through a file beside the target: what appears under its name is whole.
pub fn write(path: &Path, report: &SplitReport) -> io::Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    let is_official = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let are_answers = report.predictions.iter().all(|prediction| matches!(prediction.answer, Answer::Text { .. }));
    if is_official && are_answers {
        write_official(&mut file, report)?
    } else {
        write_lines(&mut file, report)?
    }
    file.persist(path)?;
    Ok(())
}

fn write_lines(file: &mut impl Write, report: &SplitReport) -> io::Result<()> {
    for prediction in &report.predictions {
        serde_json::to_writer(&mut *file, prediction)?;
        file.write_all(b"\n")?;
    }
    Ok(())
}

/// `{"id": "text", …}`.
fn write_official(file: &mut impl Write, report: &SplitReport) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::new(&mut *file);
    let mut map = serializer.serialize_map(Some(report.predictions.len()))?;
    for prediction in &report.predictions {
        if let Answer::Text { id, text } = &prediction.answer {
            map.serialize_entry(id, text)?;
        }
    }
    map.end()?;
    file.write_all(b"\n")
}
