//! Remedies for model folders and for downloads from the hub.

use isostar_models::ModelError;
#[cfg(feature = "hub")]
use isostar_models::hub::{HubError, RepositoryKind};

#[cfg(feature = "hub")]
use super::commands::convert_repository;
use super::commands::{AdapterFiles, convert_pickle, merge_adapter, pull_git_lfs};
use super::{Remedy, UNKNOWN};

impl Remedy for ModelError {
    fn remedy(&self) -> String {
        let remedy = match self {
            Self::NoFolder { .. } => {
                "pass the path of a folder with config.json, model.safetensors and tokenizer.json"
            }
            Self::NoFile { path } if path.ends_with("tokenizer.json") => {
                "download it from the model's page, or create it from the vocabulary files: python -c 'import sys; from transformers import AutoTokenizer; \
                 AutoTokenizer.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[1])' FOLDER"
            }
            Self::NoFile { .. } => {
                "download the missing file from the model's page, or save the model again with save_pretrained"
            }
            Self::PickleOnly { path, class } => {
                let folder = path.parent().unwrap_or(path);
                return format!(
                    "convert the model, then use the new folder: {}",
                    convert_pickle(folder, class.as_deref())
                );
            }
            Self::GitLfsPointer { path } => {
                return format!(
                    "install Git LFS, then download the file: {}",
                    pull_git_lfs(path)
                );
            }
            Self::Adapter { base: None, .. } => {
                "merge the adapter into its base model with PEFT's merge_and_unload, and save the result with save_pretrained"
            }
            Self::Adapter {
                is_prompt: true, ..
            } => {
                "use the base model without the adapter: a prompt adapter cannot be merged into the weights"
            }
            Self::Adapter {
                path,
                base: Some(base),
                task,
                labels,
                ..
            } => {
                let folder = path.parent().unwrap_or(path);
                let merge = merge_adapter(&AdapterFiles {
                    folder,
                    base,
                    task: task.as_deref(),
                    labels: *labels,
                });
                return format!(
                    "merge the adapter into its base model, then use the new folder: {merge}"
                );
            }
            Self::NoModelType {
                likely: Some(likely),
                ..
            } => {
                return format!(
                    "add this line after the opening brace of the file: \"model_type\": \"{likely}\","
                );
            }
            Self::NoModelType { likely: None, .. } => {
                "add the field as in the config.json on the model's page, for example \"model_type\": \"bert\"; `isostar models` lists the types"
            }
            Self::Io { .. } => {
                "check that the path exists, that you have access to it, and that the disk has free space"
            }
            Self::Json { .. } => {
                "compare the file with the one on the model's page; download it again if it is truncated"
            }
            Self::ModelType { .. } => {
                "use a model of a supported type: `isostar models` lists them"
            }
            Self::Shard { .. } => "download the index again from the model's page",
            Self::FieldType { .. } => "compare the field with the one on the model's page",
            Self::Setting { .. } => "correct the field, or use a model without this setting",
            Self::Checkpoint { .. } => {
                "download the file again: the download was probably interrupted"
            }
            Self::MissingTensors { .. }
            | Self::UnexpectedTensors { .. }
            | Self::TensorShape { .. } => {
                "check that config.json and model.safetensors belong to the same model"
            }
            Self::TensorTwice { .. } => "save the model again with save_pretrained",
            Self::TensorType { .. } => "save the model again as float32",
            Self::Tokenizer { .. } => {
                "save the tokenizer again with a fast tokenizer's save_pretrained"
            }
            Self::Vocabulary { .. } => "use the tokenizer files that belong to this model",
            _ => UNKNOWN,
        };
        remedy.to_string()
    }
}

#[cfg(feature = "hub")]
impl Remedy for HubError {
    fn remedy(&self) -> String {
        let remedy = match self {
            Self::NotAnId { .. } => {
                "write it as on the model's page: organisation/name, or organisation/name@revision"
            }
            Self::Endpoint { .. } => {
                "set HF_ENDPOINT to an address such as https://huggingface.co, or unset it"
            }
            Self::NotFound { .. } => {
                "check the spelling on its page; if it is private, set HF_TOKEN to a token that may read it"
            }
            Self::NoRevision { .. } => {
                "use a branch, a tag or a full commit hash from its page, or omit the revision for the newest version"
            }
            Self::Gated { .. } => {
                "request access on its page, then set HF_TOKEN to an access token of your account"
            }
            Self::Unauthorized { .. } => {
                "set HF_TOKEN to a valid access token that may read it, or log in again: hf auth login"
            }
            Self::NoFile {
                kind: RepositoryKind::Model,
                ..
            } => {
                "use a model that has config.json, tokenizer.json and model.safetensors on its page"
            }
            Self::NoFile {
                kind: RepositoryKind::Dataset,
                ..
            } => "check the names of the files on the dataset's page",
            Self::PickleOnly { id, .. } => {
                return format!(
                    "convert the model, then use the new folder: {}",
                    convert_repository(&id.name, &id.revision)
                );
            }
            Self::Adapter { id } => {
                return format!(
                    "download it and pass its folder instead; isostar then prints the command that merges it into its base model: hf download {} --revision {} --local-dir adapter",
                    id.name, id.revision
                );
            }
            Self::Index { .. } => "use another revision of the model, or another model",
            Self::Offline { .. } => {
                "unset HF_HUB_OFFLINE to download it, or set HF_HOME to the cache that contains it"
            }
            Self::Unreachable { .. } => {
                "check the connection, HTTPS_PROXY, SSL_CERT_FILE and HF_ENDPOINT, or pass the path of a folder that contains it"
            }
            Self::Answer { .. } => {
                "check HF_ENDPOINT and HTTPS_PROXY: a proxy may have responded instead of the hub"
            }
            Self::Interrupted { .. } => {
                "run the same command again: the download resumes where it stopped"
            }
            Self::Damaged { .. } => {
                "run the same command again: the file is downloaded from the beginning"
            }
            Self::Io { .. } => {
                "check that you have write access to the cache (HF_HOME) and that the disk has free space"
            }
            _ => UNKNOWN,
        };
        remedy.to_string()
    }
}

#[cfg(all(test, feature = "hub"))]
mod tests {
    use isostar_models::hub::ModelId;

    use super::*;

    #[test]
    fn what_a_token_opens_is_said() {
        let hidden = HubError::NotFound {
            kind: RepositoryKind::Dataset,
            name: "org/many-tasks".into(),
        };
        assert!(hidden.remedy().contains("HF_TOKEN"));
        assert!(
            HubError::Gated {
                kind: RepositoryKind::Model,
                name: "org/tiny-model".into()
            }
            .remedy()
            .contains("HF_TOKEN")
        );
    }

    #[test]
    fn a_pickle_is_converted_and_an_adapter_is_downloaded() {
        let id = || "org/tiny-model".parse::<ModelId>().unwrap();
        let remedy = HubError::PickleOnly {
            id: id(),
            file: "pytorch_model.bin".into(),
        }
        .remedy();
        assert!(
            remedy.contains("config.architectures")
                && remedy.ends_with("' org/tiny-model main tiny-model-safetensors"),
            "{remedy}"
        );
        let remedy = HubError::Adapter { id: id() }.remedy();
        assert!(
            remedy.contains("hf download org/tiny-model --revision main --local-dir"),
            "{remedy}"
        );
    }
}
