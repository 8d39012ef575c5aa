//! The fuzzing corpus in fuzz/corpus/config: every file is read or results in an error.

use std::fs;
use std::path::Path;

use isostar_models::ModelConfig;

#[test]
fn no_configuration_of_the_fuzzing_corpus_panics() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/config");
    let (mut read, mut refused) = (0, 0);
    for file in fs::read_dir(folder).expect("the corpus is in the repository") {
        let path = file.unwrap().path();
        // If a file causes a panic, it is the last one printed.
        println!("{}", path.display());
        match ModelConfig::from_json(&fs::read(&path).unwrap()) {
            Ok(config) => {
                assert!(config.sizes().layers > 0);
                read += 1;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                refused += 1;
            }
        }
    }
    assert!(read > 0 && refused > 0, "{read} read, {refused} errors");
}
