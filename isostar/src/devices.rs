//! `isostar devices`: what `--device` takes here.

use clap::Args;
use isostar::remedy::Remedy;
use isostar_train::device::{DeviceInfo, list_devices};
use isostar_train::world::mpi_version;
use serde::Serialize;

use crate::failure::Failure;
use crate::measure::print;

/// Arguments of `isostar devices`.
#[derive(Args)]
pub struct DevicesArgs {
    /// Print one JSON object per device, one per line
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line {
    device: String,
    #[serde(flatten)]
    info: Option<DeviceInfo>,
    /// Cause and remedy, if the device cannot be used.
    missing: Option<String>,
}

/// Lists the devices of every backend, and what is missing of the others; and the MPI library.
pub fn run(arguments: DevicesArgs) -> Result<(), Failure> {
    let mut text = String::new();
    for (device, found) in list_devices() {
        let line = match found {
            Ok(info) => Line {
                device,
                info: Some(info),
                missing: None,
            },
            Err(error) => Line {
                device,
                info: None,
                missing: Some(format!("{error}; {}", error.remedy())),
            },
        };
        text += &if arguments.json {
            serde_json::to_string(&line).expect("a line is text")
        } else {
            described(&line)
        };
        text.push('\n');
    }
    if !arguments.json {
        let version = mpi_version().map_or(
            "not compiled in; build with --features mpi".into(),
            |version| format!("{version}, for `mpirun -n N isostar train`"),
        );
        text += &format!("{:<8} {version}\n", "mpi");
    }
    print(&text)
}

fn described(
    Line {
        device,
        info,
        missing,
    }: &Line,
) -> String {
    let Some(info) = info else {
        return format!("{device:<8} {}", missing.as_deref().unwrap_or_default());
    };
    let has = |name, has| format!("{name} {}", if has { "yes" } else { "no" });
    let memory = info
        .memory_mib
        .map(|mib| format!("{:.0} GiB", mib as f64 / 1024.0));
    let driver = info
        .driver
        .as_ref()
        .map(|driver| format!("driver {driver}"));
    let parts = [
        Some(info.name.clone()),
        memory,
        driver,
        Some(has("f64", info.f64)),
        Some(has("bf16", info.bf16)),
    ];
    format!(
        "{device:<8} {}",
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    )
}
