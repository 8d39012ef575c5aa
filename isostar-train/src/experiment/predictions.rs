//! The predictions file.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Serializer;
use serde::ser::SerializeMap;

use super::SplitReport;
use crate::task::Answer;
use crate::whole_file::beside;

impl SplitReport {
    /// Writes the predictions, one JSON object per line. If they are answers and the file name ends
    /// in `.json`, writes instead the single object that SQuAD's script reads. The file appears
    /// only when complete.
    ///
    /// # Errors
    /// If the system fails to write it.
    pub fn write_predictions(&self, path: &Path) -> io::Result<()> {
        let mut file = BufWriter::new(beside(path)?);
        let is_official = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        let are_answers = self
            .predictions
            .iter()
            .all(|prediction| matches!(prediction.answer, Answer::Text { .. }));
        if is_official && are_answers {
            write_official(&mut file, self)?
        } else {
            write_lines(&mut file, self)?
        }
        file.into_inner()?.persist(path)?;
        Ok(())
    }
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
