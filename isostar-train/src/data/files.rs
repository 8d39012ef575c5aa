//! Which files of a folder hold a split: one, or the shards into which the hub cuts it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{DataError, Format};

/// Names under which the rows of a split may lie in a folder.
const TRAIN_NAMES: &[&str] = &["train"];
const DEV_NAMES: &[&str] = &["dev", "validation"];

/// What SQuAD's owners add to the names of their files.
const SQUAD_VERSION: &str = "-v1.1.json";

/// The folder in which datasets on the hub keep their Parquet files, unless they have several configurations.
const DATA: &str = "data";

/// The files of `train` and `dev` (or `validation`) in a folder: the first of each with one of the extensions, as SQuAD has them with its
/// version, and of Parquet also shards such as `train-00000-of-00002.parquet`, in order. They may lie in the folder itself, in its folder
/// `configuration`, or in `data`.
///
/// # Errors
/// [`DataError::NotFound`] without the folder, [`DataError::MissingSplit`] without one of the files, [`DataError::MissingShard`] without
/// one of the shards.
pub fn split_files(folder: &Path, configuration: Option<&str>, extensions: &[&str]) -> Result<[Vec<PathBuf>; 2], DataError> {
    if !folder.exists() {
        return Err(DataError::NotFound { path: folder.into() });
    }
    let places: Vec<PathBuf> =
        std::iter::once(folder.into()).chain(configuration.into_iter().chain([DATA]).map(|name| folder.join(name))).collect();
    let find = |split, names: &[&str]| {
        let mut files: Vec<String> =
            names.iter().flat_map(|name| extensions.iter().map(move |extension| format!("{name}.{extension}"))).collect();
        if extensions.contains(&"json") {
            files.push(format!("{split}{SQUAD_VERSION}"));
        }
        for place in &places {
            if let Some(found) = files.iter().map(|file| place.join(file)).find(|path| path.is_file()) {
                return Ok(vec![found]);
            }
            if extensions.contains(&Format::PARQUET) {
                for name in names {
                    let shards = shards(place, name)?;
                    if !shards.is_empty() {
                        return Ok(shards);
                    }
                }
            }
        }
        Err(DataError::MissingSplit { folder: folder.into(), split, names: files })
    };
    Ok([find("train", TRAIN_NAMES)?, find("dev", DEV_NAMES)?])
}

/// The shards of a split in a folder, in order; none where there are none.
fn shards(folder: &Path, split: &str) -> Result<Vec<PathBuf>, DataError> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut found: BTreeMap<(usize, usize), PathBuf> = BTreeMap::new();
    for path in entries.filter_map(|entry| entry.ok()).map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(shard) = name.strip_prefix(split).and_then(shard) {
            // Of two names for one shard, such as with and without a hash, the same one every time.
            found.entry(shard).and_modify(|other| *other = path.clone().min(other.clone())).or_insert(path);
        }
    }
    // A folder with two sets of shards holds an older one: the larger number of shards is read.
    let Some(count) = found.keys().map(|(_, count)| *count).max() else { return Ok(Vec::new()) };
    let of_set = |index| {
        let missing = || DataError::MissingShard { folder: folder.into(), shard: format!("{split}-{index:05}-of-{count:05}.parquet") };
        found.get(&(index, count)).cloned().ok_or_else(missing)
    };
    (0..count).map(of_set).collect()
}

/// The number of a shard and of all shards in the end of a name, `-00000-of-00002.parquet`, with a hash before the extension or not.
fn shard(end: &str) -> Option<(usize, usize)> {
    let (stem, extension) = end.strip_prefix('-')?.rsplit_once('.')?;
    let (index, rest) = stem.split_once("-of-")?;
    let count = match rest.split_once('-') {
        Some((count, hash)) if hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => count,
        Some(_) => return None,
        None => rest,
    };
    let number = |digits: &str| if digits.len() == 5 { digits.parse::<usize>().ok() } else { None };
    let (index, count) = (number(index)?, number(count)?);
    (extension.eq_ignore_ascii_case(Format::PARQUET) && index < count).then_some((index, count))
}

/// The path that stands for all shards of which this is one: a star in the place of its number.
pub(super) fn all_shards(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stars = name.split_once("-of-").and_then(|(before, after)| Some(format!("{}-*-of-{after}", before.rsplit_once('-')?.0)));
    path.with_file_name(stars.unwrap_or_else(|| name.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path, configuration: Option<&str>) -> Result<[Vec<PathBuf>; 2], DataError> {
        split_files(folder, configuration, &["tsv", "parquet"])
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
    fn shards_come_in_order_and_none_is_missed() {
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
        assert!(matches!(&error, DataError::MissingShard { shard, .. } if shard == "train-00001-of-00003.parquet"), "{error}");
        assert!(matches!(files(folder.path(), None), Err(DataError::MissingSplit { split: "train", .. })));
    }

    #[test]
    fn the_folder_itself_comes_before_those_within() {
        let folder = folder(&["train.parquet", "data/train.tsv", "data/dev-00000-of-00001.parquet"]);
        let [train, dev] = files(folder.path(), None).unwrap();
        assert_eq!(train, [folder.path().join("train.parquet")]);
        assert_eq!(dev, [folder.path().join("data/dev-00000-of-00001.parquet")]);
    }
}
