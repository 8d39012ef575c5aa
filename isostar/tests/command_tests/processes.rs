//! Trainings that a launcher has started several times.

use tempfile::TempDir;

use crate::command::isostar_command;

const LAUNCHERS: [&str; 6] = [
    "OMPI_COMM_WORLD_SIZE",
    "OMPI_COMM_WORLD_RANK",
    "PMI_SIZE",
    "PMI_RANK",
    "SLURM_STEP_NUM_TASKS",
    "SLURM_PROCID",
];

/// What a training of an unknown task prints to stderr, and whether it has made a folder.
fn started(variables: &[(&str, &str)]) -> (String, bool) {
    let folder = TempDir::new().unwrap();
    let line = ["train", "--task", "nonsense", "--out", "run"];
    let mut command = isostar_command(folder.path(), &line);
    LAUNCHERS.iter().for_each(|name| {
        command.env_remove(name);
    });
    let output = command.envs(variables.iter().copied()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    (text, folder.path().join("run").exists())
}

#[test]
#[cfg(not(feature = "mpi"))]
fn processes_that_would_each_train_alone_are_refused() {
    for (variables, by) in [
        (
            [("OMPI_COMM_WORLD_SIZE", "3"), ("OMPI_COMM_WORLD_RANK", "0")],
            "mpirun",
        ),
        ([("PMI_SIZE", "3"), ("PMI_RANK", "0")], "mpiexec"),
        (
            [("SLURM_STEP_NUM_TASKS", "3"), ("SLURM_PROCID", "0")],
            "srun",
        ),
    ] {
        let (text, has_folder) = started(&variables);
        let expected = format!("{by} has started 3 processes, but this build has no MPI");
        assert!(text.contains(&expected), "{text}");
        assert!(
            text.contains("--features mpi") && text.contains("isostar sweep"),
            "{text}"
        );
        assert!(!has_folder);
    }
    // One of them says it.
    let second = [("OMPI_COMM_WORLD_SIZE", "3"), ("OMPI_COMM_WORLD_RANK", "1")];
    assert_eq!(started(&second), (String::new(), false));
}

#[test]
fn a_process_alone_trains_whatever_has_started_it() {
    let array = [
        ("SLURM_ARRAY_TASK_ID", "2"),
        ("SLURM_ARRAY_TASK_MIN", "1"),
        ("SLURM_ARRAY_TASK_MAX", "3"),
        ("SLURM_NTASKS", "8"),
        ("SLURM_STEP_NUM_TASKS", "1"),
        ("SLURM_PROCID", "0"),
    ];
    let alone = [("OMPI_COMM_WORLD_SIZE", "1"), ("OMPI_COMM_WORLD_RANK", "0")];
    for variables in [&[][..], &array, &alone] {
        let (text, _) = started(variables);
        assert!(
            text.contains("nonsense") && !text.contains("processes"),
            "{text}"
        );
    }
}
