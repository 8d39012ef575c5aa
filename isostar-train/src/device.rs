//! Parsing the name of a device on the command line into a Burn device that exists.

use burn::prelude::*;
use burn::tensor::DType;
use serde::Serialize;
use thiserror::Error;

use crate::cache::cache_folder;

/// The folder of compiled kernels and tuning results, in the user's cache.
const KERNELS: &str = "kernels";

/// Why a device cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// No backend has this name.
    #[error("unknown device {name:?}")]
    Unknown {
        /// The name passed.
        name: String,
    },
    /// The backend exists, but is not part of this build.
    #[error("the device {name:?} is not compiled in")]
    NotCompiled {
        /// The name passed.
        name: String,
    },
    /// The backend is compiled in, but the machine has no such device: no driver, no adapter, or an
    /// index out of range.
    #[error("device {name:?} not found: this machine has {found} of its kind")]
    Absent {
        /// The name passed.
        name: String,
        /// The number of devices of this kind on the machine.
        found: usize,
    },
}

/// The backends by the names that [`parse_device`] takes.
const BACKENDS: &[&str] = &["flex", "ndarray", "wgpu", "cuda"];

/// The names of the devices compiled into this build.
pub fn compiled_devices() -> Vec<&'static str> {
    let devices = [
        ("flex", cfg!(feature = "flex")),
        ("ndarray", cfg!(feature = "ndarray")),
        ("wgpu", cfg!(feature = "wgpu")),
        ("cuda", cfg!(feature = "cuda")),
    ];
    devices
        .into_iter()
        .filter_map(|(name, compiled)| compiled.then_some(name))
        .collect()
}

/// The name of the default device: the first one compiled in.
pub fn default_device_name() -> &'static str {
    compiled_devices().first().copied().unwrap_or("flex")
}

/// The default multiple of the width of a batch on a device: 32 on CUDA and 16 on wgpu, which
/// compile and tune kernels for each shape; 1 on the CPU.
pub fn default_pad_to(device: &str) -> usize {
    match device.split([':', ',']).next() {
        Some("cuda") => 32,
        Some("wgpu") => 16,
        _ => 1,
    }
}

/// Returns the device called `name`: `flex`, `ndarray`, `wgpu`, `cuda`, or `cuda:1` for the second
/// GPU.
///
/// Enumerates the machine's devices first, because a missing driver would panic in a thread of the
/// device. With the feature `persistence`, the first call for wgpu or CUDA makes the process keep compiled
/// kernels and tuning results in `$ISOSTAR_CACHE/kernels`.
///
/// # Errors
/// If the name is unknown, the backend is not compiled in, or the machine has no such device.
pub fn parse_device(name: &str) -> Result<Device, DeviceError> {
    let (kind, index) = match name.split_once(':') {
        Some((kind, index)) => (
            kind,
            index.parse::<usize>().map_err(|_| DeviceError::Unknown {
                name: name.to_string(),
            })?,
        ),
        None => (name, 0),
    };
    if !BACKENDS.contains(&kind) || (index > 0 && kind != "cuda") {
        return Err(DeviceError::Unknown {
            name: name.to_string(),
        });
    }
    match kind {
        #[cfg(feature = "flex")]
        "flex" => Ok(Device::flex()),
        #[cfg(feature = "ndarray")]
        "ndarray" => {
            // Burn 0.23 removes this backend.
            #[allow(deprecated)]
            Ok(Device::ndarray())
        }
        #[cfg(feature = "wgpu")]
        "wgpu" => {
            use burn::tensor::{DeviceKind, DeviceType};
            keep_kernels();
            present(
                name,
                0,
                Device::enumerate(DeviceType::Wgpu).into_iter().count(),
            )?;
            Ok(Device::wgpu(DeviceKind::DefaultDevice))
        }
        #[cfg(feature = "cuda")]
        "cuda" => {
            use burn::tensor::DeviceType;
            keep_kernels();
            present(
                name,
                index,
                Device::enumerate(DeviceType::Cuda).into_iter().count(),
            )?;
            Ok(Device::cuda(index))
        }
        _ => Err(DeviceError::NotCompiled {
            name: name.to_string(),
        }),
    }
}

/// Returns the devices of a list such as `cuda:0,cuda:1`, in order; one device may be named more than
/// once.
///
/// # Errors
/// If [`parse_device`] refuses one of them.
pub fn parse_devices(names: &str) -> Result<Vec<Device>, DeviceError> {
    names
        .split(',')
        .map(|name| parse_device(name.trim()))
        .collect()
}

/// Whether the operations of a device run on threads of this process.
#[cfg(feature = "experiment")]
pub(crate) fn is_cpu(device: &Device) -> bool {
    let plain = device.clone().without_autodiff();
    let cpus = ["flex", "ndarray"].map(parse_device);
    cpus.into_iter().flatten().any(|cpu| cpu == plain)
}

/// Keeps compiled kernels for later processes. Too late only if the program used a device before.
#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn keep_kernels() {
    #[cfg(feature = "persistence")]
    {
        let folder = cache_folder(|name| std::env::var_os(name)).join(KERNELS);
        isostar_kernels::keep_compiled_kernels(&folder);
    }
}

/// What to expect of the first steps on a device that compiles kernels; `None` on the CPU.
pub(crate) fn kernel_note(device: &str) -> Option<String> {
    if !matches!(device.split(':').next(), Some("wgpu" | "cuda")) {
        return None;
    }
    let kept = if cfg!(feature = "persistence") {
        let folder = cache_folder(|name| std::env::var_os(name)).join(KERNELS);
        format!("; {} keeps them for later runs", folder.display())
    } else {
        String::new()
    };
    Some(format!(
        "the first steps compile and tune kernels for {device}{kept}"
    ))
}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn present(name: &str, index: usize, found: usize) -> Result<(), DeviceError> {
    if index < found {
        Ok(())
    } else {
        Err(DeviceError::Absent {
            name: name.to_string(),
            found,
        })
    }
}

/// What is known of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceInfo {
    /// The name of the hardware.
    pub name: String,
    /// Memory in MiB; `None` if unknown.
    pub memory_mib: Option<u64>,
    /// The version of the driver; `None` if unknown.
    pub driver: Option<String>,
    /// Whether it computes in double precision.
    pub f64: bool,
    /// Whether it computes in bfloat16.
    pub bf16: bool,
}

/// Lists the devices of every backend by the names that [`parse_device`] takes, with the reason why
/// a backend has none.
pub fn list_devices() -> Vec<(String, Result<DeviceInfo, DeviceError>)> {
    let mut all = Vec::new();
    for backend in BACKENDS {
        let first = parse_device(backend).map(|device| describe(backend, 0, &device));
        let is_cuda = first.is_ok() && *backend == "cuda";
        all.push((backend.to_string(), first));
        let more = (1..).map_while(|index| {
            let name = format!("{backend}:{index}");
            let device = is_cuda.then(|| parse_device(&name).ok()).flatten()?;
            Some((name, Ok(describe(backend, index, &device))))
        });
        all.extend(more);
    }
    all
}

fn describe(backend: &str, index: usize, device: &Device) -> DeviceInfo {
    let (memory_mib, driver) = if backend == "cuda" {
        nvidia_smi(index).unwrap_or_default()
    } else {
        (None, None)
    };
    DeviceInfo {
        name: hardware(device).unwrap_or_else(|| "the CPU".into()),
        memory_mib,
        driver,
        f64: device.supports_dtype(DType::F64),
        bf16: device.supports_dtype(DType::BF16),
    }
}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn hardware(device: &Device) -> Option<String> {
    device.identity().map(|identity| identity.name)
}

#[cfg(not(any(feature = "wgpu", feature = "cuda")))]
fn hardware(_device: &Device) -> Option<String> {
    None
}

/// Memory in MiB and driver version of a GPU, from the program that comes with NVIDIA's driver.
fn nvidia_smi(index: usize) -> Option<(Option<u64>, Option<String>)> {
    let fields = [
        "--query-gpu=memory.total,driver_version",
        "--format=csv,noheader,nounits",
        &format!("--id={index}"),
    ];
    let output = std::process::Command::new("nvidia-smi")
        .args(fields)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (memory, driver) = text.trim().split_once(", ")?;
    Some((memory.parse().ok(), Some(driver.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_left_out_of_the_build_is_named_with_those_that_are_in_it() {
        let missing = if cfg!(feature = "cuda") {
            return;
        } else {
            "cuda:1"
        };
        let error = parse_device(missing).unwrap_err();
        assert_eq!(
            error,
            DeviceError::NotCompiled {
                name: "cuda:1".into()
            }
        );
    }

    #[test]
    fn a_list_may_name_a_device_twice_and_refuses_what_it_does_not_know() {
        if cfg!(feature = "flex") {
            let devices = parse_devices("flex, flex").unwrap();
            assert_eq!(
                devices,
                [parse_device("flex").unwrap(), parse_device("flex").unwrap()]
            );
        }
        for (names, wrong) in [("tpu,flex", "tpu"), ("flex,", ""), ("flex,,flex", "")] {
            let unknown = DeviceError::Unknown { name: wrong.into() };
            match parse_devices(names) {
                Err(error) if cfg!(feature = "flex") || names.starts_with("tpu") => {
                    assert_eq!(error, unknown)
                }
                other => assert!(other.is_err()),
            }
        }
    }

    #[test]
    fn devices_that_compile_kernels_say_so() {
        assert_eq!(kernel_note("flex"), None);
        let note = kernel_note("cuda:1").unwrap();
        assert!(note.starts_with("the first steps compile and tune kernels for cuda:1"));
        assert_eq!(note.contains("keeps them"), cfg!(feature = "persistence"));
    }

    #[test]
    fn a_name_of_no_device_is_refused() {
        for name in ["tpu", "flex:1", "cuda:x", ""] {
            assert_eq!(
                parse_device(name).unwrap_err(),
                DeviceError::Unknown { name: name.into() }
            );
        }
    }
}
