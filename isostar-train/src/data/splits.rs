//! Training and validation rows from a folder, from one file, or from the crate's built-in data.

use std::path::{Path, PathBuf};

use super::order;
use super::streams::Purpose;
use super::table::{parse_rows, read_table};
use super::{Columns, DataError, Format, LabelKind, Layout, SplitFolder, TextRow, draw, files};

/// `tokenizer.json` of [`default_rows`]: a lower-cased WordPiece vocabulary of 6,000 tokens,
/// trained on the training rows.
pub const DEFAULT_TOKENIZER: &str = include_str!("../../../data/tokenizer.json");

const DEFAULT_TRAIN: &str = include_str!("../../../data/train.tsv");
const DEFAULT_DEV: &str = include_str!("../../../data/dev.tsv");

/// Rows of one file, or of all shards of a split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Path of the file, for messages; for shards, a pattern such as `train-*-of-00002.parquet`.
    pub path: PathBuf,
    /// Rows, in the order of the file.
    pub rows: Vec<TextRow>,
    /// Number of rows that were skipped because line breaks in their texts split them.
    pub left_out: usize,
}

/// Training rows and validation rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Splits {
    /// Training rows.
    pub train: Split,
    /// Validation rows.
    pub dev: Split,
}

impl Split {
    /// Reads the rows of a file.
    ///
    /// # Errors
    /// Those of [`read_rows`](super::read_rows).
    pub fn read(path: &Path, layout: &dyn Layout) -> Result<Self, DataError> {
        let (rows, left_out) = read_table(path, layout)?;
        Ok(Self {
            path: path.into(),
            rows,
            left_out,
        })
    }

    /// Reads the `train` split of a folder and, if present, the `dev` split, in any [`Format`].
    ///
    /// SST-2's official download is such a folder. [`SplitFolder::find`] documents the accepted
    /// names and locations of files.
    ///
    /// # Errors
    /// [`DataError::File`] if the folder does not exist, [`DataError::MissingSplit`] if it has
    /// no `train` split, [`DataError::MissingShard`] if a shard is missing, and those of
    /// [`read_rows`](super::read_rows).
    pub fn read_folder(
        folder: &Path,
        columns: &Columns,
    ) -> Result<(Self, Option<Self>), DataError> {
        let extensions = Format::EXTENSIONS.map(|(extension, _)| extension);
        let folder = SplitFolder {
            path: folder,
            configuration: None,
            extensions: &extensions,
            version: None,
        };
        let read_all = |files: Vec<PathBuf>| {
            files
                .iter()
                .map(|file| Self::read(file, columns))
                .collect::<Result<_, _>>()
                .map(Self::joined)
        };
        let (train, dev) = (folder.find("train")?, folder.find_if_there("dev")?);
        Ok((read_all(train)?, dev.map(read_all).transpose()?))
    }

    /// Concatenates shards; lines are numbered consecutively across them.
    ///
    /// # Panics
    /// If `shards` is empty.
    pub(crate) fn joined(shards: Vec<Self>) -> Self {
        let several = shards.len() > 1;
        let mut shards = shards.into_iter();
        let mut split = shards.next().expect("a split has a file");
        if several {
            split.path = files::all_shards(&split.path);
        }
        for shard in shards {
            let before = split.rows.len();
            split.left_out += shard.left_out;
            split.rows.extend(shard.rows.into_iter().map(|row| TextRow {
                line: before + row.line,
                ..row
            }));
        }
        split
    }
}

impl Splits {
    /// Holds out `dev_rows` rows of one file as validation rows, drawn at random with `seed`. Both
    /// splits keep the order of the file.
    ///
    /// For classification, at least one row of each label remains in the training rows, so that
    /// every validation label occurs in training. There may therefore be fewer than `dev_rows`
    /// validation rows, or none.
    ///
    /// # Panics
    /// If `dev_rows` leaves no training rows.
    pub fn hold_out(split: Split, dev_rows: usize, kind: LabelKind, seed: u64) -> Self {
        let count = split.rows.len();
        assert!(
            dev_rows < count,
            "Splits::hold_out: holding out {dev_rows} of {count} rows leaves no training rows"
        );
        let drawn = match kind {
            LabelKind::Classification => draw::held_out(&split.rows, dev_rows, seed),
            LabelKind::Regression => order::shuffled(count, seed, 0, Purpose::HoldOut)[..dev_rows]
                .iter()
                .map(|row| *row as usize)
                .collect(),
        };
        let mut held_out = vec![false; count];
        drawn.into_iter().for_each(|row| held_out[row] = true);
        let (mut train, mut dev) = (
            Vec::with_capacity(count - dev_rows),
            Vec::with_capacity(dev_rows),
        );
        for (row, held_out) in split.rows.into_iter().zip(held_out) {
            if held_out { &mut dev } else { &mut train }.push(row);
        }
        let Split { path, left_out, .. } = split;
        Self {
            train: Split {
                path: path.clone(),
                rows: train,
                left_out,
            },
            dev: Split {
                path,
                rows: dev,
                left_out: 0,
            },
        }
    }
}

/// Built-in data: news headlines, half of them satire (label 1), as 10,000 training rows and 1,000
/// validation rows.
///
/// `data/README.md` states their source and licence.
pub fn default_rows() -> Splits {
    let parse = |content, path: &str| {
        let parsed = parse_rows(content, Format::Tsv, &Columns::default(), Path::new(path));
        let (rows, left_out) = parsed.expect("the embedded file is well-formed");
        Split {
            path: path.into(),
            rows,
            left_out,
        }
    };
    Splits {
        train: parse(DEFAULT_TRAIN, "data/train.tsv"),
        dev: parse(DEFAULT_DEV, "data/dev.tsv"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_default_rows_are_balanced_and_share_no_text() {
        let Splits { train, dev } = default_rows();
        assert_eq!((train.rows.len(), dev.rows.len()), (10_000, 1_000));
        for split in [&train, &dev] {
            let satire = split.rows.iter().filter(|row| row.label == "1").count();
            assert_eq!(2 * satire, split.rows.len(), "{}", split.path.display());
        }
        let texts: HashSet<&str> = train.rows.iter().map(|row| row.text.as_str()).collect();
        assert_eq!(texts.len(), train.rows.len());
        assert!(
            dev.rows
                .iter()
                .all(|row| !texts.contains(row.text.as_str()))
        );
    }

    #[test]
    fn holding_out_partitions_the_rows_by_seed() {
        let rows = |range: std::ops::Range<usize>| -> Vec<TextRow> {
            range
                .map(|line| TextRow {
                    text: line.to_string(),
                    pair: None,
                    label: (line % 2).to_string(),
                    line,
                })
                .collect()
        };
        let file = Split {
            path: "file.csv".into(),
            rows: rows(0..100),
            left_out: 0,
        };
        let hold_out = |seed| Splits::hold_out(file.clone(), 10, LabelKind::Classification, seed);
        let Splits { train, dev } = hold_out(1);
        assert_eq!((train.rows.len(), dev.rows.len()), (90, 10));
        assert!(
            train.rows.is_sorted_by_key(|row| row.line)
                && dev.rows.is_sorted_by_key(|row| row.line)
        );
        let lines: HashSet<usize> = train
            .rows
            .iter()
            .chain(&dev.rows)
            .map(|row| row.line)
            .collect();
        assert_eq!(lines.len(), 100);
        assert_eq!(hold_out(1).dev, dev);
        assert_ne!(hold_out(2).dev, dev);
        assert_eq!(
            Splits::hold_out(file.clone(), 10, LabelKind::Regression, 1).dev,
            dev,
            "no label is rare here"
        );
    }
}
