//! What is said against a folder that cannot be read as it is: lines that work where they are printed.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::common::{copy, set};
use super::{POINTER, adapter, refusal};

/// The remedy for a folder called `my model` in an empty one.
fn remedy(fixture: &str, damage: impl FnOnce(&Path)) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("my model");
    fs::rename(copy(fixture).keep(), &model).unwrap();
    damage(&model);
    (refusal(&model).remedy(), folder.path().display().to_string())
}

fn to_pickle(folder: &Path) {
    fs::rename(folder.join("model.safetensors"), folder.join("pytorch_model.bin")).unwrap();
}

#[test]
fn a_pickle_is_converted_by_the_class_that_wrote_it_into_a_new_folder() {
    let (found, place) = remedy("bert_classes", to_pickle);
    assert!(found.contains("getattr(transformers, \"BertForSequenceClassification\", transformers.AutoModel)"), "{found}");
    assert!(found.ends_with(&format!("' '{place}/my model' '{place}/my model-safetensors' tokenizer.json")), "{found}");

    let (found, _) = remedy("bert_classes", |folder| {
        to_pickle(folder);
        set(folder, "architectures", Value::Null);
    });
    assert!(found.contains("transformers.AutoModel.from_pretrained(source)"), "{found}");

    let (found, place) = remedy("bert_classes", |folder| {
        to_pickle(folder);
        fs::rename(folder.join("tokenizer.json"), folder.join("vocab.txt")).unwrap();
    });
    assert!(found.contains("transformers.AutoTokenizer"), "transformers makes a tokenizer.json of it: {found}");
    assert!(found.ends_with(&format!("'{place}/my model-safetensors'")), "{found}");
}

#[test]
fn an_adapter_is_merged_into_the_model_that_it_was_trained_on() {
    let base = json!("org/base");
    let (found, place) =
        remedy("bert_classes", |folder| adapter(folder, &json!({"base_model_name_or_path": base, "task_type": "SEQ_CLS"})));
    let class = "transformers.AutoModelForSequenceClassification.from_pretrained(base, num_labels=3)";
    assert!(found.contains(class) && found.contains(".merge_and_unload().save_pretrained(target)"), "{found}");
    let folder = format!("'{place}/my model'");
    assert!(found.ends_with(&format!("' org/base {folder} {folder} '{place}/my model-merged'")), "{found}");

    let (found, _) = remedy("bert_classes", |folder| {
        adapter(folder, &json!({"base_model_name_or_path": base, "task_type": null}));
        fs::remove_file(folder.join("tokenizer.json")).unwrap();
    });
    assert!(found.contains("transformers.AutoModel.from_pretrained(base)"), "{found}");
    assert!(found.contains(" org/base '/") && found.contains("model' org/base '"), "the tokenizer is the model's: {found}");

    let (found, _) = remedy("bert_classes", |folder| adapter(folder, &json!({"base_model_name_or_path": base, "peft_type": "P_TUNING"})));
    assert!(!found.contains("merge_and_unload"), "{found}");
}

#[test]
fn a_missing_type_is_that_of_the_class_where_one_is_named() {
    let without = |class: Value| {
        remedy("bert_classes", |folder| {
            set(folder, "model_type", Value::Null);
            set(folder, "architectures", class);
        })
        .0
    };
    for (class, model_type) in [("BertModel", "bert"), ("XLMRobertaForMaskedLM", "xlm-roberta"), ("GPT2LMHeadModel", "gpt2")] {
        let found = without(json!([class]));
        assert!(found.ends_with(&format!("\"model_type\": \"{model_type}\",")), "{class}: {found}");
    }
    for class in [json!(["BertGenerationEncoder"]), json!(["Bertha"]), json!("BertModel"), json!([7]), Value::Null] {
        assert!(without(class).contains("isostar models"));
    }
}

#[test]
fn a_git_lfs_pointer_is_replaced_in_its_folder() {
    let (found, place) = remedy("bert_classes", |folder| fs::write(folder.join("model.safetensors"), POINTER).unwrap());
    assert!(found.ends_with(&format!(": cd '{place}/my model' && git lfs pull")), "{found}");
}
