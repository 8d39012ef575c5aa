use std::time::Duration;

use tokenizers::{AddedToken, Tokenizer, TruncationDirection, TruncationParams};

use super::super::{DEFAULT_TOKENIZER, GoldAnswer, Split, default_rows};
use super::*;

fn encoder(max_length: usize) -> TextEncoder {
    TextEncoder::from_json(DEFAULT_TOKENIZER, max_length).unwrap()
}

/// Cache without a minimum text size.
fn cache(folder: &Path) -> TokenCache {
    TokenCache { least_text: 0, ..TokenCache::new(folder.join("tokens")) }
}

fn rows(pairs: bool) -> Vec<TextRow> {
    let Split { mut rows, .. } = default_rows().dev;
    rows.truncate(40);
    let second = rows[0].text.clone();
    rows.iter_mut().filter(|_| pairs).for_each(|row| row.pair = Some(second.clone()));
    rows
}

fn encode(cache: &TokenCache, encoder: &TextEncoder, rows: &[TextRow]) -> Examples {
    cache.encode(encoder, rows, RowTargets::Classes(vec![1; rows.len()])).unwrap()
}

fn files(cache: &TokenCache) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(&cache.folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn cached_rows_are_read_and_not_encoded_again() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path());
    for pairs in [false, true] {
        let (rows, encoder) = (rows(pairs), encoder(16));
        let made = encoder.encode_targets(&rows, RowTargets::Classes(vec![1; rows.len()])).unwrap();
        assert_eq!(encode(&cache, &encoder, &rows), made);
        let key = finish(cache.key(&encoder, &rows, b"rows").unwrap());
        let read = |words: &mut Reader| encoder.no_tokens(&rows).read(words, encoder.ids());
        let kept = cache.kept(key, read, |_, _| unreachable!(), || panic!("the rows are cached")).unwrap();
        assert_eq!(Examples::new(kept, RowTargets::Classes(vec![1; rows.len()])), made);
        assert_eq!(encode(&cache, &encoder, &rows), made);
    }
    assert_eq!((files(&cache).len(), cache.failure()), (2, None));
}

#[test]
fn windows_are_cached_with_their_answers_and_places() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path());
    let paragraph = "the man said that the area was as good as any other area of the world and trump laughed";
    let row = |line| TextRow { text: "area man".into(), pair: Some(paragraph.into()), label: String::new(), line };
    let rows: Vec<TextRow> = (1..4).map(row).collect();
    let question = |(at, word): (usize, &str)| Question {
        id: at.to_string(),
        answers: vec![GoldAnswer { text: word.into(), start: paragraph.find(word).unwrap() }],
    };
    let questions: Vec<Question> = ["trump", "area", "world"].into_iter().enumerate().map(question).collect();
    for keep_places in [true, false] {
        let settings = WindowSettings { stride: 4, keep_places };
        let made = encoder(14).encode_windows(&rows, &questions, settings, Path::new("dev.json")).unwrap();
        for _ in 0..2 {
            let kept = cache.encode_windows(&encoder(14), &rows, &questions, settings, Path::new("dev.json")).unwrap();
            assert_eq!(kept, made);
        }
    }
    assert_eq!(files(&cache).len(), 2);
    let other = [questions[1].clone(), questions[1].clone(), questions[2].clone()];
    cache.encode_windows(&encoder(14), &rows, &other, WindowSettings { stride: 4, keep_places: true }, Path::new("dev.json")).unwrap();
    assert_eq!(files(&cache).len(), 3, "another answer needs another file");
    let none = [Question { answers: Vec::new(), ..questions[0].clone() }, questions[1].clone(), questions[2].clone()];
    let settings = WindowSettings { stride: 4, keep_places: true };
    for _ in 0..2 {
        let kept = cache.encode_windows(&encoder(14), &rows, &none, settings, Path::new("dev.json")).unwrap();
        assert!((0..kept.len() as u32).filter(|window| kept.question(*window) == 0).all(|window| kept.answer(window) == [0, 0]));
    }
    assert_eq!(files(&cache).len(), 4, "a missing answer needs another file");
}

#[test]
fn everything_that_ids_depend_on_changes_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path());
    let (single, pairs) = (rows(false), rows(true));
    let mut moved = pairs.clone();
    // The same characters, but the last one of the first text moves to the second.
    let last = moved[0].text.pop().unwrap();
    moved[0].pair.as_mut().unwrap().insert(0, last);
    let other_tokenizer = TextEncoder::from_json(DEFAULT_TOKENIZER.replacen("\"lowercase\":true", "\"lowercase\":false", 1), 16).unwrap();
    let changed = |change: fn(&mut Tokenizer)| {
        let mut tokenizer: Tokenizer = DEFAULT_TOKENIZER.parse().unwrap();
        change(&mut tokenizer);
        TextEncoder::new(tokenizer, 16).unwrap()
    };
    let cut_from_the_left = changed(|tokenizer| {
        let truncation = TruncationParams { direction: TruncationDirection::Left, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(truncation)).unwrap();
    });
    let with_a_token = changed(|tokenizer| {
        tokenizer.add_tokens([AddedToken::from("area man", false)]).unwrap();
    });
    let split_special = changed(|tokenizer| tokenizer.set_encode_special_tokens(true));
    let key = |encoder: &TextEncoder, rows: &[TextRow]| finish(cache.key(encoder, rows, b"rows").unwrap());
    let mut keys = vec![
        key(&encoder(16), &single),
        key(&encoder(17), &single),
        key(&other_tokenizer, &single),
        key(&cut_from_the_left, &single),
        key(&with_a_token, &single),
        key(&split_special, &single),
        key(&encoder(16), &single[1..]),
        key(&encoder(16), &pairs),
        key(&encoder(16), &moved),
        finish(cache.key(&encoder(16), &pairs, b"windows").unwrap()),
    ];
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), count);
    // Labels and lines do not affect the key.
    let relabelled: Vec<TextRow> = single.iter().map(|row| TextRow { label: "other".into(), line: 7, ..row.clone() }).collect();
    assert_eq!(key(&encoder(16), &single), key(&encoder(16), &relabelled));
}

#[test]
fn a_damaged_file_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path());
    let (rows, encoder) = (rows(true), encoder(16));
    let made = encode(&cache, &encoder, &rows);
    let [path] = &files(&cache)[..] else { panic!("one file") };
    let whole = fs::read(path).unwrap();
    let altered = (0..whole.len()).step_by(7).map(|at| {
        let mut altered = whole.clone();
        altered[at] ^= 1 << (at % 8);
        altered
    });
    let cut = [0, 7, 8, 39, 40, 48, whole.len() / 2, whole.len() - 33, whole.len() - 1].map(|length| whole[..length].to_vec());
    let longer = [whole.clone(), vec![0; 4]].concat();
    for content in altered.chain(cut).chain([longer]) {
        fs::write(path, content).unwrap();
        assert_eq!(encode(&cache, &encoder, &rows), made);
        assert_eq!(fs::read(path).unwrap(), whole);
    }
    // An undamaged file of other rows.
    encode(&cache, &encoder, &rows[1..]);
    let other = files(&cache).into_iter().find(|file| file != path).unwrap();
    fs::rename(other, path).unwrap();
    assert_eq!(encode(&cache, &encoder, &rows), made);
    assert_eq!(cache.failure(), None);
}

#[test]
fn ids_beyond_the_vocabulary_are_rejected_even_with_a_valid_hash() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path());
    let (rows, encoder) = (rows(false), encoder(16));
    let made = encode(&cache, &encoder, &rows);
    let key = finish(cache.key(&encoder, &rows, b"rows").unwrap());
    let path = files(&cache).remove(0);
    let lengths = made.lengths();
    let ids: Vec<u32> = (0..rows.len() as u32).flat_map(|row| made.ids(row).to_vec()).collect();
    let forge = |ids: &[u32], lengths: &[u32]| {
        let write = |words: &mut Writer<'_>| [ids, lengths, &[0]].into_iter().try_for_each(|list| words.put(list));
        cache.store(&path, &key, write).unwrap();
    };
    let changed =
        |at: usize, id: u32| -> Vec<u32> { ids.iter().enumerate().map(|(place, old)| if place == at { id } else { *old }).collect() };
    forge(&changed(1, 5), &lengths);
    assert_eq!(encode(&cache, &encoder, &rows).ids(0)[1], 5, "a file with a valid hash is accepted");
    for (ids, lengths) in [(changed(1, 1_000_000), &lengths[..]), (ids[1..].to_vec(), &lengths), (ids.clone(), &lengths[1..])] {
        forge(&ids, lengths);
        assert_eq!(encode(&cache, &encoder, &rows), made);
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_reported_without_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tokens"), "a file in its place").unwrap();
    let (cache, rows) = (cache(folder.path()), rows(false));
    assert_eq!(encode(&cache, &encoder(16), &rows).len(), rows.len());
    assert!(cache.failure().is_some_and(|failure| failure.contains("tokens")), "{:?}", cache.failure());
}

#[test]
fn few_rows_are_not_cached_and_the_least_recently_used_file_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let few = TokenCache::new(folder.path().join("tokens"));
    encode(&few, &encoder(16), &rows(false));
    assert!(!few.folder.exists());

    let cache = cache(folder.path());
    let rows = rows(false);
    encode(&cache, &encoder(16), &rows);
    let first = files(&cache).remove(0);
    let size = fs::metadata(&first).unwrap().len();
    let cache = TokenCache { most_bytes: 5 * size / 2, ..cache };
    let age = |path: &Path, hours: u64| {
        let then = SystemTime::now() - Duration::from_secs(3600 * hours);
        File::options().append(true).open(path).unwrap().set_modified(then).unwrap();
    };
    age(&first, 2);
    encode(&cache, &encoder(17), &rows);
    let second = files(&cache).into_iter().find(|path| *path != first).unwrap();
    age(&second, 1);
    // Using the older file makes the other one the least recently used.
    encode(&cache, &encoder(16), &rows);
    encode(&cache, &encoder(18), &rows);
    assert_eq!(files(&cache).len(), 2);
    assert!(first.exists() && !second.exists());
}

#[test]
fn environment_variables_select_the_folder() {
    let folder = |variables: &[(&str, &str)]| {
        let var = |name: &str| variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| OsString::from(value));
        TokenCache::from_vars(var).folder
    };
    assert_eq!(folder(&[("HOME", "/home/me")]), Path::new("/home/me/.cache/isostar/tokens"));
    assert_eq!(folder(&[("HOME", "/home/me"), ("XDG_CACHE_HOME", "/scratch")]), Path::new("/scratch/isostar/tokens"));
    assert_eq!(folder(&[("HOME", "/home/me"), ("XDG_CACHE_HOME", "/scratch"), ("ISOSTAR_CACHE", "/own")]), Path::new("/own/tokens"));
    assert_eq!(folder(&[("HOME", "/home/me"), ("ISOSTAR_CACHE", "")]), Path::new("/home/me/.cache/isostar/tokens"));
    assert_eq!(folder(&[("HOME", "/home/me"), ("ISOSTAR_CACHE", "~/own")]), Path::new("/home/me/own/tokens"));
    let scratch = [("SCRATCH", "/scratch"), ("XDG_CACHE_HOME", "${SCRATCH}/$SCRATCH")];
    assert_eq!(folder(&scratch), Path::new("/scratch//scratch/isostar/tokens"));
}
