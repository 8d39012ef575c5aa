//! Remedies for folders that cannot be read: the printed commands contain the actual paths and can
//! be run as they are.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use isostar::remedy::Remedy;
use isostar_models::{Pretrained, SequenceClassifier};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::models::{adapter, set};

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";

/// A copy of a checkpoint of isostar-models' tests.
fn copy(name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let fixture = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../isostar-models/tests/fixtures")
        .join(name);
    for entry in fs::read_dir(fixture).unwrap() {
        let file = entry.unwrap().path();
        fs::copy(&file, folder.path().join(file.file_name().unwrap())).unwrap();
    }
    folder
}

/// The remedy for a broken folder named `my model`, and the path of its parent folder.
fn remedy(fixture: &str, damage: impl FnOnce(&Path)) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("my model");
    fs::rename(copy(fixture).keep(), &model).unwrap();
    damage(&model);
    (
        Pretrained::<SequenceClassifier>::read(&model, &Device::flex())
            .expect_err("the folder is broken")
            .remedy(),
        folder.path().display().to_string(),
    )
}

fn to_pickle(folder: &Path) {
    fs::rename(
        folder.join("model.safetensors"),
        folder.join("pytorch_model.bin"),
    )
    .unwrap();
}

#[test]
fn the_remedy_for_a_pickle_converts_it_with_the_class_that_wrote_it() {
    let (found, place) = remedy("bert_classes", to_pickle);
    assert!(
        found.contains(
            "getattr(transformers, \"BertForSequenceClassification\", transformers.AutoModel)"
        ),
        "{found}"
    );
    assert!(
        found.ends_with(&format!(
            "' '{place}/my model' '{place}/my model-safetensors' tokenizer.json"
        )),
        "{found}"
    );

    let (found, _) = remedy("bert_classes", |folder| {
        to_pickle(folder);
        set(folder, "architectures", Value::Null);
    });
    assert!(
        found.contains("transformers.AutoModel.from_pretrained(source)"),
        "{found}"
    );

    let (found, place) = remedy("bert_classes", |folder| {
        to_pickle(folder);
        fs::rename(folder.join("tokenizer.json"), folder.join("vocab.txt")).unwrap();
    });
    assert!(
        found.contains("transformers.AutoTokenizer"),
        "transformers creates a tokenizer.json from it: {found}"
    );
    assert!(
        found.ends_with(&format!("'{place}/my model-safetensors'")),
        "{found}"
    );
}

#[test]
fn the_remedy_for_an_adapter_merges_it_into_its_base_model() {
    let base = json!("org/base");
    let (found, place) = remedy("bert_classes", |folder| {
        adapter(
            folder,
            &json!({"base_model_name_or_path": base, "task_type": "SEQ_CLS"}),
        )
    });
    let class =
        "transformers.AutoModelForSequenceClassification.from_pretrained(base, num_labels=3)";
    assert!(
        found.contains(class) && found.contains(".merge_and_unload().save_pretrained(target)"),
        "{found}"
    );
    let folder = format!("'{place}/my model'");
    assert!(
        found.ends_with(&format!(
            "' org/base {folder} {folder} '{place}/my model-merged'"
        )),
        "{found}"
    );

    let (found, _) = remedy("bert_classes", |folder| {
        adapter(
            folder,
            &json!({"base_model_name_or_path": base, "task_type": null}),
        );
        fs::remove_file(folder.join("tokenizer.json")).unwrap();
    });
    assert!(
        found.contains("transformers.AutoModel.from_pretrained(base)"),
        "{found}"
    );
    assert!(
        found.contains(" org/base '/") && found.contains("model' org/base '"),
        "the tokenizer is that of the base model: {found}"
    );

    let (found, _) = remedy("bert_classes", |folder| {
        adapter(
            folder,
            &json!({"base_model_name_or_path": base, "peft_type": "P_TUNING"}),
        )
    });
    assert!(!found.contains("merge_and_unload"), "{found}");
}

#[test]
fn the_remedy_for_a_missing_model_type_infers_it_from_the_class() {
    let without = |class: Value| {
        remedy("bert_classes", |folder| {
            set(folder, "model_type", Value::Null);
            set(folder, "architectures", class);
        })
        .0
    };
    for (class, model_type) in [
        ("BertModel", "bert"),
        ("XLMRobertaForMaskedLM", "xlm-roberta"),
        ("GPT2LMHeadModel", "gpt2"),
    ] {
        let found = without(json!([class]));
        assert!(
            found.ends_with(&format!("\"model_type\": \"{model_type}\",")),
            "{class}: {found}"
        );
    }
    for class in [
        json!(["BertGenerationEncoder"]),
        json!(["Bertha"]),
        json!("BertModel"),
        json!([7]),
        Value::Null,
    ] {
        assert!(without(class).contains("isostar models"));
    }
}

#[test]
fn the_remedy_for_a_git_lfs_pointer_downloads_the_file_in_its_folder() {
    let (found, place) = remedy("bert_classes", |folder| {
        fs::write(folder.join("model.safetensors"), POINTER).unwrap()
    });
    assert!(
        found.ends_with(&format!(": cd '{place}/my model' && git lfs pull")),
        "{found}"
    );
}
