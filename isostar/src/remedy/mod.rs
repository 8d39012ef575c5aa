//! What to do about the errors of the libraries: one line for each.

mod commands;
mod data;
mod experiment;
mod measure;
mod model;
mod report;
mod world;

use isostar_train::device::{DeviceError, compiled_devices};
use isostar_train::model::FindModelError;

pub use experiment::advice;
pub use measure::alternative;

/// The remedy for an error that none is written for.
const UNKNOWN: &str = "correct the cause, and run the command again";

/// An error that something can be done about.
pub trait Remedy {
    /// Returns one line that says what to do about the error.
    fn remedy(&self) -> String;
}

impl Remedy for FindModelError {
    fn remedy(&self) -> String {
        match self {
            #[cfg(feature = "hub")]
            Self::Hub { source, .. } => source.remedy(),
            _ => UNKNOWN.into(),
        }
    }
}

impl Remedy for DeviceError {
    fn remedy(&self) -> String {
        // Do not suggest the absent device itself.
        let usable = |name: &&str| !matches!(self, Self::Absent { name: absent, .. } if absent.starts_with(*name));
        let compiled = compiled_devices()
            .into_iter()
            .filter(usable)
            .collect::<Vec<_>>()
            .join(", ");
        match self {
            Self::Unknown { .. } => format!("choose one of: {compiled}"),
            Self::NotCompiled { name } => {
                let backend = name.split(':').next().unwrap_or(name);
                format!("choose one of: {compiled}; or build with --features {backend}")
            }
            Self::Absent { name, .. } if name.starts_with("cuda") => {
                format!(
                    "install NVIDIA's driver and check with nvidia-smi, or choose one of: {compiled}"
                )
            }
            Self::Absent { .. } => {
                format!(
                    "install a Vulkan, Metal or DirectX 12 driver (on Debian, mesa-vulkan-drivers), or choose one of: {compiled}"
                )
            }
            _ => UNKNOWN.into(),
        }
    }
}

/// Quotes the first few names, and says how many more there are.
fn few<T: AsRef<str>>(names: &[T]) -> String {
    const SHOWN: usize = 16;
    let shown: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("{:?}", name.as_ref()))
        .collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_left_out_of_the_build_is_named_with_its_feature() {
        let remedy = DeviceError::NotCompiled {
            name: "cuda:1".into(),
        }
        .remedy();
        assert!(
            remedy.contains("flex") && remedy.contains("--features cuda"),
            "{remedy}"
        );
    }

    #[test]
    fn an_absent_device_is_not_offered() {
        let remedy = DeviceError::Absent {
            name: "flex".into(),
            found: 0,
        }
        .remedy();
        assert!(
            compiled_devices().contains(&"flex") && !remedy.contains("flex"),
            "{remedy}"
        );
    }
}
