//! Shell commands that remedies print: they convert unsupported model files into a model folder.
//! The commands are for a POSIX shell and contain the actual paths.

use std::path::{Path, PathBuf};

use isostar_measure::PickleKind;

/// The tokenizer files that transformers may store next to a model.
const TOKENIZER_FILES: [&str; 10] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "chat_template.jinja",
];

/// The command that writes the model and tokenizer of a folder with a pickle to a new folder next
/// to it. `class` is the transformers class that wrote the model; any other class would drop the
/// head.
pub(super) fn convert_pickle(folder: &Path, class: Option<&str>) -> String {
    let class = match class.filter(|class| is_identifier(class)) {
        Some(class) => format!("getattr(transformers, \"{class}\", transformers.AutoModel)"),
        None => "transformers.AutoModel".to_string(),
    };
    let [source, target] = [folder.to_path_buf(), new_folder(folder, "safetensors")]
        .map(|path| quoted(&path.to_string_lossy()));
    let files: Vec<&str> = TOKENIZER_FILES
        .into_iter()
        .filter(|file| folder.join(file).exists())
        .collect();
    if files.is_empty() || files.contains(&TOKENIZER_FILES[0]) {
        let code = format!(
            "import shutil, sys, transformers; source, target, *files = sys.argv[1:]; \
             {class}.from_pretrained(source).save_pretrained(target); [shutil.copy(f\"{{source}}/{{file}}\", target) for file in files]"
        );
        let arguments = [source.as_str(), target.as_str()]
            .into_iter()
            .chain(files)
            .collect::<Vec<_>>()
            .join(" ");
        return format!("python -c '{code}' {arguments}");
    }
    // transformers creates tokenizer.json from the older tokenizer files.
    let code = format!(
        "import sys, transformers; source, target = sys.argv[1:]; \
         [kind.from_pretrained(source).save_pretrained(target) for kind in ({class}, transformers.AutoTokenizer)]"
    );
    format!("python -c '{code}' {source} {target}")
}

/// The same command for a model on the hub. The class is chosen when the command runs, from the
/// configuration on the hub.
#[cfg(feature = "hub")]
pub(super) fn convert_repository(name: &str, revision: &str) -> String {
    const CODE: &str = "import sys, transformers; name, revision, target = sys.argv[1:]; \
         config = transformers.AutoConfig.from_pretrained(name, revision=revision); \
         Model = getattr(transformers, (config.architectures or [\"AutoModel\"])[0], transformers.AutoModel); \
         [kind.from_pretrained(name, revision=revision).save_pretrained(target) for kind in (Model, transformers.AutoTokenizer)]";
    let target = new_folder(
        Path::new(name.rsplit('/').next().unwrap_or(name)),
        "safetensors",
    );
    format!(
        "python -c '{CODE}' {} {} {}",
        quoted(name),
        quoted(revision),
        quoted(&target.to_string_lossy())
    )
}

/// A PEFT adapter, as described by its files.
pub(super) struct AdapterFiles<'a> {
    /// The folder of the adapter.
    pub folder: &'a Path,
    /// The folder or name of the base model.
    pub base: &'a str,
    /// PEFT's name of the task.
    pub task: Option<&'a str>,
    /// The number of outputs of its classifier.
    pub labels: Option<usize>,
}

/// The command that merges an adapter into the weights of its base model and writes the model and
/// its tokenizer to a new folder.
pub(super) fn merge_adapter(adapter: &AdapterFiles<'_>) -> String {
    let AdapterFiles {
        folder,
        base,
        task,
        labels,
    } = *adapter;
    let class = match task {
        Some("SEQ_CLS") => "AutoModelForSequenceClassification",
        Some("QUESTION_ANS") => "AutoModelForQuestionAnswering",
        Some("TOKEN_CLS") => "AutoModelForTokenClassification",
        Some("CAUSAL_LM") => "AutoModelForCausalLM",
        _ => "AutoModel",
    };
    let labels = labels
        .filter(|_| task == Some("SEQ_CLS"))
        .map_or(String::new(), |labels| format!(", num_labels={labels}"));
    let code = format!(
        "import sys, peft, transformers; base, adapter, tokenizer, target = sys.argv[1:]; \
         model = transformers.{class}.from_pretrained(base{labels}); \
         peft.PeftModel.from_pretrained(model, adapter).merge_and_unload().save_pretrained(target); \
         transformers.AutoTokenizer.from_pretrained(tokenizer).save_pretrained(target)"
    );
    let has_tokenizer = TOKENIZER_FILES
        .into_iter()
        .any(|file| folder.join(file).exists());
    let own = folder.to_string_lossy();
    let target = new_folder(folder, "merged");
    let arguments = [
        base,
        &own,
        if has_tokenizer { &own } else { base },
        &target.to_string_lossy(),
    ]
    .map(quoted)
    .join(" ");
    format!("python -c '{code}' {arguments}")
}

/// The command that saves the tensors of a pickle in a plain format beside it; `None` for a kind
/// without one.
pub(super) fn save_plain(path: &Path, kind: PickleKind) -> Option<String> {
    let (source, extension) = match kind {
        PickleKind::Torch => (
            r#"torch.load(sys.argv[1], map_location="cpu", weights_only=True)"#,
            "safetensors",
        ),
        PickleKind::TorchScript => (
            r#"torch.jit.load(sys.argv[1], map_location="cpu").state_dict()"#,
            "safetensors",
        ),
        PickleKind::Python => (r#"pickle.load(open(sys.argv[1], "rb"))"#, "npz"),
        _ => return None,
    };
    // Tensors of one shape in a list are stacked; values in a dictionary other than tensors are
    // dropped.
    let program = match kind {
        PickleKind::Torch | PickleKind::TorchScript => format!(
            r#"import sys, torch; from safetensors.torch import save_file; x = {source}; x = x if isinstance(x, dict) else {{"embeddings": torch.stack(list(x))}}; x = {{name: value.detach().contiguous().clone() for name, value in x.items() if torch.is_tensor(value)}}; save_file(x, sys.argv[2]) if x else sys.exit("no tensors")"#
        ),
        PickleKind::Python => format!(
            r#"import pickle, sys, numpy; x = {source}; numpy.savez(sys.argv[2], **(x if isinstance(x, dict) else {{"embeddings": x}}))"#
        ),
        _ => return None,
    };
    let mut target = path.with_extension(extension);
    if target == path {
        target = path.with_extension(format!("plain.{extension}"));
    }
    Some(format!(
        "python -c '{program}' {} {}",
        quoted(&path.to_string_lossy()),
        quoted(&target.to_string_lossy())
    ))
}

/// The command that downloads the Git LFS files of the working tree that contains `file`.
pub(super) fn pull_git_lfs(file: &Path) -> String {
    let folder = file
        .parent()
        .filter(|folder| *folder != Path::new(""))
        .unwrap_or(Path::new("."));
    format!("cd {} && git lfs pull", quoted(&folder.to_string_lossy()))
}

/// A path next to `folder` that does not exist yet.
fn new_folder(folder: &Path, suffix: &str) -> PathBuf {
    let named = |folder: &Path| {
        let name = folder.file_name()?.to_string_lossy().into_owned();
        let free = |number: usize| {
            folder.with_file_name(format!(
                "{name}-{suffix}{}",
                if number == 1 {
                    String::new()
                } else {
                    format!("-{number}")
                }
            ))
        };
        (1..).map(free).find(|path| !path.exists())
    };
    // A folder such as `.` has a name only after it is resolved.
    named(folder)
        .or_else(|| named(&folder.canonicalize().ok()?))
        .unwrap_or_else(|| suffix.into())
}

/// Whether a text can safely be inserted into the command as a Python identifier.
fn is_identifier(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The text quoted as one word of a shell command.
fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./@:".contains(&byte);
    match !text.is_empty() && text.bytes().all(is_plain) {
        true => text.to_string(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_with_special_characters_are_quoted_for_the_shell() {
        for (text, expected) in [
            ("a/b-c_1.d", "a/b-c_1.d"),
            ("my model", "'my model'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
            ("$HOME", "'$HOME'"),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }

    #[test]
    fn the_command_for_a_pickle_never_overwrites_it() {
        let line = save_plain(Path::new("states.safetensors"), PickleKind::Torch).unwrap();
        assert!(
            line.ends_with(" states.safetensors states.plain.safetensors"),
            "{line}"
        );
        let line = save_plain(Path::new("states.npz"), PickleKind::Python).unwrap();
        assert!(line.ends_with(" states.npz states.plain.npz"), "{line}");
    }

    #[test]
    fn a_class_that_is_not_an_identifier_is_not_inserted_into_the_command() {
        let command = convert_pickle(
            Path::new("nowhere"),
            Some("A\"); import os; (\"'; rm -r /; '"),
        );
        assert!(
            command.contains("transformers.AutoModel.from_pretrained")
                && !command.contains("import os"),
            "{command}"
        );
    }

    #[test]
    fn a_new_folder_is_next_to_the_old_one_and_does_not_exist() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("model");
        assert_eq!(
            new_folder(&model, "merged"),
            folder.path().join("model-merged")
        );
        std::fs::create_dir(folder.path().join("model-merged")).unwrap();
        assert_eq!(
            new_folder(&model, "merged"),
            folder.path().join("model-merged-2")
        );
    }
}
