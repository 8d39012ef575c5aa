//! The script of a SLURM array, and shards from the environment of a launcher.

use std::fs;

use tempfile::TempDir;

use crate::command::{isostar_command, succeed};

const PLAN: &str = "[settings]\nepochs = 1\n\n[vary]\nseed = [1, 2, 3, 4, 5, 6]\n";

#[test]
fn the_script_of_an_array_is_written_and_its_line_is_printed() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("six seeds.toml"), PLAN).unwrap();
    let line = [
        "sweep",
        "six seeds.toml",
        "--slurm",
        "3",
        "--time",
        "01:00:00",
        "--gpus",
        "1",
    ];
    let printed = succeed(folder.path(), &line);
    let at = folder.path().canonicalize().unwrap();
    let script = at.join("runs/six seeds/slurm.sh");
    assert_eq!(printed, format!("sbatch '{}'\n", script.display()));
    let text = fs::read_to_string(&script).unwrap();
    for expected in [
        "#!/bin/bash\n".to_string(),
        "#SBATCH --array=1-3\n".into(),
        "#SBATCH --time=01:00:00\n".into(),
        "#SBATCH --gpus=1\n".into(),
        "#SBATCH --requeue\n".into(),
        "#SBATCH --signal=USR1@120\n".into(),
        format!(" sweep '{}' --out ", at.join("six seeds.toml").display()),
        " --no-wait\n".into(),
    ] {
        assert!(text.contains(&expected), "{expected:?} in {text}");
    }
    assert!(!text.contains("cpus-per-task"), "{text}");
    let mut bash = std::process::Command::new("bash");
    assert!(bash.arg("-n").arg(&script).status().unwrap().success());
}

#[test]
fn a_launcher_that_says_nothing_is_named_as_the_problem() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("plan.toml"), PLAN).unwrap();
    let refused = |variables: &[(&str, &str)], cause: &str| {
        let mut command =
            isostar_command(folder.path(), &["sweep", "plan.toml", "--shard", "auto"]);
        for name in [
            "SLURM_ARRAY_TASK_ID",
            "SLURM_PROCID",
            "OMPI_COMM_WORLD_RANK",
            "PMI_RANK",
        ] {
            command.env_remove(name);
        }
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.starts_with(&format!("error: {cause}")), "{stderr}");
    };
    refused(&[], "nothing says which of several processes this is");
    let contradiction = [("PMI_RANK", "3"), ("PMI_SIZE", "3")];
    refused(&contradiction, "PMI_RANK is \"3 of 3\"");
}
