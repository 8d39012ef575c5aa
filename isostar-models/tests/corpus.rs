//! The files that fuzzing keeps, in fuzz/corpus/config: every one is read or refused.

use std::fs;
use std::path::Path;

use isostar_models::ModelConfig;

#[test]
fn every_config_of_the_corpus_is_read_or_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/config");
    let (mut read, mut refused) = (0, 0);
    for file in fs::read_dir(folder).expect("the corpus is in the repository") {
        let path = file.unwrap().path();
        // The last one printed is the one that panics.
        println!("{}", path.display());
        match ModelConfig::from_json(&fs::read(&path).unwrap()) {
            Ok(config) => {
                assert!(config.sizes().layers > 0);
                read += 1;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty() && !error.remedy().is_empty());
                refused += 1;
            }
        }
    }
    assert!(read > 0 && refused > 0, "{read} read, {refused} refused");
}
