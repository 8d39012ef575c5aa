//! An .npy file of embeddings.

#![no_main]

use std::sync::LazyLock;

use isostar_fuzz::{Folder, check_embeddings};
use libfuzzer_sys::fuzz_target;

static FOLDER: LazyLock<Folder> = LazyLock::new(|| Folder::new("npy"));

fuzz_target!(|content: &[u8]| check_embeddings(&FOLDER, "array.npy", content));
