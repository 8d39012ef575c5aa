//! A mask is used or spoken of, and so is that there is none.

use std::path::Path;

use safetensors::Dtype;
use serde_json::Value;

use super::files::{Folder, Oracle, cloud, f32_bytes, measure_and_notes, npy, npz, safetensors};
use super::refused::cause_of;

const SEQUENCES: usize = 4;
const TOKENS: usize = 6;
const WIDTH: usize = 5;

/// The points of four sequences.
fn points() -> Vec<Vec<f64>> {
    cloud(SEQUENCES * TOKENS, WIDTH)
        .into_iter()
        .map(|point| point.into_iter().map(|x| f64::from(x as f32)).collect())
        .collect()
}

/// The first tokens of each sequence, four of them in the first and one more in each that follows, up to six.
fn is_token(position: usize) -> bool {
    position % TOKENS < 4 + position / TOKENS
}

fn flags(flag: impl Fn(usize) -> bool) -> Vec<u8> {
    (0..SEQUENCES * TOKENS)
        .map(|position| flag(position).into())
        .collect()
}

/// The states, with other numbers than those of [`points`] at padding.
fn states() -> Vec<u8> {
    let points = points();
    f32_bytes((0..SEQUENCES * TOKENS).flat_map(|at| {
        points[at]
            .iter()
            .map(|x| *x as f32 + if is_token(at) { 0.0 } else { 100.0 })
            .collect::<Vec<_>>()
    }))
}

fn oracle_of_tokens() -> Oracle {
    let points = points();
    Oracle::of(
        &points
            .into_iter()
            .enumerate()
            .filter(|(at, _)| is_token(*at))
            .map(|(_, point)| point)
            .collect::<Vec<_>>(),
    )
}

/// States with masks as bytes beside them, in both formats of several tensors.
fn files(folder: &Folder, masks: &[(&str, Vec<u8>)]) -> [std::path::PathBuf; 2] {
    let mut tensors = vec![(
        "states",
        Dtype::F32,
        &[SEQUENCES, TOKENS, WIDTH][..],
        states(),
    )];
    let mut members = vec![(
        "states",
        npy("<f4", false, &[SEQUENCES, TOKENS, WIDTH], &states()),
    )];
    for (name, flags) in masks {
        tensors.push((name, Dtype::BOOL, &[SEQUENCES, TOKENS], flags.clone()));
        members.push((name, npy("|b1", false, &[SEQUENCES, TOKENS], flags)));
    }
    [
        folder.write("states.safetensors", safetensors(&tensors)),
        folder.write("states.npz", npz(&members)),
    ]
}

fn one(path: &Path, arguments: &[&str]) -> (Value, String) {
    let (mut lines, notes) = measure_and_notes(path, arguments);
    assert_eq!(lines.len(), 1, "{lines:?}");
    (
        lines.remove(0),
        notes.replace(path.to_str().unwrap(), "FILE"),
    )
}

#[test]
fn a_mask_called_attention_mask_is_used_as_one_called_mask_is() {
    let folder = Folder::new();
    for name in ["mask", "attention_mask"] {
        for path in files(&folder, &[(name, flags(is_token))]) {
            let (found, notes) = one(&path, &[]);
            oracle_of_tokens().assert_agrees(&found);
            assert_eq!(notes, "", "{name}");
        }
    }
}

#[test]
fn of_two_masks_the_one_that_embed_writes_is_used_and_it_is_said() {
    let folder = Folder::new();
    for path in files(
        &folder,
        &[
            ("attention_mask", flags(|at| !is_token(at))),
            ("mask", flags(is_token)),
        ],
    ) {
        let (found, notes) = one(&path, &[]);
        oracle_of_tokens().assert_agrees(&found);
        assert_eq!(
            notes,
            "FILE: using the mask \"mask\", not \"attention_mask\"; choose another with --mask\n"
        );
        let (_, notes) = one(&path, &["--mask", "attention_mask"]);
        assert_eq!(notes, "", "what was asked for need not be said");
    }
}

#[test]
fn of_two_masks_the_one_that_fits_is_used() {
    let folder = Folder::new();
    let tensors = safetensors(&[
        ("states", Dtype::F32, &[SEQUENCES, TOKENS, WIDTH], states()),
        ("mask", Dtype::BOOL, &[SEQUENCES], vec![1; SEQUENCES]),
        (
            "attention_mask",
            Dtype::BOOL,
            &[SEQUENCES, TOKENS],
            flags(is_token),
        ),
    ]);
    let (found, notes) = one(&folder.write("states.safetensors", tensors), &[]);
    oracle_of_tokens().assert_agrees(&found);
    assert_eq!(
        notes,
        "FILE: using the mask \"attention_mask\", not \"mask\"; choose another with --mask\n"
    );
}

#[test]
fn sequences_without_a_mask_count_whole_and_it_is_said() {
    let folder = Folder::new();
    let [safetensors, npz] = files(&folder, &[]);
    let npy = folder.write(
        "states.npy",
        npy("<f4", false, &[SEQUENCES, TOKENS, WIDTH], &states()),
    );
    for path in [safetensors, npz, npy] {
        let (found, notes) = one(&path, &[]);
        assert_eq!(found["points"], 24);
        assert_eq!(
            notes,
            "FILE: no mask: all 24 positions are measured; pass one with --mask\n"
        );
    }
    let rows = folder.write_rows("rows.npy", &points());
    assert_eq!(one(&rows, &[]).1, "", "rows need no mask");
}

#[test]
fn what_is_true_of_every_tensor_of_a_file_is_said_once() {
    let folder = Folder::new();
    let shape = &[SEQUENCES, TOKENS, WIDTH][..];
    let tensors = safetensors(&[
        ("layer.0", Dtype::F32, shape, states()),
        ("layer.1", Dtype::F32, shape, states()),
    ]);
    let (lines, notes) = measure_and_notes(&folder.write("states.safetensors", tensors), &[]);
    assert_eq!((lines.len(), notes.lines().count()), (2, 1), "{notes}");
}

#[test]
fn masks_of_other_names_are_spoken_of_and_not_measured() {
    let folder = Folder::new();
    for name in ["padding_mask", "masks", "encoder.attention_mask"] {
        let floats = f32_bytes(flags(|at| !is_token(at)).into_iter().map(f32::from));
        let tensors = safetensors(&[
            ("states", Dtype::F32, &[SEQUENCES, TOKENS, WIDTH], states()),
            (name, Dtype::F32, &[SEQUENCES, TOKENS], floats),
        ]);
        let (found, notes) = one(&folder.write("states.safetensors", tensors), &[]);
        assert_eq!(found["points"], 24, "{name} may be true at padding");
        let expected = format!(
            "FILE: no mask: all 24 positions are measured; pass one with --mask, {name:?} if it is nonzero at tokens\n"
        );
        assert_eq!(notes, expected);
    }
}

#[test]
fn a_mask_beside_rows_is_spoken_of() {
    let folder = Folder::new();
    let bytes = f32_bytes(points().into_iter().flatten().map(|x| x as f32));
    let archive = npz(&[
        (
            "points",
            npy("<f4", false, &[SEQUENCES * TOKENS, WIDTH], &bytes),
        ),
        (
            "attention_mask",
            npy("|b1", false, &[SEQUENCES * TOKENS], &flags(is_token)),
        ),
    ]);
    let path = folder.write("rows.npz", archive);
    let (found, notes) = one(&path, &[]);
    Oracle::of(&points()).assert_agrees(&found);
    let expected = "FILE: no mask: all 24 positions are measured; pass one with --mask, \"attention_mask\" if it is nonzero at tokens\n";
    assert_eq!(notes, expected);
    let (found, notes) = one(&path, &["--mask", "attention_mask"]);
    oracle_of_tokens().assert_agrees(&found);
    assert_eq!(notes, "");
}

#[test]
fn masks_that_do_not_fit_or_hold_no_truth_are_refused() {
    let folder = Folder::new();
    let with_mask = |dtype, shape: &[usize], bytes| {
        let tensors = safetensors(&[
            ("states", Dtype::F32, &[SEQUENCES, TOKENS, WIDTH], states()),
            ("attention_mask", dtype, shape, bytes),
        ]);
        cause_of(&[
            "measure",
            folder
                .write("states.safetensors", tensors)
                .to_str()
                .unwrap(),
        ])
    };
    let cause = with_mask(
        Dtype::BOOL,
        &[SEQUENCES, TOKENS - 1],
        vec![1; SEQUENCES * (TOKENS - 1)],
    );
    assert!(
        cause.ends_with(
            r#"the mask "attention_mask" has shape [4, 5], but these points need [4, 6]"#
        ),
        "{cause}"
    );
    // As transformers adds it to attention scores: 0 at tokens.
    let additive =
        f32_bytes((0..SEQUENCES * TOKENS).map(|at| if is_token(at) { 0.0 } else { f32::MIN }));
    let cause = with_mask(Dtype::F32, &[SEQUENCES, TOKENS], additive);
    assert!(
        cause.contains(r#"the mask "attention_mask" holds -3.402823"#),
        "{cause}"
    );
}

#[test]
fn a_reference_without_a_mask_is_spoken_of() {
    let folder = Folder::new();
    let [reference, _] = files(&folder, &[]);
    let rows = folder.write_rows("rows.npy", &points());
    let (_, notes) = measure_and_notes(
        &rows,
        &[
            "--reference",
            reference.to_str().unwrap(),
            "--shrinkage",
            "0.5",
        ],
    );
    let expected = format!(
        "{}: no mask: all 24 positions are measured; pass one with --mask\n",
        reference.display()
    );
    assert!(notes.starts_with(&expected), "{notes}");
}
