//! The share of a process in a sweep, from what SLURM or MPI tells it.

use super::SweepError;

/// Index of a process among those that were started together, from 0, and their number.
///
/// | started by | variables |
/// |---|---|
/// | a SLURM array (`sbatch --array`) | `SLURM_ARRAY_TASK_ID`, `_MIN`, `_MAX`, `_STEP` |
/// | `srun` | `SLURM_PROCID`, `SLURM_STEP_NUM_TASKS` |
/// | Open MPI's `mpirun` | `OMPI_COMM_WORLD_RANK`, `OMPI_COMM_WORLD_SIZE` |
/// | MPICH's or Intel MPI's `mpiexec` | `PMI_RANK`, `PMI_SIZE` |
///
/// The processes of each task of an array are counted one after the other. `mpirun` within an array
/// counts likewise, before `srun`: Open MPI starts its own processes with `srun`.
///
/// # Arguments
/// - `variable`: value of an environment variable; `None` if it is unset
///
/// # Errors
/// If no launcher is known, or its variables contradict each other.
pub(super) fn place(
    variable: impl Fn(&str) -> Option<String>,
) -> Result<(usize, usize), SweepError> {
    let number = |name: &str| -> Result<Option<usize>, SweepError> {
        let Some(value) = variable(name) else {
            return Ok(None);
        };
        let parsed = value.trim().parse();
        parsed.map(Some).map_err(|_| SweepError::Launcher {
            variable: name.into(),
            value,
        })
    };
    let needed = |name: &str| {
        number(name)?.ok_or_else(|| SweepError::Launcher {
            variable: name.into(),
            value: String::new(),
        })
    };
    let within = |index: usize, count: usize, name: &str| match index < count {
        true => Ok((index, count)),
        false => Err(SweepError::Launcher {
            variable: name.into(),
            value: format!("{index} of {count}"),
        }),
    };

    let task = match number("SLURM_ARRAY_TASK_ID")? {
        None => None,
        Some(id) => {
            let first = needed("SLURM_ARRAY_TASK_MIN")?;
            let last = needed("SLURM_ARRAY_TASK_MAX")?;
            let step = number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1).max(1);
            let index = id.saturating_sub(first) / step;
            let count = last.saturating_sub(first) / step + 1;
            Some(within(index, count, "SLURM_ARRAY_TASK_ID")?)
        }
    };
    let mut process = None;
    for (rank, size) in [
        ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
        ("PMI_RANK", "PMI_SIZE"),
        // In a batch script, SLURM_NTASKS counts processes that are not yet started.
        ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
    ] {
        if let (None, Some(rank_value), Some(size_value)) = (process, number(rank)?, number(size)?)
        {
            process = Some(within(rank_value, size_value, rank)?);
        }
    }
    match (task, process) {
        (None, None) => Err(SweepError::NoLauncher),
        (Some(found), None) | (None, Some(found)) => Ok(found),
        (Some((task, tasks)), Some((rank, size))) => Ok((task * size + rank, tasks * size)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place_in(variables: &[(&str, &str)]) -> Result<(usize, usize), SweepError> {
        place(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.to_string())
        })
    }

    const ARRAY: [(&str, &str); 4] = [
        ("SLURM_ARRAY_TASK_ID", "7"),
        ("SLURM_ARRAY_TASK_MIN", "3"),
        ("SLURM_ARRAY_TASK_MAX", "11"),
        ("SLURM_ARRAY_TASK_STEP", "2"),
    ];

    #[test]
    fn every_launcher_says_where_a_process_stands() {
        let srun = [("SLURM_PROCID", "1"), ("SLURM_STEP_NUM_TASKS", "4")];
        let open_mpi = [("OMPI_COMM_WORLD_RANK", "2"), ("OMPI_COMM_WORLD_SIZE", "3")];
        let mpich = [("PMI_RANK", "0"), ("PMI_SIZE", "2")];
        assert_eq!(place_in(&srun).unwrap(), (1, 4));
        assert_eq!(place_in(&open_mpi).unwrap(), (2, 3));
        assert_eq!(place_in(&mpich).unwrap(), (0, 2));
        assert_eq!(place_in(&ARRAY).unwrap(), (2, 5), "tasks 3, 5, 7, 9 and 11");
        assert_eq!(place_in(&[&ARRAY[..], &srun].concat()).unwrap(), (9, 20));
        assert_eq!(place_in(&[&open_mpi[..], &srun].concat()).unwrap(), (2, 3));
    }

    #[test]
    fn processes_of_an_array_have_different_places() {
        let mut places = Vec::new();
        for task in ["3", "5", "7", "9", "11"] {
            for rank in ["0", "1", "2"] {
                let mut variables = ARRAY.to_vec();
                variables[0].1 = task;
                variables.extend([("PMI_RANK", rank), ("PMI_SIZE", "3")]);
                let (index, count) = place_in(&variables).unwrap();
                assert_eq!(count, 15);
                places.push(index);
            }
        }
        assert_eq!(places, (0..15).collect::<Vec<_>>());
    }

    #[test]
    fn a_batch_script_alone_is_no_launcher() {
        // Without srun, one process of SLURM_NTASKS runs.
        let batch = [("SLURM_PROCID", "0"), ("SLURM_NTASKS", "4")];
        assert!(matches!(place_in(&batch), Err(SweepError::NoLauncher)));
        assert!(matches!(place_in(&[]), Err(SweepError::NoLauncher)));
    }

    #[test]
    fn contradictions_are_named() {
        for (variables, named) in [
            (vec![("PMI_RANK", "2"), ("PMI_SIZE", "2")], "PMI_RANK"),
            (vec![("PMI_RANK", "x"), ("PMI_SIZE", "2")], "PMI_RANK"),
            (ARRAY[..1].to_vec(), "SLURM_ARRAY_TASK_MIN"),
        ] {
            let error = place_in(&variables).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
