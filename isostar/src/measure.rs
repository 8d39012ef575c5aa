//! `isostar measure`: the geometry of embeddings in files.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use isostar::remedy::alternative;
use isostar_core::measure::{MEASURES, Measure, Needs};
use isostar_core::{Shrinkage, ShrinkageTarget};
use isostar_measure::{
    EmbeddingsFile, Geometry, Measures, NEIGHBOUR_POINTS, Note, Points, References, Sample, Source,
    measure, steps,
};
use isostar_train::device::{default_device_name, parse_device};
use serde::Serialize;

use crate::failure::Failure;

/// Measure the geometry of embeddings in .npy, .npz, .safetensors and Parquet files.
///
/// An array [points, d] holds one point per row, as does a Parquet column of lists of d numbers. In
/// a Parquet file without such lists, each floating-point column is a dimension. In [sequences,
/// tokens, d] every token is a point, and a mask [sequences, tokens] selects the tokens that count.
/// Assumptions, such as that all tokens count because there is no mask, are printed on stderr.
/// Files may be larger than memory: they are read in blocks, twice, or once with --moments.
/// Compressed data is first unpacked into a temporary file, in the folder that TMPDIR names.
///
/// Nothing is printed if any file cannot be measured. A measure that has no value for the points is
/// null in JSON, and - in the table.
#[derive(Args)]
pub struct MeasureArgs {
    /// .npy, .npz, .safetensors or Parquet files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Measure this tensor, which may hold integers or booleans (0 and 1); by default, every
    /// floating-point tensor of two or three dimensions is measured
    #[arg(long, value_name = "NAME")]
    tensor: Option<String>,
    /// The mask of the points, true (nonzero) for those that count; for an .npy file, another .npy
    /// file [default: the tensor "mask", else "attention_mask", if there is one, for
    /// three-dimensional tensors]
    #[arg(long, value_name = "NAME")]
    mask: Option<String>,
    /// Also compute IsoScore* with the covariance shrunk towards this one: a covariance [d, d] or
    /// points [N, d].
    ///
    /// A symmetric square matrix with no negative number on its diagonal is taken as a covariance,
    /// anything else as points; stderr shows which. If a .safetensors file has several tensors, the
    /// one with the name of the measured tensor is taken.
    #[arg(long, value_name = "FILE", requires = "shrinkage")]
    reference: Option<PathBuf>,
    /// The weight of the reference, from 0 (the file alone) to 1 (the reference alone)
    #[arg(
        long,
        value_name = "Z",
        requires = "reference",
        allow_negative_numbers = true
    )]
    shrinkage: Option<f64>,
    /// Compute only the measures that follow from the moments of the points; this leaves out the
    /// partition score, TwoNN and MLE, which take most of the time
    #[arg(long, conflicts_with_all = ["sample", "seed"])]
    moments: bool,
    /// Maximum number of points for TwoNN and MLE, drawn at random without replacement; their time
    /// grows with the square of the number of points
    #[arg(long, value_name = "N", default_value_t = NEIGHBOUR_POINTS)]
    sample: usize,
    /// The seed of the sample
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Device to compute on: flex, ndarray, wgpu, cuda or cuda:I
    #[arg(long, default_value = default_device_name())]
    device: String,
    /// Print one JSON object per tensor, one per line
    #[arg(long)]
    json: bool,
}

/// A line of the JSON output or a column of the table.
#[derive(Serialize)]
struct Measurement {
    file: String,
    tensor: Option<String>,
    #[serde(flatten)]
    geometry: Geometry,
}

/// Runs the command.
pub fn run(arguments: MeasureArgs) -> Result<(), Failure> {
    let device = parse_device(&arguments.device)?;
    let shrinkage = arguments
        .shrinkage
        .map(|weight| Shrinkage::new(weight, ShrinkageTarget::Reference))
        .transpose()?;
    let mut references = arguments
        .reference
        .as_deref()
        .map(References::open)
        .transpose()?;

    let sample = Sample {
        points: arguments.sample,
        seed: arguments.seed,
    };
    let measures = if arguments.moments {
        Measures::OfMoments
    } else {
        Measures::All(sample)
    };

    // All headers are checked before the first point is read.
    let files = arguments
        .files
        .iter()
        .map(|path| EmbeddingsFile::open(path))
        .collect::<Result<Vec<_>, _>>()?;
    let mut measured: Vec<(&Path, Points)> = Vec::new();
    for (path, file) in arguments.files.iter().zip(&files) {
        let points = file.points(arguments.tensor.as_deref(), arguments.mask.as_deref())?;
        measured.extend(points.into_iter().map(|points| (path.as_path(), points)));
    }

    let mut notes: Vec<String> = Vec::new();
    for (_, points) in &measured {
        note(&mut notes, points.source(), points.notes());
    }

    let bar = progress_bar(
        "steps",
        measured
            .iter()
            .map(|(_, points)| steps(points, measures))
            .sum(),
    );
    let progress = |done: usize| bar.inc(done as u64);
    let mut measurements = Vec::new();
    // Files are measured one by one, so that temporary files are removed as early as possible.
    for (path, points) in measured {
        bar.set_message(points.source().to_string());
        let reference = match (&mut references, &shrinkage) {
            (Some(references), Some(shrinkage)) => {
                Some((references.of(&points, &device, &|_| ())?, shrinkage))
            }
            _ => None,
        };
        let geometry = measure(&points, reference, measures, &device, &progress)?;
        let tensor = points.source().tensor().map(String::from);
        measurements.push(Measurement {
            file: path.display().to_string(),
            tensor,
            geometry,
        });
    }
    bar.finish_and_clear();

    for reference in references.iter().flat_map(References::computed) {
        note(&mut notes, reference.source(), reference.notes());
    }
    for note in notes {
        eprintln!("{note}");
    }
    for reference in references.iter().flat_map(References::computed) {
        eprintln!("reference: {reference}");
    }
    if let Some(drawn) = measurements
        .iter()
        .find_map(|measurement| measurement.geometry.sample)
    {
        eprintln!(
            "TwoNN and MLE are of {drawn} points where there are more, drawn at random; --sample N draws N"
        );
    }
    print(&if arguments.json {
        json_lines(&measurements)?
    } else {
        table(&measurements)
    })
}

/// Adds the assumptions about points to `lines`, once per file even if they apply to several
/// tensors.
fn note(lines: &mut Vec<String>, source: &Source, notes: &[Note]) {
    let file = source
        .path()
        .map_or(source.to_string(), |path| path.display().to_string());
    for note in notes {
        let line = format!("{file}: {note}{}", alternative(note));
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
}

/// Creates a progress bar on stderr, hidden if stderr is not a terminal and cleared when dropped.
pub fn progress_bar(unit: &str, length: usize) -> ProgressBar {
    let bar = ProgressBar::new(length as u64).with_finish(ProgressFinish::AndClear);
    if let Ok(style) = ProgressStyle::with_template(&format!(
        "{{bar:32}} {{percent}}% {{per_sec}} {unit} {{msg}}"
    )) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Prints the results. A reader that closes the pipe early, such as `head`, is not an error.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(
            format_args!("the results cannot be printed: {error}"),
            "check where the output goes, and that the disk has room",
        )),
        _ => Ok(()),
    }
}

fn json_lines(measurements: &[Measurement]) -> Result<String, Failure> {
    let mut lines = String::new();
    for measurement in measurements {
        let line = serde_json::to_string(measurement)
            .map_err(|error| Failure::new(error, "leave out --json"))?;
        lines.push_str(&line);
        lines.push('\n');
    }
    Ok(lines)
}

/// A row of the table: its name, and an optional cell per measurement.
type Row = (&'static str, Vec<Option<String>>);

/// Formats the table: rows are measures, columns are files or tensors.
fn table(measurements: &[Measurement]) -> String {
    let cells = rows(measurements);
    let name_width = cells
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    let column_width = |column: usize| {
        let lengths = cells
            .iter()
            .filter_map(|(_, row)| row[column].as_ref().map(|cell| cell.chars().count()));
        lengths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..measurements.len()).map(column_width).collect();

    let mut text = String::new();
    for (name, row) in &cells {
        // Rows without any cell, such as tensor names or a reference, do not apply to these files.
        if row.iter().any(Option::is_some) {
            let _ = write!(text, "{name:name_width$}");
            for (cell, width) in row.iter().zip(&widths) {
                let _ = write!(text, "  {:>width$}", cell.as_deref().unwrap_or("-"));
            }
            text.push('\n');
        }
    }
    text
}

/// Returns the rows that describe the points, then one row per measure.
fn rows(measurements: &[Measurement]) -> Vec<Row> {
    let row = |name, cell: &dyn Fn(&Measurement) -> Option<String>| {
        (name, measurements.iter().map(cell).collect())
    };
    let of_geometry =
        |name, cell: fn(&Geometry) -> Option<String>| row(name, &|column| cell(&column.geometry));
    let mut rows: Vec<Row> = vec![
        row("file", &|column| Some(column.file.clone())),
        row("tensor", &|column| column.tensor.clone()),
        of_geometry("points", |geometry| Some(geometry.points.to_string())),
        of_geometry("dimension", |geometry| Some(geometry.dimension.to_string())),
    ];
    let mut sampled = false;
    for measure in MEASURES {
        if measure.needs == Needs::Neighbours && !sampled {
            rows.push(of_geometry("points compared", |geometry| {
                geometry.sample.map(|sample| sample.to_string())
            }));
            sampled = true;
        }
        rows.push(row(measure.title, &|column| {
            cell(measure, &column.geometry)
        }));
        if measure.name == "isoscore_unbiased" {
            rows.push(of_geometry("  95% interval", |geometry| {
                Some(geometry.isoscore_interval.map_or("-".into(), interval))
            }));
        }
    }
    rows
}

/// Formats the value of a measure, if the geometry lists it.
fn cell(measure: &Measure, geometry: &Geometry) -> Option<String> {
    let (_, value) = geometry
        .measures()
        .find(|(listed, _)| listed.name == measure.name)?;
    Some(match (measure.name, value) {
        ("outlier_dimensions", _) => outliers(geometry),
        (_, None) => "-".into(),
        (_, Some(value)) if measure.digits == 0 => format!("{value:.0}"),
        (_, Some(value)) => number(value),
    })
}

/// Formats a number with four decimals, or with four significant digits below 0.001.
pub fn number(value: f64) -> String {
    if value != 0.0 && value.abs() < 1e-3 {
        format!("{value:.3e}")
    } else {
        format!("{value:.4}")
    }
}

fn interval([low, high]: [f64; 2]) -> String {
    format!("{} – {}", number(low), number(high))
}

/// Lists the first outlier dimensions, and the number of further ones.
fn outliers(geometry: &Geometry) -> String {
    const SHOWN: usize = 4;
    let dimensions: Vec<String> = geometry
        .outlier_dimensions
        .iter()
        .map(|outlier| outlier.dimension.to_string())
        .collect();
    match dimensions.len() {
        0 => "none".into(),
        all if all > SHOWN => format!("{} +{}", dimensions[..SHOWN].join(" "), all - SHOWN),
        _ => dimensions.join(" "),
    }
}
