//! The script of a SLURM array that makes the runs of a plan.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::failure::Failure;

/// Settings of the array.
#[derive(Args)]
pub struct SlurmArgs {
    /// Write the script of a SLURM array of N tasks that share the plan, and print the line that submits it; nothing is run
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    slurm: Option<u32>,
    /// Time limit of a task, as sbatch takes it. Two minutes before its end, a task saves its run and goes back to the queue
    #[arg(
        long,
        value_name = "TIME",
        default_value = "24:00:00",
        requires = "slurm"
    )]
    time: String,
    /// GPUs of a task
    #[arg(long, value_name = "N", requires = "slurm")]
    gpus: Option<u32>,
    /// CPUs of a task
    #[arg(long, value_name = "N", requires = "slurm")]
    cpus: Option<u32>,
}

impl SlurmArgs {
    /// Writes the script beside the runs in `out`, if it is asked for; returns the line that submits
    /// it.
    ///
    /// # Errors
    /// If the script cannot be written.
    pub fn write(&self, plan: &Path, out: &Path) -> Result<Option<String>, Failure> {
        let Some(tasks) = self.slurm else {
            return Ok(None);
        };
        let unwritable = |path: &Path, error: std::io::Error| {
            let cause = format!("{}: {error}", path.display());
            Failure::new(cause, "pass a folder that can be written with --out")
        };
        fs::create_dir_all(out).map_err(|error| unwritable(out, error))?;
        // Tasks begin in the folder in which sbatch was called; paths must not depend on it.
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.into());
        let [plan, out] = [plan, out].map(absolute);
        let path = out.join("slurm.sh");
        let script = self.script(tasks, &plan, &out);
        fs::write(&path, script).map_err(|error| unwritable(&path, error))?;
        Ok(Some(format!("sbatch {}", quoted(&path))))
    }

    fn script(&self, tasks: u32, plan: &Path, out: &Path) -> String {
        let name = plan.file_stem().unwrap_or_default().to_string_lossy();
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("isostar"));
        let log = quoted(&out.join("slurm-%A-%a.log"));
        let mut lines = vec![
            "#!/bin/bash".to_string(),
            format!("#SBATCH --job-name={}", quoted(Path::new(name.as_ref()))),
            format!("#SBATCH --array=1-{tasks}"),
            "#SBATCH --ntasks=1".into(),
            format!("#SBATCH --time={}", self.time),
        ];
        let counts = [("gpus", self.gpus), ("cpus-per-task", self.cpus)];
        let counts = counts
            .into_iter()
            .filter_map(|(name, count)| Some((name, count?)));
        lines.extend(counts.map(|(name, count)| format!("#SBATCH --{name}={count}")));
        lines.extend([
            format!("#SBATCH --output={log}"),
            "#SBATCH --open-mode=append".into(),
            "#SBATCH --requeue".into(),
            "# Two minutes before the time is over, the run saves its state and requeues its task."
                .into(),
            "#SBATCH --signal=USR1@120".into(),
            String::new(),
            "# Each task takes the runs that are free; a requeued one goes on where a run was left.".into(),
            format!(
                "exec srun {} sweep {} --out {} --no-wait",
                quoted(&program),
                quoted(plan),
                quoted(out)
            ),
            String::new(),
        ]);
        lines.join("\n")
    }
}

/// A path as a word of a shell.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=%,@".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.into_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}
