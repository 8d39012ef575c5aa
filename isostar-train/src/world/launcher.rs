//! What the environment says of the processes that were started together.

use thiserror::Error;

/// Processes that a launcher has started together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launched {
    /// The program that started them.
    pub by: &'static str,
    /// The number of this process, from 0; `None` if unknown.
    pub rank: Option<usize>,
    /// Their number, at least 2.
    pub count: usize,
}

/// Why processes that were started together cannot train together.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// The feature `mpi` is not compiled in.
    #[error("{} has started {} processes, but this build has no MPI: each would train alone", .0.by, .0.count)]
    NoMpi(Launched),
    /// MPI takes each process for a job of its own.
    #[error("{} has started {} processes, but MPI does not connect them", .0.by, .0.count)]
    Unconnected(Launched),
    /// The MPI library is for programs of one thread.
    #[error("this MPI library does not allow a program to have several threads")]
    Threads,
    /// MPI has been initialized before.
    #[error("the process has joined an MPI job before")]
    Twice,
}

/// The processes that a launcher has started together with this one; `None` if it is alone.
///
/// | started by | variables |
/// |---|---|
/// | Open MPI's `mpirun` | `OMPI_COMM_WORLD_SIZE`, `OMPI_COMM_WORLD_RANK` |
/// | MPICH's or Intel MPI's `mpiexec` | `PMI_SIZE`, `PMI_RANK` |
/// | `srun` | `SLURM_STEP_NUM_TASKS`, `SLURM_PROCID` |
///
/// A task of a SLURM array and a batch script are alone: SLURM counts one process in their step.
///
/// # Arguments
/// - `variable`: value of an environment variable; `None` if it is unset
pub fn launched(variable: impl Fn(&str) -> Option<String>) -> Option<Launched> {
    let number = |name| variable(name)?.trim().parse::<usize>().ok();
    [
        ("mpirun", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
        ("mpiexec", "PMI_SIZE", "PMI_RANK"),
        ("srun", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
    ]
    .into_iter()
    .find_map(|(by, count, rank)| {
        let count = number(count).filter(|count| *count > 1)?;
        let rank = number(rank);
        Some(Launched { by, rank, count })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launched_in(variables: &[(&str, &str)]) -> Option<(&'static str, Option<usize>, usize)> {
        let found = launched(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.to_string())
        });
        found.map(|Launched { by, rank, count }| (by, rank, count))
    }

    #[test]
    fn every_launcher_is_recognized() {
        let open_mpi = [("OMPI_COMM_WORLD_SIZE", "3"), ("OMPI_COMM_WORLD_RANK", "2")];
        let mpich = [("PMI_SIZE", "2"), ("PMI_RANK", "0")];
        let srun = [("SLURM_STEP_NUM_TASKS", "4"), ("SLURM_PROCID", "1")];
        assert_eq!(launched_in(&open_mpi), Some(("mpirun", Some(2), 3)));
        assert_eq!(launched_in(&mpich), Some(("mpiexec", Some(0), 2)));
        assert_eq!(launched_in(&srun), Some(("srun", Some(1), 4)));
        assert_eq!(launched_in(&open_mpi[..1]), Some(("mpirun", None, 3)));
    }

    #[test]
    fn one_process_is_alone_whatever_started_it() {
        let array = [
            ("SLURM_ARRAY_TASK_ID", "3"),
            ("SLURM_NTASKS", "8"),
            ("SLURM_STEP_NUM_TASKS", "1"),
            ("SLURM_PROCID", "0"),
        ];
        assert_eq!(launched_in(&array), None);
        assert_eq!(launched_in(&[("SLURM_NTASKS", "4")]), None);
        assert_eq!(launched_in(&[("OMPI_COMM_WORLD_SIZE", "1")]), None);
        assert_eq!(launched_in(&[("PMI_SIZE", "many")]), None);
        assert_eq!(launched_in(&[]), None);
    }
}
