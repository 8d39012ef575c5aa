//! Finding the files of a split in a folder: a single file, or the shards that the hub serves.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use isostar_measure::FileError;

use super::text_file::GZIP;
use super::{DataError, Format};

/// Names of the validation split; the hub uses `validation`.
const DEV_NAMES: [&str; 4] = ["dev", "validation", "valid", "val"];

/// Folder of the Parquet files of hub datasets with a single configuration.
const DATA: &str = "data";

/// Folder to search for the files of splits.
#[derive(Debug, Clone, Copy)]
pub struct SplitFolder<'a> {
    /// Path of the folder.
    pub path: &'a Path,
    /// Subfolder that is searched as well: the configuration of a hub dataset.
    pub configuration: Option<&'a str>,
    /// Accepted extensions, in order of preference. All except that of Parquet may be followed by
    /// `.gz`.
    pub extensions: &'a [&'a str],
    /// Optional suffix of the split's name, such as `-v1.1`.
    pub version: Option<&'a str>,
}

impl SplitFolder<'_> {
    /// Files of the split `train`, `dev`, or one whose name begins with `dev`, such as
    /// `dev_matched`.
    ///
    /// The folder itself, its subfolder `configuration` and its subfolder `data` are searched in
    /// this order; the first one with matching files is used. A split is a file with the split's
    /// name or, if there is none, all of its shards in order, such as
    /// `train-00000-of-00002.parquet`. `dev` may also be named `validation`, `valid` or `val`. The
    /// first extension that matches is used, and uncompressed files are preferred to compressed
    /// ones.
    ///
    /// # Errors
    /// [`FileError::NotFound`] if the folder does not exist, [`DataError::MissingSplit`] if it has
    /// no such files, [`DataError::MissingShard`] if a shard is missing.
    pub fn find(&self, split: &'static str) -> Result<Vec<PathBuf>, DataError> {
        self.find_if_there(split)?.ok_or_else(|| {
            let plain = self
                .extensions
                .iter()
                .map(|extension| format!("{split}.{extension}"));
            let versioned = self
                .version
                .iter()
                .zip(self.extensions)
                .map(|(version, extension)| format!("{split}{version}.{extension}"));
            DataError::MissingSplit {
                folder: self.path.into(),
                split,
                names: plain.chain(versioned).collect(),
            }
        })
    }

    /// Like [`find`](Self::find), but returns `None` if the folder has no such split.
    ///
    /// # Errors
    /// [`FileError::NotFound`] if the folder does not exist, [`DataError::MissingShard`] if a shard
    /// is missing.
    pub fn find_if_there(&self, split: &str) -> Result<Option<Vec<PathBuf>>, DataError> {
        if !self.path.exists() {
            return Err(FileError::NotFound {
                path: self.path.into(),
            }
            .into());
        }
        let names = match split.strip_prefix(DEV_NAMES[0]) {
            Some(rest) => DEV_NAMES.map(|name| format!("{name}{rest}")).to_vec(),
            None => vec![split.to_string()],
        };
        let versioned = self
            .version
            .map(|version| names.iter().map(move |name| format!("{name}{version}")));
        let stems: Vec<String> = names
            .iter()
            .cloned()
            .chain(versioned.into_iter().flatten())
            .collect();
        let extensions = self.all_extensions();
        for place in self.places() {
            let files = stems.iter().flat_map(|stem| {
                extensions
                    .iter()
                    .map(move |extension| format!("{stem}.{extension}"))
            });
            if let Some(file) = files
                .map(|file| place.join(file))
                .find(|path| path.is_file())
            {
                return Ok(Some(vec![file]));
            }
            for name in &names {
                if let Some(shards) = shards(&place, name, &extensions)? {
                    return Ok(Some(shards));
                }
            }
        }
        Ok(None)
    }

    fn places(&self) -> impl Iterator<Item = PathBuf> {
        let within = self
            .configuration
            .into_iter()
            .chain([DATA])
            .map(|name| self.path.join(name));
        std::iter::once(self.path.to_path_buf()).chain(within)
    }

    /// The extensions, followed by those of compressed text.
    fn all_extensions(&self) -> Vec<String> {
        let text = self
            .extensions
            .iter()
            .filter(|extension| **extension != Format::PARQUET);
        let compressed = text.map(|extension| format!("{extension}.{GZIP}"));
        self.extensions
            .iter()
            .map(|extension| extension.to_string())
            .chain(compressed)
            .collect()
    }
}

/// Shards of a split in a folder, in order; only the first extension that matches is used.
fn shards(
    folder: &Path,
    split: &str,
    extensions: &[String],
) -> Result<Option<Vec<PathBuf>>, DataError> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(None);
    };
    let mut of_extensions: BTreeMap<usize, BTreeMap<(usize, usize), PathBuf>> = BTreeMap::new();
    for path in entries
        .filter_map(|entry| entry.ok())
        .map(|entry| entry.path())
    {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if let Some((index, count, extension)) = name.strip_prefix(split).and_then(shard)
            && let Some(rank) = extensions
                .iter()
                .position(|known| known.eq_ignore_ascii_case(extension))
        {
            let found = of_extensions.entry(rank).or_default();
            // If a shard exists under two names (with and without a hash), always choose the same
            // one.
            found
                .entry((index, count))
                .and_modify(|other| *other = path.clone().min(other.clone()))
                .or_insert(path);
        }
    }
    let Some((rank, found)) = of_extensions.pop_first() else {
        return Ok(None);
    };
    // If there are two sets of shards, one is outdated; the set with more shards is read.
    let count = found
        .keys()
        .map(|(_, count)| *count)
        .max()
        .unwrap_or_default();
    let of_set = |index| {
        let shard = format!("{split}-{index:05}-of-{count:05}.{}", extensions[rank]);
        found
            .get(&(index, count))
            .cloned()
            .ok_or_else(|| DataError::MissingShard {
                folder: folder.into(),
                shard,
            })
    };
    (0..count).map(of_set).collect::<Result<_, _>>().map(Some)
}

/// Parses the end of a shard's name, `-00000-of-00002.parquet`, optionally with a hash before the
/// extension: shard index, number of shards, extension.
fn shard(end: &str) -> Option<(usize, usize, &str)> {
    let (stem, extension) = end.strip_prefix('-')?.split_once('.')?;
    let (index, rest) = stem.split_once("-of-")?;
    let count = match rest.split_once('-') {
        Some((count, hash)) if hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => count,
        Some(_) => return None,
        None => rest,
    };
    let number = |digits: &str| {
        if digits.len() == 5 {
            digits.parse::<usize>().ok()
        } else {
            None
        }
    };
    let (index, count) = (number(index)?, number(count)?);
    (index < count).then_some((index, count, extension))
}

/// Path pattern of all shards of a split, with the shard's index replaced by a star.
pub(super) fn all_shards(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stars = name
        .split_once("-of-")
        .and_then(|(before, after)| Some(format!("{}-*-of-{after}", before.rsplit_once('-')?.0)));
    path.with_file_name(stars.unwrap_or_else(|| name.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(path: &Path, configuration: Option<&str>) -> Result<[Vec<PathBuf>; 2], DataError> {
        let folder = SplitFolder {
            path,
            configuration,
            extensions: &["tsv", "jsonl", "parquet"],
            version: None,
        };
        Ok([folder.find("train")?, folder.find("dev")?])
    }

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    #[test]
    fn shards_are_in_order_and_a_missing_one_is_an_error() {
        let folder = folder(&[
            "sst2/train-00001-of-00003.parquet",
            "sst2/train-00000-of-00003.parquet",
            "sst2/train-00002-of-00003-b42a775f407cee45.parquet",
            "sst2/train-extra-of-00003.parquet",
            "sst2/validation-00000-of-00001.parquet",
            "sst2/test-00000-of-00001.parquet",
        ]);
        let [train, dev] = files(folder.path(), Some("sst2")).unwrap();
        let inside = |name: &str| folder.path().join("sst2").join(name);
        assert_eq!(
            train,
            [0, 1]
                .map(|at| inside(&format!("train-{at:05}-of-00003.parquet")))
                .into_iter()
                .chain([inside("train-00002-of-00003-b42a775f407cee45.parquet")])
                .collect::<Vec<_>>()
        );
        assert_eq!(dev, [inside("validation-00000-of-00001.parquet")]);
        assert_eq!(all_shards(&train[1]), inside("train-*-of-00003.parquet"));

        fs::remove_file(&train[1]).unwrap();
        let error = files(folder.path(), Some("sst2")).unwrap_err();
        assert!(
            matches!(&error, DataError::MissingShard { shard, .. } if shard == "train-00001-of-00003.parquet"),
            "{error}"
        );
        assert!(matches!(
            files(folder.path(), None),
            Err(DataError::MissingSplit { split: "train", .. })
        ));
    }

    #[test]
    fn the_folder_itself_is_searched_before_its_subfolders() {
        let folder = folder(&[
            "train.parquet",
            "data/train.tsv",
            "data/dev-00000-of-00001.parquet",
        ]);
        let [train, dev] = files(folder.path(), None).unwrap();
        assert_eq!(train, [folder.path().join("train.parquet")]);
        assert_eq!(dev, [folder.path().join("data/dev-00000-of-00001.parquet")]);
    }

    #[test]
    fn compressed_text_is_found_and_plain_text_is_preferred() {
        let folder = folder(&["train.tsv.gz", "dev.tsv", "dev.tsv.gz", "train.parquet.gz"]);
        let [train, dev] = files(folder.path(), None).unwrap();
        assert_eq!(
            (train, dev),
            (
                vec![folder.path().join("train.tsv.gz")],
                vec![folder.path().join("dev.tsv")]
            )
        );
    }

    #[test]
    fn shards_may_have_any_format_and_formats_are_not_mixed() {
        let folder = folder(&[
            "train-00000-of-00002.jsonl.gz",
            "train-00001-of-00002.jsonl.gz",
            "train-00000-of-00001.txt",
            "val-00000-of-00001.jsonl",
            "val-00000-of-00001.parquet",
        ]);
        let [train, dev] = files(folder.path(), None).unwrap();
        assert_eq!(
            train,
            [0, 1].map(|at| folder
                .path()
                .join(format!("train-{at:05}-of-00002.jsonl.gz")))
        );
        assert_eq!(
            all_shards(&train[0]),
            folder.path().join("train-*-of-00002.jsonl.gz")
        );
        assert_eq!(dev, [folder.path().join("val-00000-of-00001.jsonl")]);

        fs::remove_file(&train[0]).unwrap();
        let error = files(folder.path(), None).unwrap_err();
        assert!(
            matches!(&error, DataError::MissingShard { shard, .. } if shard == "train-00000-of-00002.jsonl.gz"),
            "{error}"
        );
    }

    #[test]
    fn a_validation_split_has_four_names_and_an_optional_version() {
        for name in ["dev", "validation", "valid", "val"] {
            let folder = folder(&[
                &format!("{name}.tsv"),
                &format!("{name}_matched.jsonl"),
                &format!("{name}-v2.0.tsv"),
            ]);
            let place = SplitFolder {
                path: folder.path(),
                configuration: None,
                extensions: &["tsv", "jsonl"],
                version: Some("-v2.0"),
            };
            assert_eq!(
                place.find("dev").unwrap(),
                [folder.path().join(format!("{name}.tsv"))]
            );
            assert_eq!(
                place.find("dev_matched").unwrap(),
                [folder.path().join(format!("{name}_matched.jsonl"))]
            );
            fs::remove_file(folder.path().join(format!("{name}.tsv"))).unwrap();
            assert_eq!(
                place.find("dev").unwrap(),
                [folder.path().join(format!("{name}-v2.0.tsv"))]
            );
            assert_eq!(place.find_if_there("train").unwrap(), None);
            assert!(matches!(
                place.find("dev_mismatched"),
                Err(DataError::MissingSplit {
                    split: "dev_mismatched",
                    ..
                })
            ));
        }
    }
}
