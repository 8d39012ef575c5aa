//! Files of other programs are named for what they are.

use std::path::Path;

use safetensors::Dtype;

use super::files::{Folder, f32_bytes, measure_one, npy, safetensors, zip_of};
use super::refused::cause_and_remedy;

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\n\
    oid sha256:4665a5ea423c2713d436b5ee50593a9640e0018c1550b5a0002f74190d6caea8\nsize 90868376\n";

fn refused(path: &Path) -> (String, String) {
    cause_and_remedy(&["measure", path.to_str().unwrap()])
}

#[test]
fn a_git_lfs_pointer_is_named_whatever_its_file_is_called() {
    let folder = Folder::new();
    for name in [
        "states.npy",
        "states.npz",
        "states.safetensors",
        "states.parquet",
        "states",
    ] {
        let (cause, remedy) = refused(&folder.write(name, POINTER));
        assert!(
            cause.ends_with(&format!("{name}: a Git LFS pointer, not the file itself")),
            "{cause}"
        );
        assert_eq!(
            remedy,
            "run `git lfs pull` in the folder of the repository to fetch the file"
        );
    }
    let points = folder.write(
        "points.npy",
        npy("<f4", false, &[2, 2], &f32_bytes([1.0, 2.0, 3.0, 5.0])),
    );
    let pointer = folder.write("pointer.npy", POINTER);
    for option in [&["--mask"][..], &["--shrinkage", "0.5", "--reference"]] {
        let arguments = [
            &["measure", points.to_str().unwrap()],
            option,
            &[pointer.to_str().unwrap()],
        ]
        .concat();
        assert!(
            cause_and_remedy(&arguments)
                .0
                .contains("pointer.npy: a Git LFS pointer")
        );
    }
    let model =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../isostar-models/tests/fixtures/bert_bare");
    for option in ["--texts", "--ids"] {
        let out = folder.path("out.safetensors");
        let (model, pointer) = (model.to_str().unwrap(), pointer.to_str().unwrap());
        let (cause, _) = cause_and_remedy(&[
            "embed",
            model,
            option,
            pointer,
            "--out",
            out.to_str().unwrap(),
        ]);
        assert!(cause.contains("pointer.npy: a Git LFS pointer"), "{cause}");
    }
}

/// What `torch.save` writes, as far as anybody looks who does not run it.
fn torch(folder: &str, more: &[&str]) -> Vec<u8> {
    let files = [&["data.pkl", "byteorder", "data/0", "version"], more].concat();
    let members: Vec<(String, &[u8])> = files
        .iter()
        .map(|file| (format!("{folder}/{file}"), &b"\x80\x02}q\x00."[..]))
        .collect();
    zip_of(&members)
}

#[test]
fn files_of_pytorch_are_named_with_the_line_that_converts_them() {
    let folder = Folder::new();
    for name in [
        "states.pt",
        "states.pth",
        "pytorch_model.bin",
        "states.npz",
        "states",
    ] {
        let (cause, remedy) = refused(&folder.write(name, torch("archive", &[])));
        assert!(
            cause.ends_with(&format!(
                "{name}: a PyTorch pickle, as written by torch.save, which is not supported"
            )),
            "{cause}"
        );
        assert!(
            remedy.contains("weights_only=True") && remedy.contains("save_file"),
            "{remedy}"
        );
        let stem = name.split('.').next().unwrap();
        assert!(remedy.ends_with(&format!("{stem}.safetensors")), "{remedy}");
    }
    // Before PyTorch 1.6: the number that its pickles begin with.
    let legacy = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.".as_slice();
    for name in [
        "legacy.pt",
        "legacy.npz",
        "legacy.npy",
        "legacy.safetensors",
    ] {
        let (cause, remedy) = refused(&folder.write(name, legacy));
        assert!(
            cause.ends_with(&format!(
                "{name}: a PyTorch pickle, as written by torch.save, which is not supported"
            )),
            "{cause}"
        );
        assert!(remedy.contains("weights_only=True"), "{remedy}");
    }
    let (cause, remedy) = refused(&folder.write(
        "program.pt",
        torch("program", &["constants.pkl", "code/__torch__.py"]),
    ));
    assert!(cause.ends_with("program.pt: a TorchScript archive, as written by torch.jit.save, which is not supported"), "{cause}");
    assert!(remedy.contains("torch.jit.load(sys.argv[1]"), "{remedy}");
}

#[test]
fn other_pickles_are_named_and_nobody_is_told_to_run_them_blindly() {
    let folder = Folder::new();
    for protocol in 2..=5 {
        let (cause, remedy) = refused(&folder.write("states.pkl", [0x80, protocol, b']', b'.']));
        assert!(
            cause.ends_with("states.pkl: a Python pickle, which is not supported"),
            "{cause}"
        );
        assert!(
            remedy.contains("if you trust its author") && remedy.ends_with("states.npz"),
            "{remedy}"
        );
    }
}

#[test]
fn a_safetensors_file_that_begins_as_a_pickle_does_is_read() {
    let folder = Folder::new();
    let content = |name: &str| {
        safetensors(&[(
            name,
            Dtype::F32,
            &[4, 2],
            f32_bytes([1.0, 2.0, 3.0, 5.0, 8.0, 1.0, 2.0, 2.0]),
        )])
    };
    // A header of 0x280 bytes, which its length gives as 0x80, 0x02.
    let name = "x".repeat(0x280 - (content("").len() - 8 - 32));
    let content = (0..8)
        .map(|shorter| content(&name[shorter..]))
        .find(|content| content.starts_with(b"\x80\x02\0\0"))
        .unwrap();
    for file in ["states.safetensors", "states"] {
        assert_eq!(measure_one(&folder.write(file, &content), &[])["points"], 4);
    }
}
